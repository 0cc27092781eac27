"""The control interface, `/cloudml-mock/...`: what a test tells a mock itself. JSON in, JSON out.

It is of every mock cloud; a `Subject` says what is its own.
"""

from __future__ import annotations

import dataclasses
import json
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from cloudml.errors import MockError
from cloudml.mocks.clock import Clock, HeldClock
from cloudml.mocks.faults import Fault, Faults
from cloudml.mocks.sandbox import Sandbox
from cloudml.mocks.store import Scope, Store
from cloudml.mocks.switches import Switches

PREFIX = "/cloudml-mock/"
KEPT = "_clock"
"""The table of the held clock's time."""

Document = dict[str, Any]


class World(Protocol):
    """What the control interface needs of a mock's world."""

    store: Store
    clock: Clock
    faults: Faults
    switches: Switches
    sandbox: Sandbox
    url: str
    lock: threading.RLock


Handler = Callable[[World, Document], Document]


@dataclass(frozen=True)
class Subject:
    """A mock cloud as its control interface tells of it. `served`: what GET operations answers."""

    name: str
    about: str
    served: Callable[[], Document]
    reset: Callable[[], None]


def answer(subject: Subject, world: World, method: str, path: str, body: bytes) -> tuple[Document, int]:
    """Do what is asked at `path` (`/` or below the prefix); the answer, and its HTTP status.

    What is wrong with it is told with 400, what there is not with 404.
    """
    place = path.removeprefix(PREFIX).strip("/") if path != "/" else ""
    methods = {verb: handler for (verb, where), handler in _routes(subject).items() if where == place}
    handler = methods.get(method)
    if not methods:
        paths = sorted({where for _, where in _routes(subject) if where})
        return {"message": f"There is no {path}.", "paths": [PREFIX + where for where in paths]}, 404
    if handler is None:
        return {"message": f"{path} takes {', '.join(sorted(methods))}."}, 405
    try:
        return handler(world, dict(json.loads(body or b"{}"))), 200
    except MockError as error:
        return {"message": error.message, "hint": error.hint, "code": error.code}, 400
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        return {"message": f"The request is wrong: {type(error).__name__}: {error}"}, 400


def _routes(subject: Subject) -> dict[tuple[str, str], Handler]:
    def about(world: World, _body: Document) -> Document:
        control = [f"{method} {PREFIX}{path}" for method, path in _routes(subject) if path]
        told = {"name": subject.name, "about": subject.about, "url": world.url}
        return {**told, **_isolation(world, {}), "control": control}

    def reset(_world: World, _body: Document) -> Document:
        subject.reset()
        return {"status": "ok"}

    def operations(_world: World, _body: Document) -> Document:
        return subject.served()

    own: dict[tuple[str, str], Handler] = {
        ("GET", ""): about,
        ("POST", "reset"): reset,
        ("GET", "operations"): operations,
    }
    return own | _ROUTES


def _health(world: World, _body: Document) -> Document:
    return {"status": "ok", "url": world.url}


def _isolation(world: World, _body: Document) -> Document:
    return {"isolation": world.sandbox.kind, "reason": world.sandbox.reason}


def _faults(world: World, _body: Document) -> Document:
    rules = [{**dataclasses.asdict(rule), "struck": struck} for rule, struck in world.faults.rules()]
    kinds = {kind.name: {"place": kind.place, "about": kind.about} for kind in world.faults.kinds.values()}
    return {"faults": rules, "kinds": kinds}


def _add_fault(world: World, body: Document) -> Document:
    """`{"rule": TEXT}`, or the members of a rule one by one."""
    known = {field.name for field in dataclasses.fields(Fault)}
    if "rule" in body:
        world.faults.add(world.faults.parse(str(body["rule"])))
    elif "kind" in body and set(body) <= known:
        world.faults.add(_checked(Fault(**body)))
    else:
        raise ValueError(f'send {{"rule": TEXT}}, or some of {", ".join(sorted(known))}')
    return _faults(world, {})


def _checked(fault: Fault) -> Fault:
    numbers = (fault.after, fault.seed, fault.probability, fault.seconds, fault.count or 0)
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        raise ValueError("count, after, probability, seed and seconds are numbers")
    if not isinstance(fault.kind, str) or not isinstance(fault.pattern, str):
        raise TypeError("kind and pattern are texts")
    return fault


def _clear_faults(world: World, _body: Document) -> Document:
    world.faults.clear()
    return _faults(world, {})


def _switches(world: World, _body: Document) -> Document:
    return {"switches": world.switches.in_force()}


def _choose(world: World, body: Document) -> Document:
    """`{NAME: CHOICE, ...}`: all or none."""
    before = world.switches.in_force()
    try:
        for name, choice in body.items():
            world.switches.set(name, str(choice))
    except MockError:
        for name, choice in before.items():
            world.switches.set(name, choice)
        raise
    return _switches(world, {})


def _clock(world: World, _body: Document) -> Document:
    return {"now": _iso(_now(world)), "epoch": _now(world), "held": isinstance(world.clock, HeldClock)}


def _now(world: World) -> float:
    """Seconds since the epoch, to the millisecond."""
    return round(world.clock.now().timestamp(), 3)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _advance(world: World, body: Document) -> Document:
    """`{"seconds": N}`."""
    if not isinstance(world.clock, HeldClock):
        raise MockError("the clock is real", hint="start the mock with --hold-clock")
    seconds = float(body.get("seconds", 0))
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError("seconds is a number that is not negative")
    world.clock.advance(seconds)
    keep_time(world)
    return _clock(world, {})


def keep_time(world: World) -> None:
    """Write a held clock's time down: a mock that goes on from its state goes on from there."""
    with world.lock:
        world.store.table(KEPT, Scope("", "")).put("held", {"now": _now(world)})


def kept_time(store: Store) -> datetime | None:
    """The time that was written down; None when there is none."""
    kept = store.table(KEPT, Scope("", "")).get("held")
    return datetime.fromtimestamp(kept["now"], UTC) if kept is not None else None


_ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "health"): _health,
    ("GET", "isolation"): _isolation,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "switches"): _switches,
    ("POST", "switches"): _choose,
    ("GET", "clock"): _clock,
    ("POST", "clock/advance"): _advance,
}
