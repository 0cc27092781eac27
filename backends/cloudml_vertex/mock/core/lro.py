"""Long-running operations: begun by a handler, done on the workers, kept in the store, polled by clients.

An operation's document is that of google.longrunning.Operation; what is to be done is kept in it, so that a mock that
is started again does it again. The works are therefore idempotent.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cloudml.mocks.bus import Change
from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.errors import GoogleError, internal, invalid, not_found
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, Document, rpc
from cloudml_vertex.mock.core.times import duration

if TYPE_CHECKING:
    from cloudml_vertex.mock.core.world import World

log = logging.getLogger(__name__)

KIND = "Operation"
_PREFIX = "type.googleapis.com/google.cloud.aiplatform."
_WAIT = 60.0
"""Real seconds that WaitOperation waits at most."""

Work = Callable[["World", str, Document], Document | None]
"""Called with the world, the operation's name and its arguments; gives the response (None: Empty), or raises
GoogleError, which becomes the operation's error."""


def register(world: World, kind: str, work: Work) -> None:
    """Say what is done for operations of that kind. In a room's `install`."""
    _works(world)[kind] = work


def begin(
    call: Call, *, on: str, metadata: str, response: str, work: tuple[str, Document], extra: Document | None = None
) -> Document:
    """Begin an operation on the resource `on`; the document to answer with.

    `metadata` and `response` are names of messages of aiplatform ("" or "Empty" for a response without content);
    `extra` is more of the metadata. Needs the world's lock.
    """
    world = call.world
    version = call.version or "v1"
    name = f"{on}/operations/{names.new_id(world, KIND)}"
    stamp = world.stamp()
    document: Document = {
        "name": name,
        "metadata": {
            "@type": f"{_PREFIX}{version}.{metadata}",
            **(extra or {}),
            "generic_metadata": {"create_time": stamp, "update_time": stamp},
        },
        "create_time": stamp,
        "_work": list(work),
        "_response": "" if response in {"", "Empty"} else f"{_PREFIX}{version}.{response}",
    }
    fault = world.faults.strike("lro", call.rpc, call.rpc.partition(".")[2], on)
    kind = fault.kind if fault is not None else ""
    if kind:
        document["_fault"] = kind
    world.table(KIND, call.scope).put(name, document)
    if kind == "operation-slow" and fault is not None:
        world.clock.call_in(fault.seconds or 60.0, lambda: _submit(world, call.scope, name), name)
    elif kind != "operation-hang":
        _submit(world, call.scope, name)
    return dict(document)


def resume(world: World) -> None:
    """Go on with what a store from before holds unfinished. After every room was installed."""
    for table in world.store.tables(KIND):
        for name, document in table.items():
            if not document.get("done") and document.get("_fault") != "operation-hang":
                _submit(world, table.scope, name)


def report(world: World, scope: Scope, name: str, **metadata: Any) -> None:
    """Tell of progress in an operation's metadata. Needs the world's lock."""
    table = world.table(KIND, scope)
    document = table.get(name)
    if document is not None and not document.get("done"):
        document["metadata"].update(metadata)
        document["metadata"]["generic_metadata"]["update_time"] = world.stamp()
        table.put(name, document)


def _works(world: World) -> dict[str, Work]:
    found: dict[str, Work] = world.rooms.setdefault("lro", {})
    return found


def _ended(world: World) -> threading.Condition:
    found: threading.Condition = world.rooms.setdefault("lro-ended", threading.Condition())
    return found


def _submit(world: World, scope: Scope, name: str) -> None:
    world.workers.submit(lambda: _run(world, scope, name), name)


def _run(world: World, scope: Scope, name: str) -> None:
    table = world.table(KIND, scope)
    with world.lock:
        document = table.get(name)
        if document is None or document.get("done"):
            return
        kind, arguments = document["_work"]
        fault = document.get("_fault", "")
    try:
        response = _failing() if fault == "operation-fails" else _works(world)[kind](world, name, arguments)
    except Exception as error:
        if world.closing.is_set():  # what failed may have failed for that: it is done again at the next start
            return
        if isinstance(error, GoogleError):
            _end(world, scope, name, {"error": error.status()})
            return
        log.exception("the operation %s failed inside the mock", name)
        _end(world, scope, name, {"error": internal(f"{type(error).__name__}: {error}").status()})
        return
    if world.closing.is_set() and response is None:
        return
    public = {key: value for key, value in (response or {}).items() if not key.startswith("_")}
    kind_of = document["_response"] or "type.googleapis.com/google.protobuf.Empty"
    _end(world, scope, name, {"response": {"@type": kind_of, **public}}, lost=fault == "operation-lost")


def _failing() -> Document:
    raise internal()


def _end(world: World, scope: Scope, name: str, outcome: Document, *, lost: bool = False) -> None:
    table = world.table(KIND, scope)
    with world.lock:
        document = table.get(name)
        if document is None:
            return
        document.update(outcome, done=True)
        document["metadata"]["generic_metadata"]["update_time"] = world.stamp()
        if lost:
            table.delete(name)
        else:
            table.put(name, document)
        world.bus.publish(Change(KIND, scope, name, "", "DONE", document))
    ended = _ended(world)
    with ended:
        ended.notify_all()


def _found(call: Call) -> Document:
    table = call.table(KIND)
    found = table.get(call.name)
    if found is None and "/operations/" in call.name:
        # A resource's operation may be asked for below its project and location alone.
        tail = f"/operations/{names.id_of(call.name)}"
        found = next((row for key, row in table.items() if key.endswith(tail)), None)
    if found is None:
        raise not_found(call.name)
    return found


@rpc("Operations.GetOperation")
def get_operation(call: Call) -> Document:
    """The operation as it stands."""
    return dict(_found(call))


@rpc("Operations.ListOperations")
def list_operations(call: Call) -> Document:
    """Operations below a resource, or below a location."""
    rows = [row for key, row in call.table(KIND).items() if key.startswith(f"{call.name}/")]
    return listed(call, rows, "operations", filters={"done": lambda row: bool(row.get("done")), "name": "name"})


@rpc("Operations.WaitOperation", locked=False)
def wait_operation(call: Call) -> Document:
    """Wait until it is done, or the request's time-out is over."""
    limit = min(duration(call.params["timeout"]) if "timeout" in call.params else _WAIT, _WAIT)

    def done() -> bool:
        with call.world.lock:
            return bool(_found(call).get("done")) or call.world.closing.is_set()

    ended = _ended(call.world)
    with ended:
        ended.wait_for(done, limit)
    with call.world.lock:
        return dict(_found(call))


@rpc("Operations.CancelOperation")
def cancel_operation(call: Call) -> None:
    """Best effort, says google.longrunning: here what has begun goes on, and a work that hangs ends as CANCELLED."""
    found = _found(call)
    if not found.get("done") and found.get("_fault") == "operation-hang":
        found.update(done=True, error=GoogleError("CANCELLED", "The operation was cancelled.").status())
        call.table(KIND).put(found["name"], found)


@rpc("Operations.DeleteOperation")
def delete_operation(call: Call) -> None:
    """Forget the result of an operation that is done."""
    found = _found(call)
    if not found.get("done"):
        raise invalid(f"The operation {found['name']!r} is not done.")
    call.table(KIND).delete(found["name"])
