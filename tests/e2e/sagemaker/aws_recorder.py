"""Every request that reaches the mock, as IAM sees it: who asks, for which action, on which resource, in what context.

The face of the mock is listened to, not changed. Calls of the command line's side bear cloudml's name in the user agent
(`Client`); all others come from jobs. What SageMaker does for a job by itself (pulling, transferring) makes no request.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import unescape

import botocore.session
import pytest
from botocore import xform_name

from cloudml_sagemaker.mock.face.app import Application
from cloudml_sagemaker.mock.face.incoming import Incoming, receive

ACCOUNT, REGION = "123456789012", "us-east-1"
SIGNED = {"monitoring": "cloudwatch", "servicequotas": "service-quotas"}
"""Names in signatures that differ from the client's."""


@dataclass(frozen=True)
class Asked:
    """One request. `resource` is None where the request names none."""

    job: bool
    service: str
    operation: str
    resource: str | None
    context: Mapping[str, str]


@dataclass
class Recorder:
    """What was asked, and the tags that things were given."""

    asked: list[Asked] = field(default_factory=list)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)

    def hear(self, incoming: Incoming, agent: str) -> None:
        """Note a request; those of the mock's own control interface have no service."""
        service = SIGNED.get(incoming.service, incoming.service)
        if not service or not incoming.operation:
            return
        name = "sagemaker-runtime" if incoming.operation == "InvokeEndpoint" else service
        given = _parameters(incoming)
        resource = _resource(service, incoming, given)
        tags = _tags(given.get("Tags") or given.get("tags"))
        if resource is not None and tags:
            self.tags.setdefault(resource, {}).update(tags)
        context = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        if service == "s3" and incoming.operation.startswith("List"):
            context["s3:prefix"] = unquote(incoming.query.get("prefix", ""))
        if "Namespace" in given:
            context["cloudwatch:namespace"] = str(given["Namespace"])
        if "ServiceNamespace" in given:
            context["application-autoscaling:service-namespace"] = str(given["ServiceNamespace"])
        for one in _removed(incoming) or [resource]:
            self.asked.append(Asked("cloudml/" not in agent, name, incoming.operation, one, context))


def listen(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Record from now on, in this process's mocks."""
    recorder = Recorder()
    answer: Callable[..., Iterable[bytes]] = Application.__call__

    def heard(self: Application, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        incoming = receive(environ)
        environ["wsgi.input"] = io.BytesIO(incoming.body)
        recorder.hear(incoming, str(environ.get("HTTP_USER_AGENT", "")))
        return answer(self, environ, start_response)

    monkeypatch.setattr(Application, "__call__", heard)
    return recorder


def _removed(incoming: Incoming) -> list[str]:
    """DeleteObjects names its objects in the body; IAM is asked for each."""
    if incoming.service != "s3" or incoming.operation != "DeleteObjects":
        return []
    bucket = unquote(incoming.path).strip("/")
    return [f"arn:aws:s3:::{bucket}/{unescape(key)}" for key in re.findall(r"<Key>(.*?)</Key>", incoming.body.decode())]


def _parameters(incoming: Incoming) -> dict[str, Any]:
    """The request's members, whatever its protocol; of the query protocol the first of each."""
    if incoming.form:
        found: dict[str, Any] = {name: values[0] for name, values in incoming.form.items()}
        keys = {name: value for name, value in found.items() if re.fullmatch(r"Tags\.member\.\d+\.Key", name)}
        found["Tags"] = [{"Key": value, "Value": found[name[:-3] + "Value"]} for name, value in keys.items()]
        return found
    if "HTTP_SMITHY_PROTOCOL" in incoming.environ:
        from botocore.parsers import RpcV2CBORParser

        return dict(RpcV2CBORParser().parse_data_item(io.BufferedReader(io.BytesIO(incoming.body))))  # type: ignore[arg-type]
    try:
        told = json.loads(incoming.body or b"{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _tags(value: Any) -> dict[str, str]:
    if isinstance(value, list):
        return {str(one.get("Key", one.get("key"))): str(one.get("Value", one.get("value"))) for one in value}
    return dict(value) if isinstance(value, dict) else {}


def _arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def _resource(service: str, incoming: Incoming, given: Mapping[str, Any]) -> str | None:
    found = _FINDERS.get(service, lambda *_: None)(incoming, given)
    return found if found is None else str(found)


def _s3(incoming: Incoming, given: Mapping[str, Any]) -> str:
    bucket, _, key = unquote(incoming.path).lstrip("/").partition("/")
    return f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"


_KINDS = {
    "PipelineName": "pipeline",
    "ProcessingJobName": "processing-job",
    "TrainingJobName": "training-job",
    "HyperParameterTuningJobName": "hyper-parameter-tuning-job",
    "ModelPackageName": "model-package",
    "ModelPackageGroupName": "model-package-group",
    "EndpointName": "endpoint",
    "EndpointConfigName": "endpoint-config",
    "ModelName": "model",
    "MonitoringScheduleName": "monitoring-schedule",
    "JobDefinitionName": "data-quality-job-definition",
}


def _sagemaker(incoming: Incoming, given: Mapping[str, Any]) -> str | None:
    """The member that the operation's own name speaks of; lists have none, but where they are of one thing's parts."""
    if incoming.operation == "InvokeEndpoint":
        return _arn("sagemaker", f"endpoint/{incoming.path.split('/')[2]}")
    for member in ("PipelineExecutionArn", "ResourceArn"):
        if member in given:
            return str(given[member])
    if incoming.operation in ("SendPipelineExecutionStepSuccess", "SendPipelineExecutionStepFailure"):
        return None
    wanted = incoming.operation.lower()
    named = [name for name in _KINDS if name in given and name.removesuffix("Name").lower() in wanted]
    if not named or (incoming.operation.startswith("List") and "PipelineName" not in given):
        return given.get("PipelineName") and _arn("sagemaker", f"pipeline/{given['PipelineName']}")
    name = max(named, key=len)
    value = str(given[name])
    return value if value.startswith("arn:") else _arn("sagemaker", f"{_KINDS[name]}/{value.lower()}")


def _sqs(incoming: Incoming, given: Mapping[str, Any]) -> str | None:
    name = given.get("QueueName") or str(given.get("QueueUrl", "")).rpartition("/")[2]
    return _arn("sqs", name) if name else None


def _sns(incoming: Incoming, given: Mapping[str, Any]) -> str | None:
    if incoming.operation == "CreateTopic":
        return _arn("sns", str(given["Name"]))
    return given.get("TopicArn") or given.get("ResourceArn")


def _logs(incoming: Incoming, given: Mapping[str, Any]) -> str | None:
    name = given.get("logGroupName")
    return _arn("logs", f"log-group:{name}") if name else None


def _alarms(incoming: Incoming, given: Mapping[str, Any]) -> str | None:
    names = [given.get("AlarmName"), *(given.get("AlarmNames") or ())]
    name = next((one for one in names if one), None)
    return _arn("cloudwatch", f"alarm:{name}") if name else None


def _scheduler(incoming: Incoming, given: Mapping[str, Any]) -> str | None:
    parts = unquote(incoming.path).strip("/").split("/")
    if parts[0] == "schedule-groups" and len(parts) > 1:
        return _arn("scheduler", f"schedule-group/{parts[1]}")
    if parts[0] == "schedules" and len(parts) > 1:
        group = given.get("GroupName") or incoming.query.get("groupName") or "default"
        return _arn("scheduler", f"schedule/{group}/{parts[1]}")
    return parts[1] if parts[0] == "tags" and len(parts) > 1 else None


def _ecr(incoming: Incoming, given: Mapping[str, Any]) -> str | None:
    name = given.get("repositoryName") or next(iter(given.get("repositoryNames") or ()), None)
    return _arn("ecr", f"repository/{name}") if name else given.get("resourceArn")


_FINDERS: Mapping[str, Callable[[Incoming, Mapping[str, Any]], Any]] = {
    "s3": _s3,
    "sagemaker": _sagemaker,
    "sqs": _sqs,
    "sns": _sns,
    "logs": _logs,
    "cloudwatch": _alarms,
    "scheduler": _scheduler,
    "ecr": _ecr,
}


# -- IAM ---------------------------------------------------------------------------------------------------------


def permitted(documents: Iterable[Mapping[str, Any]], action: str, asked: Asked, tags: Mapping[str, Any]) -> bool:
    """Whether IAM would allow it: some statement has the action, the resource, and conditions that hold."""
    return any(
        _matches(action, one["Action"])
        and (asked.resource is None or _matches(asked.resource, one["Resource"]))
        and _holds(one.get("Condition", {}), asked, tags)
        for document in documents
        for one in document["Statement"]
    )


def _matches(text: str, patterns: str | list[str]) -> bool:
    return any(_like(text, one) for one in ([patterns] if isinstance(patterns, str) else patterns))


def _like(text: str, pattern: str) -> bool:
    written = "".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in re.split(r"([*?])", pattern))
    return re.fullmatch(written, text, re.DOTALL) is not None


def _holds(condition: Mapping[str, Mapping[str, Any]], asked: Asked, tags: Mapping[str, Any]) -> bool:
    for operator, keys in condition.items():
        for key, wanted in keys.items():
            if operator == "Null":
                continue  # sagemaker:TaggingAction: of a Create, which is asked for by that name here
            if key.startswith("aws:ResourceTag/"):
                value = tags.get(asked.resource or "", {}).get(key.partition("/")[2])
            else:
                value = asked.context.get(key)
            if value is None and operator.endswith("IfExists"):
                continue
            if value is None or not _matches(value, wanted):
                return False
    return True


def operation_exists(service: str, operation: str) -> bool:
    """Whether the recorder read the operation's name right."""
    model = botocore.session.get_session().get_service_model(service)
    return operation in model.operation_names and bool(xform_name(operation))
