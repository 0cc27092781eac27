"""PutEvents, and how an event comes to the rules of its bus and from them to their targets.

moto keeps buses, rules and targets. Its own delivery is not used: it fails on targets that it does not know, takes
rules that are disabled and rules without a pattern for matching, and leaves Input and InputPath out.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core.errors import AwsError, validation
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.events import deliveries, inputs, patterns
from cloudml_sagemaker.mock.events.messages import Message
from cloudml_sagemaker.mock.events.room import Rule, rules
from cloudml_sagemaker.mock.events.targets import EVENTS

MOST_ENTRIES = 10
LARGEST = 1024 * 1024
"""Bytes of a request's entries (service model, PutEvents: "the total entry size must be less than 1MB")."""

Event = dict[str, Any]
_REQUIRED = ("Source", "DetailType", "Detail")


def put(world: World, scope: Scope, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Answer a client's PutEvents and deliver what it brings. Raises AwsError for a request that is wrong as a whole.

    One bad entry does not keep the others back (EventBridge API reference, PutEvents).
    """
    if not 1 <= len(entries) <= MOST_ENTRIES:
        limit = "less than or equal to 10" if entries else "greater than or equal to 1"
        raise validation(
            "1 validation error detected: Value at 'entries' failed to satisfy constraint: "
            f"Member must have length {limit}"
        )
    if sum(_size(entry) for entry in entries) >= LARGEST:
        raise validation("Total size of the entries in the request is over the limit.")
    results = [_one(world, scope, entry) for entry in entries]
    return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}


def emit(world: World, scope: Scope, message: Message) -> None:
    """Put an event of SageMaker's own on the default bus."""
    made = event(world, scope, "aws.sagemaker", message.detail_type, message.resources, message.detail)
    route(world, scope, "default", made)


def event(
    world: World,
    scope: Scope,
    source: str,
    detail_type: str,
    resources: list[str],
    detail: Any,
    time: float | None = None,
) -> Event:
    """The envelope of an event, in the order in which AWS prints it."""
    seconds = world.now() if time is None else time
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": scope.account,
        "time": datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": scope.region,
        "resources": resources,
        "detail": detail,
    }


def route(world: World, scope: Scope, bus: str, message: Event) -> None:
    """Give the event to the targets of every enabled rule of the bus that it matches."""
    for rule in rules(world, scope):
        if rule.bus == bus and rule.enabled and rule.pattern is not None and patterns.matches(rule.pattern, message):
            fire(world, scope, rule, message)


def fire(world: World, scope: Scope, rule: Rule, message: Event) -> None:
    """Deliver the event to every target of the rule."""
    reserved = {"aws.events.rule-arn": rule.arn, "aws.events.rule-name": rule.name}
    for target in rule.targets:
        text = inputs.of(target, message, reserved)
        deliveries.deliver(world, scope, target, text, origin=rule.arn, service=EVENTS, event=message)


def pass_on(world: World, scope: Scope, bus: str, message: Event) -> None:
    """An event that a rule sends to another bus: it goes on from there, but only once from bus to bus.

    EventBridge sends an event no further than one bus (user guide, "Sending and receiving events between event buses").
    """
    for rule in rules(world, scope):
        if rule.bus == bus and rule.enabled and rule.pattern is not None and patterns.matches(rule.pattern, message):
            kept = tuple(target for target in rule.targets if ":event-bus/" not in target["Arn"])
            fire(world, scope, Rule(**{**vars(rule), "targets": kept}), message)


def _one(world: World, scope: Scope, entry: dict[str, Any]) -> dict[str, Any]:
    missing = next((name for name in _REQUIRED if not entry.get(name)), None)
    if missing is not None:
        return _refused(
            "InvalidArgument", f"Parameter {missing} is not valid. Reason: {missing} is a required argument."
        )
    if entry["Source"].startswith("aws."):
        return _refused("NotAuthorizedForSourceException", "Not authorized for the source.")
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        detail = None
    if not isinstance(detail, dict):
        return _refused("MalformedDetail", "Detail is malformed.")
    bus = (entry.get("EventBusName") or "default").rpartition("/")[2]
    if bus != "default" and not _exists(world, scope, bus):
        raise AwsError("ResourceNotFoundException", f"Event bus {bus} does not exist.")
    message = event(
        world, scope, entry["Source"], entry["DetailType"], list(entry.get("Resources") or []), detail, _time(entry)
    )
    route(world, scope, bus, message)
    return {"EventId": message["id"]}


def _refused(code: str, message: str) -> dict[str, Any]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _exists(world: World, scope: Scope, bus: str) -> bool:
    answer = world.aws.client("events", scope).list_event_buses(NamePrefix=bus)
    return any(found["Name"] == bus for found in answer["EventBuses"])


def _time(entry: dict[str, Any]) -> float | None:
    value = entry.get("Time")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _size(entry: dict[str, Any]) -> int:
    """As AWS counts: 14 bytes for a time, and the UTF-8 bytes of source, detail type, detail and resources."""
    texts = [str(entry.get(name) or "") for name in _REQUIRED] + [str(item) for item in entry.get("Resources") or []]
    return (14 if entry.get("Time") is not None else 0) + sum(len(text.encode()) for text in texts)
