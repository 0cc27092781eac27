"""An endpoint's settings: its variant, how a new version takes over, what is kept of the traffic, how it scales.

What SageMaker's deployment guardrails cannot do is refused with the reason, all findings at once (developer guide,
"Deployment guardrails"; API reference, DeploymentConfig).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cloudml import spec
from cloudml.errors import Diagnostic
from cloudml.plan import Resource
from cloudml_sagemaker import machines, names
from cloudml_sagemaker.compile import guards
from cloudml_sagemaker.compile.context import BACKEND, Document
from cloudml_sagemaker.compile.policies import merged
from cloudml_sagemaker.hosting import content, policy, tag_list
from cloudml_sagemaker.service.model import input_shape
from cloudml_sagemaker.service.shapes import problems
from cloudml_sagemaker.target import Place

VARIANT = "main"
"""The one name of an endpoint's variant: an update may not rename it (developer guide, deployment guardrails)."""
LONGEST_WAIT = 3600
"""Seconds (WaitIntervalInSeconds, TerminationWaitInSeconds)."""
LONGEST_ANSWER = 60
"""Seconds that a container may take to answer (InvokeEndpoint, API reference)."""
SHORTEST_DEPLOYMENT = 600
"""Seconds (MaximumExecutionTimeoutInSeconds)."""
SPARE = 600
"""Seconds beside the waits and the start of the new fleet."""
JSON_TYPES = ["application/json", "application/jsonlines", "application/jsonl", "application/x-ndjson",
              "application/x-jsonlines"]  # fmt: skip
"""What the server takes as text; kept as it is, and not in base64 (CaptureContentTypeHeader)."""

_MEMBERS = frozenset({"variant", "DeploymentConfig", "DataCaptureConfig", "KmsKeyId", "scaling", "model"})
_MODEL = frozenset({"role", "image", "environment", "features", "request_timeout", "subnets", "security_groups"})
"""What native options of an endpoint, and of its model, may say: nothing else gets anywhere (`hosting.content`)."""


@dataclass(frozen=True)
class Lowered:
    """An endpoint in SageMaker's terms: its settings, the alarms that guard it, what cannot be done."""

    name: str
    settings: Document
    alarms: tuple[Document, ...]
    findings: tuple[Diagnostic, ...]
    seconds: float
    """How long a deploy may take: the new fleet's start, all waits, and some to spare."""

    def resources(self) -> Iterator[Resource]:
        """The alarms, and the endpoint, which a run makes."""
        for alarm in self.alarms:
            yield Resource.of("alarm", alarm["AlarmName"], alarm)
        yield Resource.of("endpoint", self.name, self.settings)


def lower(place: Place, endpoint: spec.Endpoint, identity: Mapping[str, str]) -> Lowered:
    """Pure; `identity`: the tags by which it is found again."""
    name = names.resource(place.project, place.target, endpoint.name)
    found: list[Diagnostic] = []
    machine = _machine(endpoint, found)
    tags = {**dict(place.tags), **{one.key: one.value for one in endpoint.tags}, **identity}
    guarded = guards.Guarded(place, endpoint, name, VARIANT, machine.cpu if machine else 1, tags)
    deployment = _deployment(endpoint, found)
    alarms = tuple(guards.alarms(guarded))
    found += guards.findings(guarded, policy.waits(deployment))
    if alarms and endpoint.rollout.rollback:
        watched = [{"AlarmName": alarm["AlarmName"]} for alarm in alarms[: guards.MOST_ALARMS]]
        deployment["AutoRollbackConfiguration"] = {"Alarms": watched}
    settings: Document = {
        "EndpointName": name,
        "name": endpoint.name,
        "variant": {
            "VariantName": VARIANT,
            "InstanceType": machine.name if machine else "",
            "InitialInstanceCount": max(1, endpoint.scaling.minimum),
            **({} if endpoint.resources.disk is None else {"VolumeSizeInGB": machines.volume(endpoint.resources)}),
        },
        "DeploymentConfig": deployment,
        "DataCaptureConfig": _capture(place, endpoint, found),
        "KmsKeyId": None if machine and machines.has_local_disk(machine.name) else place.kms,
        "scaling": _scaling(endpoint, found),
        "model": _model(place, endpoint),
        "tags": tags,
    }
    foreign = list(_foreign(endpoint))
    found += [*foreign, *_overruled(endpoint)]
    settings = {key: value for key, value in settings.items() if value not in (None, "")}
    settings = settings if foreign else merged(settings, endpoint.native)
    found += _shapes(endpoint, settings, alarms, known=machine is not None)
    seconds = endpoint.rollout.provision_timeout + policy.waits(deployment) + SPARE
    return Lowered(name, settings, alarms, tuple(found), seconds)


def _find(found: list[Diagnostic], code: str, endpoint: spec.Endpoint, message: str, hint: str) -> None:
    found.append(Diagnostic(code, f"endpoint {endpoint.name}", message, hint))


def _machine(endpoint: spec.Endpoint, found: list[Diagnostic]) -> machines.Machine | None:
    try:
        return machines.choose(endpoint.resources, "endpoint")
    except machines.NoMachine as problem:
        _find(found, "CML331", endpoint, str(problem), "ask for less")
    return None


def _foreign(endpoint: spec.Endpoint) -> Iterator[Diagnostic]:
    """What native options say, and would be left out without a word."""
    where = f"endpoint {endpoint.name}"
    for option in endpoint.native:
        document = option.document if option.backend == BACKEND else {}
        model = document.get("model", {})
        inner = {f"model.{name}": _MODEL for name in model} if isinstance(model, Mapping) else {"model": _MODEL}
        for name, known in {**dict.fromkeys(document, _MEMBERS), **inner}.items():
            if name.rpartition(".")[2] not in known:
                hint = f"native={{'{BACKEND}': …}} takes {', '.join(sorted(known))}"
                yield Diagnostic("CML347", where, f"an endpoint's settings have no such {name}", hint)


def _overruled(endpoint: spec.Endpoint) -> Iterator[Diagnostic]:
    """What is declared, and would be another value on the endpoint."""
    where = f"endpoint {endpoint.name}"
    for name in (one.name for one in endpoint.environment if content.is_own(one.name)):
        hint = "leave it out: it comes from `features` and `request_timeout`"
        yield Diagnostic("CML347", where, f"the variable {name} is set by cloudml itself", hint)
    if endpoint.request_timeout > LONGEST_ANSWER:
        message = f"its request_timeout is {endpoint.request_timeout:g} s, and SageMaker waits {LONGEST_ANSWER} s"
        yield Diagnostic("CML347", where, message, "answer sooner, or predict in a batch: ml.batch_predict")


def _model(place: Place, endpoint: spec.Endpoint) -> Document:
    model: Document = {
        "role": place.role,
        "image": place.endpoint_image(endpoint.resources),
        "environment": {one.name: one.value for one in endpoint.environment},
        "features": list(endpoint.features),
        "request_timeout": endpoint.request_timeout,
        "subnets": list(place.subnets),
        "security_groups": list(place.security_groups),
    }
    return {key: value for key, value in model.items() if value not in ([], {})}


# -- how a new version takes over ---------------------------------------------------------------------------------


def _deployment(endpoint: spec.Endpoint, found: list[Diagnostic]) -> Document:
    """The DeploymentConfig, without alarms; what cannot be is noted, and left out."""
    rollout = endpoint.rollout
    for message, hint in _refused(rollout):
        _find(found, "CML345", endpoint, message, hint)
    wait = math.ceil(rollout.steps[0].bake) if len(rollout.steps) > 1 else 0
    last = math.ceil(rollout.steps[-1].bake + rollout.final_bake)
    for seconds, what in ((wait, "a step bakes"), (last, "the whole fleet bakes (the last step and final_bake)")):
        if seconds > LONGEST_WAIT:
            message = f"{what} for {seconds} s, and SageMaker waits at most {LONGEST_WAIT} s"
            _find(found, "CML345", endpoint, message, "take an hour or less")
    blue_green: Document = {
        "TrafficRoutingConfiguration": {
            **_routing(endpoint, found),
            "WaitIntervalInSeconds": min(wait, LONGEST_WAIT),
        },
        "TerminationWaitInSeconds": min(last, LONGEST_WAIT),
    }
    waits = policy.waits({"BlueGreenUpdatePolicy": blue_green})
    needed = waits + math.ceil(rollout.provision_timeout) + SPARE
    if waits + SPARE > policy.LONGEST_DEPLOYMENT:
        message = f"it waits for {waits} s in all, and a deployment may take {policy.LONGEST_DEPLOYMENT} s"
        _find(found, "CML345", endpoint, message, "bake for less, or in fewer steps")
    if rollout.max_duration > policy.LONGEST_DEPLOYMENT:
        message = f"max_duration is {rollout.max_duration:g} s, and SageMaker allows {policy.LONGEST_DEPLOYMENT} s"
        _find(found, "CML345", endpoint, message, "take eight hours or less")
    limit = max(SHORTEST_DEPLOYMENT, math.ceil(rollout.max_duration), needed)
    blue_green["MaximumExecutionTimeoutInSeconds"] = min(policy.LONGEST_DEPLOYMENT, limit)
    return {"BlueGreenUpdatePolicy": blue_green}


def _refused(rollout: spec.Rollout) -> Iterator[tuple[str, str]]:
    """What SageMaker's rollouts do not know."""
    if any(step.approval for step in rollout.steps):
        yield "SageMaker asks nobody between two steps", "approve the version before: ml.approve"
    if any(step.min_samples for step in rollout.steps):
        yield "SageMaker's steps last as long as they bake, whatever traffic comes", "leave min_samples to the guards"
    if len({step.bake for step in rollout.steps[:-1]}) > 1:
        yield "its steps bake for different times, and SageMaker waits the same after each", "bake alike"
    if rollout.engine == "controlled":
        yield "its traffic is moved by SageMaker itself", "leave `engine` at 'auto'"
    if rollout.shadow is not None:
        yield "shadow traffic is not made for this backend", "verify the version on an endpoint of its own first"
    if rollout.routing == "sticky":
        yield "SageMaker routes each request by itself", "leave `routing` at 'request'"


def _routing(endpoint: spec.Endpoint, found: list[Diagnostic]) -> Document:
    """Type and size of the steps: all at once, a canary, or equal rises."""
    weights = [step.weight for step in endpoint.rollout.steps]
    if weights == [100]:
        return {"Type": "ALL_AT_ONCE"}
    share = weights[0]
    equal = weights == [min(100.0, share * number) for number in range(1, math.ceil(100 / share) + 1)]
    if len(weights) > 2 and not equal:
        told = ", ".join(f"{one:g}" for one in weights)
        message = f"SageMaker moves traffic at once, in two steps, or in equal ones, not by {told}"
        _find(found, "CML345", endpoint, message, "take ml.canary([share, 100], …) or ml.linear(share, …)")
        return {"Type": "ALL_AT_ONCE"}
    kind, member, least = ("CANARY", "CanarySize", 1) if len(weights) == 2 else ("LINEAR", "LinearStepSize", 10)
    if share != int(share) or not least <= share <= 50:
        message = f"a step of {share:g} % is none of {least} to 50 whole percent"
        _find(found, "CML345", endpoint, message, "take a share in between, or ml.all_at_once()")
        return {"Type": "ALL_AT_ONCE"}
    count, needed = max(1, endpoint.scaling.minimum), math.ceil(100 / share)
    if count < needed:
        message = f"{share:g} % of {count} instance(s) is not one, and SageMaker moves traffic by whole instances"
        hint = f"serve from {needed} instances at least (`instances={needed}`), or take ml.all_at_once()"
        _find(found, "CML345", endpoint, message, hint)
    return {"Type": kind, member: {"Type": "CAPACITY_PERCENT", "Value": int(share)}}


# -- capture and scaling ------------------------------------------------------------------------------------------


def _capture(place: Place, endpoint: spec.Endpoint, found: list[Diagnostic]) -> Document | None:
    if endpoint.capture is None:
        return None
    percent = round(endpoint.capture.sample * 100, 6)
    if percent != int(percent) or percent < 1:
        message = f"it captures {percent:g} %, and SageMaker takes whole percents from 1 on"
        _find(found, "CML347", endpoint, message, "take a sample such as 0.05")
        percent = 1
    capture: Document = {
        "EnableCapture": True,
        "InitialSamplingPercentage": int(percent),
        "DestinationS3Uri": f"{place.base}/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": JSON_TYPES},
    }
    return {**capture, "KmsKeyId": place.kms} if place.kms else capture


def _scaling(endpoint: spec.Endpoint, found: list[Diagnostic]) -> Document | None:
    scaling = endpoint.scaling
    if scaling.minimum < 1:
        message = "an endpoint of machines keeps one at least: SageMaker scales to zero asynchronous ones only"
        _find(found, "CML347", endpoint, message, "take a minimum of 1, and `cloudml stop` while it is unused")
    if scaling.maximum <= scaling.minimum:
        return None
    if scaling.target_requests is None:
        message = "nothing says when it grows from its minimum to its maximum"
        _find(found, "CML347", endpoint, message, "give target_requests: requests a second that one instance shall get")
        return None
    return {
        "MinCapacity": max(1, scaling.minimum),
        "MaxCapacity": scaling.maximum,
        # SageMakerVariantInvocationsPerInstance counts a minute.
        "TargetValue": float(scaling.target_requests * 60),
    }


# -- held against AWS's own model ---------------------------------------------------------------------------------


def _shapes(
    endpoint: spec.Endpoint, settings: Document, alarms: tuple[Document, ...], *, known: bool
) -> Iterator[Diagnostic]:
    if not known:
        return
    name = settings["EndpointName"]
    image = str(settings["model"].get("image", ""))
    parts = content.parts(settings, content.Served("", 1, "", "", name, image, "s3://bucket/model.tar.gz", {}))
    updated = {"EndpointConfigName": name, "DeploymentConfig": settings["DeploymentConfig"]}
    requests: list[tuple[str, str, Document]] = [
        ("CreateModel", "sagemaker", parts.model),
        ("CreateEndpointConfig", "sagemaker", parts.config),
        ("CreateEndpoint", "sagemaker", {"EndpointName": name, **updated, "Tags": tag_list(settings["tags"])}),
        *(("PutMetricAlarm", "cloudwatch", alarm) for alarm in alarms),
    ]
    for operation, service, request in requests:
        for problem in problems(input_shape(operation, service), request):
            hint = f"see {operation} in the API reference; native={{'sagemaker': …}} is merged last"
            yield Diagnostic("CML338", f"endpoint {endpoint.name}", problem, hint)
