"""The targets that act: SageMaker pipelines, SNS topics, SQS queues, log groups, event buses; and, for EventBridge
Scheduler, its universal targets of SageMaker, SNS, SQS and EventBridge."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core import roles
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.events import inputs

EVENTS, SCHEDULER = "events.amazonaws.com", "scheduler.amazonaws.com"
UNIVERSAL = "arn:aws:scheduler:::aws-sdk:"
"""How the ARNs of EventBridge Scheduler's universal targets begin."""
_MAY_PASS = frozenset(
    {"ThrottlingException", "InternalFailure", "ServiceUnavailable", "ResourceLimitExceeded", "ConflictException"}
)


class Unknown(Exception):
    """No target that the mock acts on; the text names it."""


class Undelivered(Exception):
    """The target did not take it; `again`: another attempt may help."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.again = code in _MAY_PASS


def send(world: World, scope: Scope, delivery: Document) -> Any:
    """Make one attempt of a delivery; returns what the target answered. Raises Unknown, Undelivered."""
    arn = delivery["Target"]["Arn"]
    if arn.startswith(UNIVERSAL):
        return _universal(world, scope, arn.removeprefix(UNIVERSAL), delivery)
    parts = arn.split(":", 5)
    kind = (parts[2], parts[5].partition("/")[0] if "/" in parts[5] else "") if len(parts) == 6 else ("", "")
    sender = _SENDERS.get(kind) or _SENDERS.get((kind[0], ""))
    if sender is None or not all(parts[3:5]):
        raise Unknown(f"{arn} is no target that the mock acts on")
    return sender(world, Scope(parts[4], parts[3]), arn, delivery)


def queue(
    world: World, arn: str, body: str, *, group: str | None = None, attributes: dict[str, str] | None = None
) -> Any:
    """Send a message to an SQS queue. Raises Undelivered."""
    region, account, name = arn.split(":")[3:6]
    scope = Scope(account, region)
    url = _client(world, scope, "sqs", "get_queue_url", {"QueueName": name, "QueueOwnerAWSAccountId": account})
    params: dict[str, Any] = {"QueueUrl": url["QueueUrl"], "MessageBody": body}
    if group is not None:
        params["MessageGroupId"] = group
    if attributes:
        params["MessageAttributes"] = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
        }
    return {"MessageId": _client(world, scope, "sqs", "send_message", params)["MessageId"]}


def _pipeline(world: World, scope: Scope, arn: str, delivery: Document) -> Any:
    """StartPipelineExecution, with the target's role (EventBridge API reference, SageMakerPipelineParameters)."""
    target = delivery["Target"]
    role = target.get("RoleArn")
    if not role or not roles.assumable(world, scope, role, delivery["Service"]):
        raise Undelivered("AccessDeniedException", f"{delivery['Service']} cannot assume the role {role}")
    given = (target.get("SageMakerPipelineParameters") or {}).get("PipelineParameterList") or []
    return _sagemaker(
        world,
        scope,
        "StartPipelineExecution",
        {
            "PipelineName": arn,
            "PipelineParameters": [_parameter(item, delivery) for item in given],
            "ClientRequestToken": _token(delivery),
        },
    )


def _parameter(item: dict[str, str], delivery: Document) -> dict[str, str]:
    """A parameter; a value that is a JSON path is read from the event."""
    value = item["Value"]
    if value.startswith("$.") and delivery["Event"] is not None:
        found = inputs.at(value, delivery["Event"])
        if found is not inputs.ABSENT:
            value = found if isinstance(found, str) else json.dumps(found)
    return {"Name": item["Name"], "Value": value}


def _token(delivery: Document) -> str:
    """The same for each attempt of a delivery, so that a retry starts nothing twice."""
    return f"delivery-{delivery['DeliveryId']}".ljust(40, "0")


def _sagemaker(world: World, scope: Scope, operation: str, params: dict[str, Any]) -> Any:
    try:
        return world.call(scope, operation, params)
    except AwsError as error:
        raise Undelivered(error.code, error.message) from None
    except KeyError:
        raise Unknown(f"SageMaker's {operation} is not served") from None


def _client(world: World, scope: Scope, service: str, method: str, params: dict[str, Any]) -> Any:
    from botocore.exceptions import ClientError

    try:
        return getattr(world.aws.client(service, scope), method)(**params)
    except ClientError as error:
        raise Undelivered(error.response["Error"]["Code"], error.response["Error"].get("Message", "")) from None


def _topic(world: World, scope: Scope, arn: str, delivery: Document) -> Any:
    answer = _client(world, scope, "sns", "publish", {"TopicArn": arn, "Message": delivery["Input"]})
    return {"MessageId": answer["MessageId"]}


def _queue(world: World, scope: Scope, arn: str, delivery: Document) -> Any:
    group = (delivery["Target"].get("SqsParameters") or {}).get("MessageGroupId")
    return queue(world, arn, delivery["Input"], group=group)


def _log_group(world: World, scope: Scope, arn: str, delivery: Document) -> Any:
    name = arn.split(":", 5)[5].removeprefix("log-group:").removesuffix(":*")
    stream = f"{delivery['DeliveryId']}"
    _client(world, scope, "logs", "create_log_stream", {"logGroupName": name, "logStreamName": stream})
    line = {"timestamp": int(delivery["Time"] * 1000), "message": delivery["Input"]}
    _client(
        world, scope, "logs", "put_log_events", {"logGroupName": name, "logStreamName": stream, "logEvents": [line]}
    )
    return {"LogStreamName": stream}


def _bus(world: World, scope: Scope, arn: str, delivery: Document) -> Any:
    """Another event bus gets the event as it is; a schedule's input becomes an event by EventBridgeParameters."""
    from cloudml_sagemaker.mock.events import router

    bus = arn.rpartition("/")[2]
    event = delivery["Event"]
    if event is None:
        made = delivery["Target"].get("EventBridgeParameters") or {}
        entry = {**made, "Detail": delivery["Input"], "EventBusName": bus}
        answer = router.put(world, scope, [entry])["Entries"][0]
        if "ErrorCode" in answer:
            raise Undelivered(answer["ErrorCode"], answer["ErrorMessage"])
        return answer
    router.pass_on(world, scope, bus, event)
    return {"EventId": event["id"]}


_SENDERS: dict[tuple[str, str], Callable[[World, Scope, str, Document], Any]] = {
    ("sagemaker", "pipeline"): _pipeline,
    ("sns", ""): _topic,
    ("sqs", ""): _queue,
    ("logs", ""): _log_group,
    ("events", "event-bus"): _bus,
}


def _universal(world: World, scope: Scope, name: str, delivery: Document) -> Any:
    """A universal target: `SERVICE:OPERATION` with the request as Input (Scheduler user guide, "Universal targets")."""
    service, _, operation = name.partition(":")
    try:
        params = json.loads(delivery["Input"] or "{}")
    except ValueError:
        raise Undelivered("ValidationException", "the target's Input is not JSON") from None
    role = delivery["Target"].get("RoleArn")
    if not role or not roles.assumable(world, scope, role, SCHEDULER):
        raise Undelivered("AccessDeniedException", f"{SCHEDULER} cannot assume the role {role}")
    if service == "sagemaker":
        if operation == "startPipelineExecution":
            params.setdefault("ClientRequestToken", _token(delivery))
        return _sagemaker(world, scope, operation[:1].upper() + operation[1:], params)
    method = {("sns", "publish"): "publish", ("sqs", "sendMessage"): "send_message"}.get((service, operation))
    if method is None:
        raise Unknown(f"the universal target {name} is not acted on by the mock")
    answer = _client(world, scope, service, method, params)
    return {"MessageId": answer["MessageId"]}
