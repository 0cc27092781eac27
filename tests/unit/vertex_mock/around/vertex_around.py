"""A world without servers whose clock the tests hold, and a bare gRPC server for Google's own clients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import grpc

from cloudml.mocks.bus import Bus
from cloudml.mocks.clock import HeldClock
from cloudml.mocks.faults import Faults
from cloudml.mocks.store import Scope, Store
from cloudml.mocks.switches import Switches
from cloudml.mocks.workers import Workers
from cloudml_vertex.mock.core import catalog, wire
from cloudml_vertex.mock.core.dispatch import serve
from cloudml_vertex.mock.core.doubts import SWITCHES
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.faultkinds import KINDS
from cloudml_vertex.mock.core.world import World

BEGIN = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
T0 = BEGIN.timestamp()
PROJECT = "my-project"
LOCATION = "us-central1"


class Lab:
    """A world with some rooms and what tests do with it. `folder` keeps the state."""

    def __init__(self, folder: Path, *rooms: ModuleType) -> None:
        self.folder = folder
        self.rooms = rooms
        self.world = self._open(BEGIN)
        self.number = self.world.project_number(PROJECT)
        self.scope = Scope(self.number, LOCATION)

    def _open(self, at: datetime) -> World:
        clock = HeldClock(at)
        nothing: Any = None
        world = World(
            store=Store(self.folder / "state.db"),
            clock=clock,
            bus=Bus(clock),
            workers=Workers(clock, 4),
            faults=Faults(KINDS),
            switches=Switches(SWITCHES),
            images=nothing,
            sandbox=nothing,
            folder=self.folder,
        )
        for room in self.rooms:
            room.install(world)
        world.bus.start()
        return world

    def call(self, rpc: str, version: str = "v1", **params: Any) -> dict[str, Any]:
        return self.world.call(self.scope, rpc, params, version)

    def refused(self, rpc: str, code: str, version: str = "v1", **params: Any) -> str:
        """The message of the refusal with that code."""
        try:
            self.call(rpc, version, **params)
        except GoogleError as error:
            assert error.code == code, error  # noqa: PT017
            return error.message
        raise AssertionError(f"{rpc} was not refused")

    def advance(self, seconds: float) -> None:
        cast("HeldClock", self.world.clock).advance(seconds)

    def close(self) -> None:
        world = self.world
        world.closing.set()
        world.clock.close()
        world.workers.close()
        world.workers.join(10)
        world.bus.close()
        world.store.close()

    def reopen(self) -> None:
        """As if the mock had been killed and started again at the same time of the clock."""
        now = self.world.clock.now()
        self.close()
        self.world = self._open(now)


def mask(path: str) -> str:
    """A field mask as JSON has it."""
    return re.sub(r"_([a-z])", lambda letter: letter[1].upper(), path)


class _Front(grpc.GenericRpcHandler):
    """Every RPC of the catalog, handed to dispatch."""

    def __init__(self, world: World) -> None:
        self._world = world

    def service(self, details: Any) -> Any:
        method = catalog.find(details.method)
        if method is None:
            return None
        codec = {
            "request_deserializer": method.request.FromString,
            "response_serializer": lambda found: wire.message(found or {}, method.response).SerializeToString(),
        }
        if method.client_streaming:
            return grpc.stream_stream_rpc_method_handler(lambda it, ctx: self._stream(method, it, ctx), **codec)
        return grpc.unary_unary_rpc_method_handler(lambda one, ctx: self._serve(method, one, ctx), **codec)

    def _serve(self, method: Any, message: Any, context: Any, **more: Any) -> Any:
        try:
            return serve(self._world, method.rpc, message, method.version, **more)
        except GoogleError as error:
            context.abort(next(code for code in grpc.StatusCode if code.name == error.code), error.message)

    def _stream(self, method: Any, messages: Any, context: Any) -> Iterator[Any]:
        first = next(messages)
        yield from self._serve(method, first, context, stream=(wire.document(one) for one in messages))


@contextmanager
def served(world: World) -> Iterator[str]:
    """The address of a server of the world."""
    pool = ThreadPoolExecutor(8)
    server = grpc.server(pool, handlers=[_Front(world)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        world.closing.set()
        server.stop(None).wait()
        pool.shutdown()
