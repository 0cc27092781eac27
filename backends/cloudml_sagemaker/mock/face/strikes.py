"""Faults of the API: throttling, 5xx, answers that get lost, reads that do not see what was just created."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core.errors import AwsError, internal
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.face.incoming import EC2, QUERY

STALE = 2.0
"""Seconds of the mock's clock for which a `stale` rule without `seconds` hides what was created."""
REMEMBERED = 900.0

Serve = Callable[[dict[str, Any]], dict[str, Any]]


def _throttled(service: str, protocol: str) -> AwsError:
    if service == "s3":
        return AwsError("SlowDown", "Please reduce your request rate.", 503)
    return AwsError("Throttling" if protocol in {QUERY, EC2} else "ThrottlingException", "Rate exceeded")


_BEFORE: Mapping[str, Callable[[str, str], AwsError]] = {
    "throttle": _throttled,
    "internal-error": lambda _service, _protocol: internal(),
    "unavailable": lambda _service, _protocol: AwsError(
        "ServiceUnavailable", "The request has failed due to a temporary failure of the server.", 503
    ),
}


def strike(world: World, service: str, operation: str, protocol: str) -> bool:
    """Let a rule strike an operation of any service. Raises the fault; True when the answer is to be lost."""
    if not world.faults.rules():
        return False
    subjects = (f"{service}:{operation}", *((operation,) if service == "sagemaker" else ()))
    fault = world.faults.strike("operation", *subjects)
    if fault is None:
        return False
    if fault.kind in _BEFORE:
        raise _BEFORE[fault.kind](service, protocol)
    return fault.kind == "lost-response"


@dataclass
class Fresh:
    """What was created a moment ago, by kind ("ProcessingJob"): reads may not see it yet."""

    _made: list[tuple[float, Scope, str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def created(self, world: World, scope: Scope, operation: str, params: Mapping[str, Any]) -> None:
        """Remember what a Create operation made."""
        if not operation.startswith("Create") or not world.faults.rules():
            return
        kind = operation.removeprefix("Create")
        name = params.get(f"{kind}Name")
        if isinstance(name, str):
            with self._lock:
                now = world.now()
                self._made = [made for made in self._made if now - made[0] < REMEMBERED]
                self._made.append((now, scope, kind, name))

    def read(self, world: World, scope: Scope, operation: str, params: dict[str, Any], serve: Serve) -> dict[str, Any]:
        """Serve a request; a Describe or List that a `stale` rule strikes does not see what is fresh."""
        verb = next((verb for verb in ("Describe", "List") if operation.startswith(verb)), "")
        if not verb or not self._made:
            return serve(params)
        kind = operation.removeprefix(verb).removesuffix("s") if verb == "List" else operation.removeprefix(verb)
        with self._lock:
            candidates = [made for made in self._made if made[1] == scope and made[2] == kind]
        if verb == "Describe":
            candidates = [made for made in candidates if _named(params, kind, made[3])]
        if not candidates:
            return serve(params)
        fault = world.faults.strike("read", operation, f"sagemaker:{operation}")
        if fault is None:
            return serve(params)
        age = fault.seconds or STALE
        hidden = {made[3] for made in candidates if world.now() - made[0] < age}
        if not hidden:
            return serve(params)
        if verb == "Describe":
            return _unseen(params, kind, hidden.pop(), serve)
        return _without(serve(params), f"{kind}Name", hidden)


def _named(params: Mapping[str, Any], kind: str, name: str) -> bool:
    given = params.get(f"{kind}Name")
    return isinstance(given, str) and (given == name or given.endswith(f"/{name}"))


def _unseen(params: dict[str, Any], kind: str, name: str, serve: Serve) -> dict[str, Any]:
    """The refusal that the operation gives for a name that does not exist, with the name that was asked for."""
    other = name[:-1] + ("q" if name[-1] != "q" else "x")
    member = f"{kind}Name"
    try:
        return serve({**params, member: params[member][: -len(name)] + other})
    except AwsError as error:
        raise AwsError(error.code, error.message.replace(other, name), error.status) from None


def _without(result: dict[str, Any], member: str, hidden: set[str]) -> dict[str, Any]:
    def kept(item: Any) -> bool:
        return not (isinstance(item, dict) and item.get(member) in hidden)

    return {
        key: [item for item in value if kept(item)] if isinstance(value, list) else value
        for key, value in result.items()
    }
