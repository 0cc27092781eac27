"""Schedules that fire: EventBridge rules with a ScheduleExpression and EventBridge Scheduler's schedules.

moto keeps both and fires neither. Whoever passes a request that changes them on to moto calls `changed` afterwards;
what is due next stands in the table "_Schedule", so that a mock that was killed goes on, and makes up for one that
fell due meanwhile.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core.world import World, iso
from cloudml_sagemaker.mock.events import deliveries, expressions, inputs, router
from cloudml_sagemaker.mock.events.room import Rule, forget, pages, room, rules
from cloudml_sagemaker.mock.events.targets import SCHEDULER, UNIVERSAL

log = logging.getLogger(__name__)

KIND = "_Schedule"
_TICK = 0.001


@dataclass(frozen=True)
class Scheduled:
    """What moto keeps of one schedule. `key` is "rule/NAME" or "schedule/GROUP/NAME"; times in seconds.

    `stamp` tells whether moto's record was touched since it was read.
    """

    key: str
    expression: str
    zone: str = "UTC"
    start: float | None = None
    end: float | None = None
    delay: float = 0.0
    stamp: str = ""

    @property
    def of_rule(self) -> bool:
        """Of an EventBridge rule, whose rate waits for its first interval; one of Scheduler's begins at once."""
        return self.key.startswith("rule/")

    def same(self, other: Scheduled) -> bool:
        """Whether it fires at the same times."""
        return replace(self, stamp="") == replace(other, stamp="")


def refuse(expression: str, timezone: str | None = None, *, scheduler: bool = False) -> str | None:
    """Why AWS would refuse a schedule expression, in its words; None when it would not.

    `scheduler`: of EventBridge Scheduler, which knows at(...) and time zones; otherwise of a rule.
    """
    try:
        expressions.parse(expression, timezone if scheduler else None)
    except expressions.BadExpression as error:
        log.info("schedule expression %r: %s", expression, error)
        if "time zone" in str(error):
            return f"Invalid Schedule Expression Timezone {timezone}."
        return (
            f"Invalid Schedule Expression {expression}." if scheduler else "Parameter ScheduleExpression is not valid."
        )
    if not scheduler and expression.startswith("at("):
        return "Parameter ScheduleExpression is not valid."
    return None


def changed(world: World, scope: Scope) -> None:
    """Read rules and schedules of an account and region anew, and set their timers. Not to be called under the lock."""
    with room(world).scanning:
        forget(world, scope)
        found = {item.key: item for item in (*_of_rules(world, scope), *_of_scheduler(world, scope))}
        with world.lock:
            table = world.table(KIND, scope)
            for key in [key for key, _ in table.items() if key not in found]:
                table.delete(key)
                _disarm(world, scope, key)
            for key, item in found.items():
                known = table.get(key)
                if known is None or not _read(known).same(item):
                    _enter(world, scope, item)
                else:
                    table.put(key, {**known, **vars(item)})


def resume(world: World) -> None:
    """Set the timers of every schedule that the store holds. Needs no lock."""
    with world.lock:
        for table in world.store.tables(KIND):
            for key, document in table.items():
                _arm(world, table.scope, key, document)


def _of_rules(world: World, scope: Scope) -> list[Scheduled]:
    return [
        Scheduled(f"rule/{rule.name}", rule.schedule) for rule in rules(world, scope) if rule.schedule and rule.enabled
    ]


def _of_scheduler(world: World, scope: Scope) -> list[Scheduled]:
    client = world.aws.client("scheduler", scope)
    found = []
    for row in pages(client.list_schedules, "Schedules"):
        if row.get("State", "ENABLED") != "ENABLED":
            continue
        key, stamp = f"schedule/{row['GroupName']}/{row['Name']}", str(row.get("LastModificationDate"))
        with world.lock:
            known = world.table(KIND, scope).get(key)
        if known is not None and known["stamp"] == stamp:
            found.append(_read(known))
            continue
        full = client.get_schedule(GroupName=row["GroupName"], Name=row["Name"])
        found.append(_scheduled(key, stamp, full, late=world.switches["flexible-window"] == "end"))
    return found


def _scheduled(key: str, stamp: str, row: dict[str, Any], *, late: bool) -> Scheduled:
    window = row.get("FlexibleTimeWindow") or {}
    minutes = float(window.get("MaximumWindowInMinutes") or 0) if window.get("Mode") == "FLEXIBLE" else 0.0
    return Scheduled(
        key=key,
        expression=row["ScheduleExpression"],
        zone=row.get("ScheduleExpressionTimezone") or "UTC",
        start=_seconds(row.get("StartDate")),
        end=_seconds(row.get("EndDate")),
        delay=minutes * 60 if late else 0.0,
        stamp=stamp,
    )


def _seconds(value: Any) -> float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    return float(value) if value is not None else None


def _read(document: Document) -> Scheduled:
    return Scheduled(**{field.name: document[field.name] for field in fields(Scheduled)})


def _enter(world: World, scope: Scope, item: Scheduled) -> None:
    """A schedule is new or changed: find when it is due first. Needs the lock."""
    _disarm(world, scope, item.key)
    now = world.now()
    document: Document = {**vars(item), "anchor": now if item.start is None else item.start, "due": None}
    try:
        expression = expressions.parse(item.expression, item.zone)
        document["due"] = _due(item, expression, _begin(item, expression, now), document["anchor"])
    except expressions.BadExpression as error:
        log.warning("%s never fires: %s", item.key, error)
    world.table(KIND, scope).put(item.key, document)
    _arm(world, scope, item.key, document)


def _begin(item: Scheduled, expression: expressions.Expression, now: float) -> float:
    """The time after which the first due time is looked for."""
    if expression.pattern is not None:
        return now if item.start is None else max(now, item.start - _TICK)
    return now if item.of_rule else now - _TICK


def _due(item: Scheduled, expression: expressions.Expression, after: float, anchor: float) -> float | None:
    found = expression.next(_time(after), _time(anchor))
    end = None if expression.once is not None else item.end  # "ignores EndDate for one-time schedules" (API reference)
    if found is None or (end is not None and found.timestamp() > end):
        return None
    return found.timestamp()


def _time(seconds: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _arm(world: World, scope: Scope, key: str, document: Document) -> None:
    if document["due"] is None:
        return
    when = _time(document["due"] + document["delay"])
    _disarm(world, scope, key)
    timer = world.clock.call_at(when, lambda: _fall_due(world, scope, key), f"schedule {key}")
    room(world).timers[(scope, key)] = timer


def _disarm(world: World, scope: Scope, key: str) -> None:
    timer = room(world).timers.pop((scope, key), None)
    if timer is not None:
        timer.cancel()


def _fall_due(world: World, scope: Scope, key: str) -> None:
    """On the clock: set the next time, and let the work be done elsewhere."""
    with world.lock:
        table = world.table(KIND, scope)
        document = table.get(key)
        room(world).timers.pop((scope, key), None)
        if document is None or document["due"] is None:
            return
        due = document["due"]
        item = _read(document)
        expression = expressions.parse(item.expression, item.zone)
        # After a time in which nothing ran, one start makes up for all that were missed.
        document["due"] = _due(item, expression, max(due, world.now()), document["anchor"])
        table.put(key, document)
        _arm(world, scope, key, document)
        last = document["due"] is None
    world.workers.submit(lambda: _fire(world, scope, key, due, last=last), f"schedule {key}")


def _fire(world: World, scope: Scope, key: str, due: float, *, last: bool) -> None:
    kind, _, name = key.partition("/")
    if kind == "rule":
        rule = next((rule for rule in rules(world, scope) if rule.name == name and rule.bus == "default"), None)
        if rule is not None:
            _fire_rule(world, scope, rule, due)
        return
    _fire_schedule(world, scope, name, due, last=last)


def _fire_rule(world: World, scope: Scope, rule: Rule, due: float) -> None:
    """The event of a scheduled rule (EventBridge user guide, "Scheduled Event")."""
    message = router.event(world, scope, "aws.events", "Scheduled Event", [rule.arn], {}, due)
    router.fire(world, scope, rule, message)


def _fire_schedule(world: World, scope: Scope, name: str, due: float, *, last: bool) -> None:
    from botocore.exceptions import ClientError

    client = world.aws.client("scheduler", scope)
    group, _, schedule = name.partition("/")
    try:
        row = client.get_schedule(GroupName=group, Name=schedule)
    except ClientError as error:
        log.warning("schedule %s is gone: %s", name, error)
        return
    attributes = {
        "aws.scheduler.schedule-arn": row["Arn"],
        "aws.scheduler.scheduled-time": iso(due).replace(".000Z", "Z"),
        "aws.scheduler.execution-id": world.unique("Schedule"),
        "aws.scheduler.attempt-number": "1",
    }
    text = inputs.context(_input(world, scope, row, due), attributes)
    deliveries.deliver(world, scope, row["Target"], text, origin=row["Arn"], service=SCHEDULER)
    if last and row.get("ActionAfterCompletion") == "DELETE":
        client.delete_schedule(GroupName=group, Name=schedule)
        changed(world, scope)


def _input(world: World, scope: Scope, row: dict[str, Any], due: float) -> str:
    """The target's Input; without one "a default notification" (API reference, Target), except for universal targets,
    whose Input is the request."""
    given = row["Target"].get("Input")
    if given or row["Target"]["Arn"].startswith(UNIVERSAL):
        return given or "{}"
    return json.dumps(router.event(world, scope, "aws.scheduler", "Scheduled Event", [row["Arn"]], "{}", due))
