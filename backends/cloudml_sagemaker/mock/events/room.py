"""What the room keeps in memory: the rules of each account and region as moto has them, and the timers of schedules."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cloudml.mocks.clock import Timer
from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.events import patterns


@dataclass(frozen=True)
class Rule:
    """An EventBridge rule with its targets. `pattern` is None for a rule that only has a schedule."""

    name: str
    arn: str
    bus: str
    enabled: bool
    pattern: patterns.Pattern | None
    schedule: str | None
    targets: tuple[dict[str, Any], ...]


@dataclass
class Room:
    """`rules` are read from moto once, and again after `forget`."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    rules: dict[Scope, tuple[Rule, ...]] = field(default_factory=dict)
    timers: dict[tuple[Scope, str], Timer] = field(default_factory=dict)
    scanning: threading.RLock = field(default_factory=threading.RLock)


def room(world: World) -> Room:
    """The room's memory in this world."""
    found: Room = world.rooms.setdefault("events", Room())
    return found


def rules(world: World, scope: Scope) -> tuple[Rule, ...]:
    """The rules of every event bus of an account and region."""
    memory = room(world)
    with memory.lock:
        known = memory.rules.get(scope)
    if known is None:
        known = tuple(_read(world, scope))
        with memory.lock:
            memory.rules[scope] = known
    return known


def has_patterns(world: World, scope: Scope) -> bool:
    """Whether any rule waits for events at all."""
    return any(rule.pattern is not None for rule in rules(world, scope))


def forget(world: World, scope: Scope) -> None:
    """The rules have changed: read them again when they are needed."""
    memory = room(world)
    with memory.lock:
        memory.rules.pop(scope, None)


def _read(world: World, scope: Scope) -> Iterator[Rule]:
    client = world.aws.client("events", scope)
    for bus in pages(client.list_event_buses, "EventBuses"):
        name = bus["Name"]
        for rule in pages(client.list_rules, "Rules", EventBusName=name):
            targets = pages(client.list_targets_by_rule, "Targets", Rule=rule["Name"], EventBusName=name)
            yield Rule(
                name=rule["Name"],
                arn=rule["Arn"],
                bus=name,
                enabled=rule.get("State", "ENABLED") != "DISABLED",
                pattern=_pattern(rule.get("EventPattern")),
                schedule=rule.get("ScheduleExpression"),
                targets=tuple(targets),
            )


def _pattern(text: str | None) -> patterns.Pattern | None:
    if not text:
        return None
    try:
        return patterns.load(text)
    except patterns.BadPattern:
        return {"id": [None]}  # moto took what AWS refuses: it matches nothing


def pages(call: Any, key: str, **params: Any) -> Iterator[dict[str, Any]]:
    """Every item of a list operation of moto's."""
    token: str | None = None
    while True:
        answer = call(**params, **({"NextToken": token} if token else {}))
        yield from answer.get(key, [])
        token = answer.get("NextToken")
        if not token:
            return
