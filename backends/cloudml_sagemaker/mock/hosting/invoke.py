"""InvokeEndpoint: from the request through a container to the answer, with all that AWS records on the way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.core.operations import Call, Parameters, arn_of, operation
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.hosting import fleets, multimodel, rollout, routing, views
from cloudml_sagemaker.mock.hosting.capture import Payload
from cloudml_sagemaker.mock.hosting.containers import InvocationFailed, ModelServer, Reply
from cloudml_sagemaker.mock.hosting.metrics import Fleet

SERVING = frozenset({"InService", "Updating", "SystemUpdating", "RollingBack", "UpdateRollbackFailed"})
_SERVERLESS_BYTES = 4 * 1024 * 1024
_BYTES = {"6-mb": 6_291_456, "25-mb": 25 * 1024 * 1024}
"""Largest payloads: 4 MB serverless (developer guide, quotas); else by the switch `payload-limit`."""

_SENT = {
    "ContentType": "Content-Type",
    "Accept": "Accept",
    "CustomAttributes": "X-Amzn-SageMaker-Custom-Attributes",
    "InferenceId": "X-Amzn-SageMaker-Inference-Id",
    "SessionId": "X-Amzn-SageMaker-Session-Id",
    "TargetModel": "X-Amzn-SageMaker-Target-Model",
}
_RETURNED = {
    "CustomAttributes": "x-amzn-sagemaker-custom-attributes",
    "NewSessionId": "x-amzn-sagemaker-new-session-id",
    "ClosedSessionId": "x-amzn-sagemaker-closed-session-id",
}


@dataclass(frozen=True)
class Leased:
    """A server that was chosen and entered; `release` must follow."""

    world: World
    scope: Scope
    endpoint: str
    target: routing.Target
    server: ModelServer
    capture: Document | None
    shadow: str

    @property
    def variant(self) -> str:
        """The production variant's name."""
        return self.target.variant

    def release(self) -> None:
        """The invocation is over."""
        self.server.leave()


@operation(
    "InvokeEndpoint",
    service="sagemaker-runtime",
    executes="the request goes to the variant's container; captured, counted in CloudWatch, copied to shadows",
    locked=False,
)
def invoke_endpoint(call: Call) -> Parameters:
    """The container's answer. ModelError when it has none, or none that is good."""
    began = time.perf_counter()
    leased = lease(call)
    try:
        body = bytes(call.params["Body"])
        check_request(call.params, leased, len(body))
        copy_to_shadow(leased, call.params, body)
        reply = exchange(leased, call.params, body, began)
        record(leased, call.params, body, reply)
        return {"Body": reply.body, **answer_headers(leased, reply.headers, reply.media)}
    finally:
        leased.release()


def lease(call: Call, *, asynchronous: bool = False) -> Leased:
    """Choose a server for a request and enter it. Raises ValidationError, ServiceUnavailable."""
    params, name = call.params, call.params["EndpointName"]
    with call.world.lock:
        endpoint = call.table("Endpoint").get(name)
        if endpoint is None or endpoint["EndpointStatus"] not in SERVING:
            raise refused(f"Endpoint {name} of account {call.scope.account} not found.")
        if params.get("InferenceComponentName"):
            raise refused("Inference components are not served by this mock.")
        if ("AsyncInferenceConfig" in endpoint) != asynchronous:
            kind = "asynchronous" if "AsyncInferenceConfig" in endpoint else "not asynchronous"
            raise refused(f"Endpoint {name} is {kind}: {call.operation} is not supported for it.")
        return _choose(call, endpoint, params.get("TargetVariant") or "")


def _choose(call: Call, endpoint: Document, variant: str) -> Leased:
    name, room = endpoint["EndpointName"], rollout.hosting(call.world)
    number = room.number(call.scope.account, call.scope.region, name, variant)
    target = routing.choose(endpoint, number, variant)
    if target is None:
        raise refused(f"Variant {variant} was not found for endpoint {name}.")
    server = room.server(call.scope, name, target.fleet["Id"], target.variant)
    if server is None or not any(container.wire for container in server.containers):
        count_failure(room, call.scope, name, target, 503)
        raise AwsError("ServiceUnavailable", "Unable to reach the endpoint: no instance is in service.", 503)
    limit = target.fleet["Serverless"].get(target.variant, {}).get("MaxConcurrency")
    if limit is not None and server.busy >= limit:
        raise AwsError("ThrottlingException", "Rate exceeded", 429)
    server.enter()
    shadow = _shadow(target.fleet, number)
    return Leased(call.world, call.scope, name, target, server, views.capture_of(target.fleet), shadow)


def _shadow(fleet: Document, number: int) -> str:
    """The shadow variant that gets a copy of this request: as many as its weight is of the production variant's."""
    names = fleets.shadows(fleet)
    if not names:
        return ""
    weights = fleet["Weights"]
    part = weights[names[0]] / (weights[fleets.production(fleet)[0]] or 1.0)
    return names[0] if routing.position(names[0], number) < part else ""


def refused(message: str) -> AwsError:
    """ValidationError: the runtime's own word for it."""
    return AwsError("ValidationError", message)


def check_request(params: Mapping[str, Any], leased: Leased, size: int) -> None:
    """What depends on the chosen variant. Raises ValidationError."""
    model = leased.target.fleet["Models"][leased.variant]
    hostname = params.get("TargetContainerHostname")
    if leased.server.direct:
        if hostname not in {container.name for container in leased.server.containers}:
            raise refused("TargetContainerHostname must name one of the containers of a Direct mode endpoint.")
    elif hostname:
        raise refused("TargetContainerHostname is only supported for endpoints in Direct mode.")
    if multimodel.is_multi(model) != bool(params.get("TargetModel")):
        raise refused(
            "TargetModel is required for a multi-model endpoint."
            if multimodel.is_multi(model)
            else "TargetModel is only supported for multi-model endpoints."
        )
    if params.get("EnableExplanations"):
        raise refused("Explanations (ExplainerConfig) are not served by this mock.")
    most = largest(leased)
    if size > most:
        raise refused(
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length less "
            f"than or equal to {most}"
        )


def largest(leased: Leased) -> int:
    """The largest payload of the chosen variant, in bytes."""
    if leased.variant in leased.target.fleet["Serverless"]:
        return _SERVERLESS_BYTES
    return _BYTES[leased.world.switches["payload-limit"]]


def exchange(leased: Leased, params: Mapping[str, Any], body: bytes, began: float, seconds: float = 0.0) -> Reply:
    """Ask the model and count what happened. Raises ModelError."""
    room = rollout.hosting(leased.world)
    start = time.perf_counter()
    status = 200
    try:
        return _ask(leased, params, body, seconds or room.invocation_seconds, None if seconds else largest(leased))
    except InvocationFailed as error:
        status = error.status
        raise model_error(leased, error) from None
    finally:
        end = time.perf_counter()
        spent = {"ModelLatency": (end - start) * 1e6, "OverheadLatency": (start - began) * 1e6}
        count(leased, status, spent)


def _ask(leased: Leased, params: Mapping[str, Any], body: bytes, seconds: float, most: int | None) -> Reply:
    headers = request_headers(params)
    model = params.get("TargetModel")
    if model:
        definition = leased.target.fleet["Models"][leased.variant]
        reply = multimodel.ask(leased.world, leased.scope, leased.server, definition, model, body, headers, seconds)
    else:
        hostname = params.get("TargetContainerHostname") or ""
        reply = leased.server.request("POST", "/invocations", body, headers, seconds, target=hostname)
    if most is not None and len(reply.body) > most:
        raise InvocationFailed(leased.server.containers[-1].name, 500, f"The response exceeds {most} bytes.")
    return reply


def request_headers(params: Mapping[str, Any]) -> dict[str, str]:
    """What a container sees of the request's headers."""
    return {header: str(params[name]) for name, header in _SENT.items() if params.get(name)}


def answer_headers(leased: Leased, headers: Mapping[str, str], media: str) -> Parameters:
    """The members of the answer beside the body."""
    found = {name: headers[header] for name, header in _RETURNED.items() if header in headers}
    return {"ContentType": media, "InvokedProductionVariant": leased.variant, **found}


def model_error(leased: Leased, error: InvocationFailed) -> AwsError:
    """ModelError (424) in AWS's words, with the members of its shape."""
    region, group = leased.scope.region, fleets.log_group(leased.endpoint)
    kind = "client" if 400 <= error.status < 500 else "server"
    refusal = AwsError(
        "ModelError",
        f'Received {kind} error ({error.status}) from {error.container} with message "{error.text[:2048]}". See '
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group} in "
        f"account {leased.scope.account} for more information.",
        424,
    )
    refusal.details = {
        "OriginalStatusCode": error.status,
        "OriginalMessage": error.text[:2048],
        "LogStreamArn": arn_of(leased.scope, f"log-group:{group}", "logs"),
    }
    return refusal


def count(leased: Leased, status: int, spent: Mapping[str, float]) -> None:
    """Count one invocation by the status of its answer (0: none) and the microseconds it took."""
    room = rollout.hosting(leased.world)
    instances = max(1, leased.target.fleet["Counts"][leased.variant])
    values = {**_outcome(status), **spent, "InvocationsPerInstance": 1 / instances}
    room.metrics.count(_dimensions(leased.scope, leased.endpoint, leased.target), values)


def count_failure(room: fleets.Hosting, scope: Scope, endpoint: str, target: routing.Target, status: int) -> None:
    """Count an invocation that reached no container."""
    room.metrics.count(_dimensions(scope, endpoint, target), _outcome(status))


def _dimensions(scope: Scope, endpoint: str, target: routing.Target) -> Fleet:
    return Fleet(scope, endpoint, target.variant, target.fleet["Config"]["EndpointConfigName"])


def _outcome(status: int) -> dict[str, float]:
    """1 or 0 for each kind of outcome, as AWS sends them."""
    return {
        "Invocations": 1.0,
        "Invocation4XXErrors": float(400 <= status < 500),
        "Invocation5XXErrors": float(status >= 500 or status == 0),
        "InvocationModelErrors": float(status // 100 != 2),
    }


def record(leased: Leased, params: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    """Capture a good invocation under the production variant's name."""
    if leased.capture:
        _capture(leased, leased.variant, params, body, reply)


def _capture(leased: Leased, variant: str, params: Mapping[str, Any], body: bytes, reply: Reply) -> None:
    assert leased.capture is not None
    rollout.hosting(leased.world).capture.take(
        (leased.scope, leased.endpoint, variant),
        leased.capture,
        Payload(params.get("ContentType") or "application/octet-stream", body),
        Payload(reply.media, reply.body),
        inference_id=params.get("InferenceId") or "",
        attributes=params.get("CustomAttributes") or "",
    )


def copy_to_shadow(leased: Leased, params: Mapping[str, Any], body: bytes) -> None:
    """Send the shadow variant a copy that nobody waits for; its answer is only captured and counted."""
    if not leased.shadow:
        return
    room = rollout.hosting(leased.world)
    server = room.server(leased.scope, leased.endpoint, leased.target.fleet["Id"], leased.shadow)
    if server is None:
        return
    target = routing.Target(leased.target.fleet, leased.shadow)
    copy = Leased(leased.world, leased.scope, leased.endpoint, target, server, leased.capture, "")
    server.enter()

    def send() -> None:
        try:
            with suppress(AwsError):
                record(copy, params, body, exchange(copy, params, body, time.perf_counter()))
        finally:
            copy.release()

    room.background(send, f"shadow of {leased.endpoint}")
