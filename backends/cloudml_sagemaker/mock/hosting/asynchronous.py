"""InvokeEndpointAsync: requests wait in a queue, inputs and outputs are in S3, ends are told to SNS.

Paths and messages: developer guide, "Asynchronous inference" (invoke, check prediction results). What waits or runs is
kept in the store, so a mock that is started again works it off.
"""

from __future__ import annotations

import json
import time
import uuid

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.core.world import World, iso
from cloudml_sagemaker.mock.hosting import invoke, rollout, views

QUEUE = "_AsyncInvocation"
_DEFAULT_SECONDS = 900
_DEFAULT_TTL = 21600
"""Seconds for an answer, and in the queue (API reference, InvokeEndpointAsync)."""
_INCLUDED_BYTES = 128 * 1024
_INLINE_BYTES = 128_000


@operation(
    "InvokeEndpointAsync",
    service="sagemaker-runtime",
    executes="the input is read from S3, the container's answer written there, SNS told",
)
def invoke_async(call: Call) -> Parameters:
    """Accept the request: where its output, or its failure, will be."""
    params = call.params
    invoke.lease(call, asynchronous=True).release()
    given, location = params.get("Body"), params.get("InputLocation")
    if bool(given) == bool(location):
        raise invoke.refused("Exactly one of InputLocation and Body must be specified.")
    if len(given or b"") > _INLINE_BYTES:
        raise invoke.refused(f"Body must not be longer than {_INLINE_BYTES} bytes.")
    inference = params.get("InferenceId") or str(uuid.uuid5(uuid.NAMESPACE_URL, call.world.unique("async")))
    settings = views.live(call.table("Endpoint")[params["EndpointName"]])["Config"]["AsyncInferenceConfig"]
    output = settings["OutputConfig"]
    key = call.world.unique("async-request")
    row: Document = {
        "Id": key,
        "Params": {name: value for name, value in params.items() if name != "Body"},
        "Body": bytes(given).decode("latin-1") if given else None,
        "Received": call.now,
        "InferenceId": inference,
        # "SageMaker AI generates a filename based on the inference ID" (API reference, Filename).
        "Output": _below(output.get("S3OutputPath"), params, f"{inference}.out"),
        "Failure": _below(output.get("S3FailurePath"), params, f"{inference}-error.out"),
        "Topics": output.get("NotificationConfig") or {},
    }
    call.table(QUEUE).put(key, row)
    start(call.world, call.scope, row)
    return {"InferenceId": inference, "OutputLocation": row["Output"], "FailureLocation": row["Failure"]}


def _below(path: str | None, params: Document, name: str) -> str | None:
    """The object's URI: the configured path, the request's extension of it, and its file name or ours."""
    if not path:
        return None
    parts = (path.rstrip("/"), (params.get("S3OutputPathExtension") or "").strip("/"), params.get("Filename") or name)
    return "/".join(part for part in parts if part)


def start(world: World, scope: Scope, row: Document) -> None:
    """Work it off in the background, when it is its turn."""
    rollout.hosting(world).background(lambda: _turn(world, scope, row), f"async {row['Id']}")


def _turn(world: World, scope: Scope, row: Document) -> None:
    backlog, name = rollout.hosting(world).backlog, row["Params"]["EndpointName"]
    if not backlog.enter((scope, name), _most(world, scope, name), lambda: start(world, scope, row)):
        return
    try:
        _work(world, scope, row)
    finally:
        following = backlog.leave((scope, name))
        if following is not None:
            following()


def _most(world: World, scope: Scope, name: str) -> int | None:
    """MaxConcurrentInvocationsPerInstance times the instances (API reference, AsyncInferenceClientConfig)."""
    with world.lock:
        endpoint = world.table("Endpoint", scope).get(name)
        fleet = views.live(endpoint) if endpoint else {"Config": {}, "Counts": {}}
        client = (fleet["Config"].get("AsyncInferenceConfig") or {}).get("ClientConfig") or {}
        each = client.get("MaxConcurrentInvocationsPerInstance")
        return None if each is None else int(each) * max(1, sum(fleet["Counts"].values()))


def _work(world: World, scope: Scope, row: Document) -> None:
    reason, media, answer = "", "", b""
    try:
        media, answer = _ask(world, scope, row)
    except AwsError as error:
        reason = error.message
    except s3.S3Error as error:
        reason = f"Received client error: failed to download {row['Params'].get('InputLocation')}: {error}"
    try:
        if not reason and row["Output"]:
            s3.write(world, scope, row["Output"], answer, media)
        elif reason and row["Failure"]:
            s3.write(world, scope, row["Failure"], reason, "text/plain")
    except s3.S3Error as error:
        reason = reason or f"Failed to upload the output to {row['Output']}: {error}"
    if world.closing.is_set():
        return
    _notify(world, scope, row, reason, media, answer)
    with world.lock:
        world.table(QUEUE, scope).delete(row["Id"])


def _ask(world: World, scope: Scope, row: Document) -> tuple[str, bytes]:
    began = time.perf_counter()
    params = row["Params"]
    if world.now() - row["Received"] > params.get("RequestTTLSeconds", _DEFAULT_TTL):
        raise invoke.refused("The request expired in the queue.")
    body = row["Body"].encode("latin-1") if row["Body"] is not None else s3.read(world, scope, params["InputLocation"])
    leased = invoke.lease(Call(world, scope, "InvokeEndpointAsync", params), asynchronous=True)
    try:
        seconds = float(params.get("InvocationTimeoutSeconds", _DEFAULT_SECONDS))
        reply = invoke.exchange(leased, params, body, began, seconds)
        invoke.record(leased, params, body, reply)
        return reply.media, reply.body
    finally:
        leased.release()


def _notify(world: World, scope: Scope, row: Document, reason: str, media: str, answer: bytes) -> None:
    topics = row["Topics"]
    topic = topics.get("ErrorTopic" if reason else "SuccessTopic")
    if not topic:
        return
    params = row["Params"]
    asked = {"contentType": params.get("ContentType"), "endpointName": params["EndpointName"]}
    message: Document = {
        "awsRegion": scope.region,
        "eventTime": iso(world.now()),
        "receivedTime": iso(row["Received"]),
        "invocationStatus": "Failed" if reason else "Completed",
        "requestParameters": {**asked, "inputLocation": params.get("InputLocation")},
        "inferenceId": row["InferenceId"],
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    if reason:
        message["failureReason"] = reason
    else:
        message["responseParameters"] = {"contentType": media, "outputLocation": row["Output"]}
    kind = "ERROR_NOTIFICATION_TOPIC" if reason else "SUCCESS_NOTIFICATION_TOPIC"
    if kind in (topics.get("IncludeInferenceResponseIn") or []) and len(answer) <= _INCLUDED_BYTES and not reason:
        message["responseBody"] = {"content": answer.decode("utf-8", "replace"), "encoding": "UTF-8"}
    from botocore.exceptions import ClientError

    try:
        world.aws.client("sns", scope).publish(TopicArn=topic, Message=json.dumps(message))
    except ClientError as error:
        rollout.log.warning("the notification of %s was not sent: %s", row["Id"], error)
