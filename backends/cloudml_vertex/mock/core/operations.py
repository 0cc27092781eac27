"""The RPCs that the mock serves: a table that handlers enter by decorator; dispatch and the docs read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cloudml.mocks.store import Scope, Table
from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.times import stamp

if TYPE_CHECKING:
    from cloudml_vertex.mock.core.world import World

Document = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request, parsed strictly from its proto type.

    `version` is that of the API it came by ("v1", "v1beta1"; "" where a service has one only); `http` are the headers
    of a raw prediction; `stream` are the further messages of a streaming client.
    """

    world: World
    scope: Scope
    rpc: str
    params: Document
    version: str = "v1"
    principal: str = ""
    http: Mapping[str, str] = field(default_factory=dict)
    stream: Iterator[Document] = field(default_factory=lambda: iter(()))

    @cached_property
    def name(self) -> str:
        """The full name that the request is about, with the project's number; "" when it has none.

        It is `name`, or the name of the resource that an Update brings.
        """
        given = self.params.get("name")
        if not isinstance(given, str):
            inner = (one.get("name") for one in self.params.values() if isinstance(one, dict))
            given = next((one for one in inner if isinstance(one, str) and "/" in one), "")
        return names.canonical(self.world, given)

    @cached_property
    def parent(self) -> str:
        """The full name of the parent, with the project's number; "" when the request has none."""
        return names.canonical(self.world, str(self.params.get("parent", "")))

    def table(self, kind: str) -> Table:
        """The table of that kind in the request's project and location. Keys are full names."""
        return self.world.table(kind, self.scope)

    @property
    def now(self) -> float:
        """The clock's time in seconds since the epoch."""
        return self.world.now()

    @property
    def stamp(self) -> str:
        """The clock's time as documents have it."""
        return stamp(self.world.now())


Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Operation:
    """What is served. `executes` says in a few words what really happens; empty: the record is kept and given back."""

    rpc: str
    handler: Handler = field(repr=False)
    executes: str = ""
    locked: bool = True


OPERATIONS: dict[str, Operation] = {}


def rpc(name: str, *, executes: str = "", locked: bool = True) -> Callable[[Handler], Handler]:
    """Serve the RPC `name` ("PipelineService.CreatePipelineJob") with the decorated function, in every version that has
    it; `locked`: it runs under `World.lock`.

    The function gets a `Call` and gives back the response's document (None: Empty; an iterator of documents where the
    RPC streams). It raises `GoogleError` to refuse.
    """

    def enter(handler: Handler) -> Handler:
        if name in OPERATIONS and OPERATIONS[name].handler.__qualname__ != handler.__qualname__:
            raise RuntimeError(f"two handlers for {name}")
        OPERATIONS[name] = Operation(name, handler, executes, locked)
        return handler

    return enter
