"""What both fronts do with a request: faults, the handler, the response's message."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from cloudml_vertex.mock.core import times, wire
from cloudml_vertex.mock.core.catalog import Method
from cloudml_vertex.mock.core.dispatch import serve
from cloudml_vertex.mock.core.errors import GoogleError, internal, not_found, resource_exhausted
from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.core.world import World

_BUILDING = 120.0
"""Real seconds that a request waits for the world to be put together, or together again."""
_STALE = 2.0


class Gate:
    """Where the fronts find the world; requests wait while there is none."""

    def __init__(self) -> None:
        self._world: World | None = None
        self._there = threading.Event()

    def enter(self, world: World) -> None:
        """Answer for this world from now on."""
        self._world = world
        self._there.set()

    def leave(self) -> None:
        """The world is about to go: let requests wait."""
        self._there.clear()

    def world(self) -> World:
        """The world. Raises GoogleError (UNAVAILABLE) when there is none for long."""
        if not self._there.wait(_BUILDING) or self._world is None:
            raise GoogleError("UNAVAILABLE", "The mock is being put together.")
        return self._world


class Lost(Exception):
    """The request took effect, and its answer is not to arrive."""


def answer(
    world: World,
    method: Method,
    message: Any,
    *,
    principal: str = "",
    http: Mapping[str, str] | None = None,
    stream: Iterator[Document] | None = None,
    headers: dict[str, str] | None = None,
) -> Any:
    """The response's message, or an iterator of messages where the RPC streams. Raises GoogleError, Lost.

    `headers` gets what is to be told beside the message (a document's `_headers`).
    """
    lost = bool(world.faults.rules()) and _strike(world, method)
    result = serve(world, method.rpc, message, method.version, principal=principal, http=http, stream=stream)
    if lost:
        raise Lost
    if method.server_streaming:
        return (_message(one, method) for one in result)
    if headers is not None and result:
        headers.update(result.get("_headers", {}))
    if world.faults.rules():
        result = _fresh(world, method, result)
    return _message(result or {}, method)


def _message(result: Document, method: Method) -> Any:
    try:
        return wire.message(result, method.response)
    except ValueError as error:
        raise internal(f"{method.rpc} answered what its type does not know: {error}") from error


def _strike(world: World, method: Method) -> bool:
    """Let the faults of the API strike; whether the answer is lost. Raises GoogleError."""
    fault = world.faults.strike("operation", method.name, method.rpc)
    if fault is None:
        return False
    if fault.kind == "throttle":
        raise resource_exhausted(f"Quota exceeded for requests of {method.name} per minute.")
    if fault.kind == "internal-error":
        raise internal()
    if fault.kind == "unavailable":
        raise GoogleError("UNAVAILABLE", "The service is currently unavailable.")
    if fault.kind == "latency":
        world.closing.wait(fault.seconds or 1.0)
    return fault.kind == "lost-response"


def _fresh(world: World, method: Method, result: Document | None) -> Document | None:
    """What a stale read sees: nothing that is younger than the fault's seconds."""
    if not method.name.startswith(("Get", "List")) or not isinstance(result, dict):
        return result
    fault = world.faults.strike("read", method.name, method.rpc)
    if fault is None:
        return result
    limit = world.now() - (fault.seconds or _STALE)
    if method.name.startswith("Get"):
        if _is_young(result, limit):
            raise not_found(str(result.get("name", "")))
        return result
    return {
        key: [row for row in value if not _is_young(row, limit)] if isinstance(value, list) else value
        for key, value in result.items()
    }


def _is_young(row: Any, limit: float) -> bool:
    made = row.get("create_time") if isinstance(row, dict) else None
    return isinstance(made, str) and times.seconds(made) > limit
