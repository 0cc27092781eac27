"""The control interface, `/cloudml-mock/...`: what a test tells the mock itself. JSON in, JSON out, unsigned."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cloudml.errors import MockError
from cloudml.mocks.clock import HeldClock
from cloudml.mocks.faults import Fault
from cloudml_sagemaker.mock.core.operations import OPERATIONS
from cloudml_sagemaker.mock.core.store import Scope, Store
from cloudml_sagemaker.mock.core.world import World, iso
from cloudml_sagemaker.mock.face.incoming import Incoming
from cloudml_sagemaker.mock.face.passed import PASSED
from cloudml_sagemaker.mock.face.replies import Reply, as_json

PREFIX = "/cloudml-mock/"
KEPT = "_clock"
"""The table of the held clock's time."""

Document = dict[str, Any]
Reset = Callable[[], None]
Handler = Callable[[World, Document], Document]


def wanted(incoming: Incoming) -> bool:
    """Whether the request is for the mock itself: unsigned, at `/` or below the prefix."""
    if incoming.service or incoming.target:
        return False
    return incoming.path.startswith(PREFIX) or (
        incoming.path == "/" and incoming.method == "GET" and not incoming.environ.get("QUERY_STRING")
    )


def answer(incoming: Incoming, world: World, reset: Reset) -> Reply:
    """Do what is asked. What is wrong with it is told with 400, what there is not with 404."""
    path = incoming.path.removeprefix(PREFIX).strip("/") if incoming.path != "/" else ""
    methods = {method: handler for (method, where), handler in _ROUTES.items() if where == path}
    handler = methods.get(incoming.method)
    if not methods:
        paths = sorted({where for _, where in _ROUTES if where})
        return _json({"message": f"There is no {incoming.path}.", "paths": [PREFIX + where for where in paths]}, 404)
    if handler is None:
        return _json({"message": f"{incoming.path} takes {', '.join(sorted(methods))}."}, 405)
    return _handled(incoming, world, _Resetting(reset) if handler is _do_reset else handler)


def _handled(incoming: Incoming, world: World, handler: Handler) -> Reply:
    try:
        return _json(handler(world, dict(incoming.json())))
    except MockError as error:
        return _json({"message": error.message, "hint": error.hint, "code": error.code}, 400)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        return _json({"message": f"The request is wrong: {type(error).__name__}: {error}"}, 400)


def _json(document: Document, status: int = 200) -> Reply:
    return as_json(document, status, "application/json")


def _about(world: World, _body: Document) -> Document:
    return {
        "name": "cloudml mock sagemaker",
        "about": "A SageMaker that executes, on this machine. Point AWS_ENDPOINT_URL here.",
        "url": world.url,
        **_isolation(world, {}),
        "control": [f"{method} {PREFIX}{path}" for method, path in _ROUTES if path],
    }


def _health(world: World, _body: Document) -> Document:
    return {"status": "ok", "url": world.url}


def _do_reset(_world: World, _body: Document) -> Document:
    return {"status": "ok"}


@dataclasses.dataclass(frozen=True)
class _Resetting:
    reset: Reset

    def __call__(self, world: World, body: Document) -> Document:
        self.reset()
        return _do_reset(world, body)


def _isolation(world: World, _body: Document) -> Document:
    return {"isolation": world.sandbox.kind, "reason": world.sandbox.reason}


def _operations(_world: World, _body: Document) -> Document:
    owned = [
        {"name": name, "service": one.service, "executes": one.executes} for name, one in sorted(OPERATIONS.items())
    ]
    return {"served": owned, "passed": dict(sorted(PASSED.items()))}


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
    return {"now": iso(world.now()), "epoch": world.now(), "held": isinstance(world.clock, HeldClock)}


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
        world.table(KEPT, Scope("", "")).put("held", {"now": world.now()})


def kept_time(store: Store) -> datetime | None:
    """The time that was written down; None when there is none."""
    kept = store.table(KEPT, Scope("", "")).get("held")
    return datetime.fromtimestamp(kept["now"], UTC) if kept is not None else None


_ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", ""): _about,
    ("GET", "health"): _health,
    ("POST", "reset"): _do_reset,
    ("GET", "operations"): _operations,
    ("GET", "isolation"): _isolation,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "switches"): _switches,
    ("POST", "switches"): _choose,
    ("GET", "clock"): _clock,
    ("POST", "clock/advance"): _advance,
}
