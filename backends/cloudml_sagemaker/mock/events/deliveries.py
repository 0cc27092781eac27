"""Bringing an input to a target, again when that may help, and to the dead-letter queue when it does not.

Each delivery is a document in the table "EventDelivery" (Status: Delivered, Retrying, Failed or Ignored), so that a
mock that was killed goes on with the ones that wait. Retries double from one minute up to an hour; the attempts and the
age are bounded by the target's RetryPolicy (EventBridge: 185 attempts, 24 hours).
"""

from __future__ import annotations

import json
import logging
from typing import Any

from cloudml.mocks.store import Document, Scope, Table
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.events import targets

log = logging.getLogger(__name__)

KIND = "EventDelivery"
KEPT = 1000
"""Deliveries kept in an account and region."""

_AGE, _ATTEMPTS = 86_400, 185
_FIRST_WAIT, _LONGEST_WAIT = 60.0, 3_600.0


def deliver(
    world: World,
    scope: Scope,
    target: dict[str, Any],
    text: str,
    *,
    origin: str,
    service: str,
    event: dict[str, Any] | None = None,
) -> Document:
    """Give `text` to `target` now. `origin`: the ARN of the rule or schedule; `service`: the principal that delivers.

    Returns the delivery as it is kept; a failure is in it, never raised.
    """
    number = world.unique(KIND)
    document: Document = {
        "DeliveryId": number,
        "Time": world.now(),
        "Origin": origin,
        "Service": service,
        "Target": target,
        "Input": text,
        "Event": event,
        "Attempts": 0,
        "Status": "Retrying",
    }
    with world.lock:
        table = world.table(KIND, scope)
        table.put(number, document)
        _trim(table)
    _attempt(world, scope, number)
    return document


def resume(world: World) -> None:
    """Set the timers of deliveries that wait for another attempt."""
    for table in world.store.tables(KIND):
        for number, document in table.items():
            if document["Status"] == "Retrying":
                _again(world, table.scope, number, max(0.0, document.get("_Due", 0.0) - world.now()))


def _trim(table: Table) -> None:
    if len(table) <= KEPT:
        return
    ended = [name for name, row in table.items() if row["Status"] != "Retrying"]
    for name in ended[: len(table) - KEPT]:
        table.delete(name)


def _attempt(world: World, scope: Scope, number: str) -> None:
    with world.lock:
        document = world.table(KIND, scope).get(number)
        if document is None:
            return
        document["Attempts"] += 1
    try:
        result = targets.send(world, scope, document)
        _end(world, scope, number, "Delivered", Result=result)
    except targets.Unknown as error:
        log.warning("target of %s ignored: %s", document["Origin"], error)
        _end(world, scope, number, "Ignored", Reason=str(error))
    except targets.Undelivered as error:
        _failed(world, scope, number, error)
    except Exception as error:
        # One target must not keep the others from theirs.
        log.exception("delivery %s failed inside the mock", number)
        _end(world, scope, number, "Failed", Reason=f"{type(error).__name__}: {error}", ErrorCode="InternalFailure")


def _failed(world: World, scope: Scope, number: str, error: targets.Undelivered) -> None:
    with world.lock:
        document = world.table(KIND, scope)[number]
        policy = document["Target"].get("RetryPolicy") or {}
        attempts, age = document["Attempts"], world.now() - document["Time"]
        wait = min(_FIRST_WAIT * 2 ** (attempts - 1), _LONGEST_WAIT)
        allowed = attempts <= int(policy.get("MaximumRetryAttempts", _ATTEMPTS))
        in_time = age + wait <= float(policy.get("MaximumEventAgeInSeconds", _AGE))
        if error.again and allowed and in_time:
            document.update(Reason=str(error), _Due=world.now() + wait)
            world.table(KIND, scope).put(number, document)
            _again(world, scope, number, wait)
            return
    log.warning("target of %s failed: %s", document["Origin"], error)
    _end(world, scope, number, "Failed", Reason=str(error), ErrorCode=error.code)
    queue = (document["Target"].get("DeadLetterConfig") or {}).get("Arn")
    if queue:
        _bury(world, queue, document)


def _again(world: World, scope: Scope, number: str, seconds: float) -> None:
    def retry() -> None:
        world.workers.submit(lambda: _attempt(world, scope, number), f"delivery {number}")

    world.clock.call_in(seconds, retry, f"delivery {number}")


def _end(world: World, scope: Scope, number: str, status: str, **updates: Any) -> None:
    with world.lock:
        document = world.table(KIND, scope)[number]
        document.pop("_Due", None)
        document.update(Status=status, **updates)
        world.table(KIND, scope).put(number, document)


def _bury(world: World, queue: str, document: Document) -> None:
    """Send what was not delivered to the dead-letter queue, with the attributes that EventBridge adds."""
    attributes = {
        "ERROR_CODE": document["ErrorCode"],
        "ERROR_MESSAGE": document["Reason"],
        "TARGET_ARN": document["Target"]["Arn"],
        "RULE_ARN" if document["Service"] == targets.EVENTS else "SCHEDULE_ARN": document["Origin"],
    }
    body = json.dumps(document["Event"]) if document["Event"] is not None else document["Input"]
    try:
        targets.queue(world, queue, body, attributes=attributes)
    except targets.Undelivered as error:
        log.warning("dead-letter queue %s: %s", queue, error)
