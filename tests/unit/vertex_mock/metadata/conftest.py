"""A world in which the room `metadata` stands, and a gRPC server that asks it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloudml.mocks.bus import Bus
from cloudml.mocks.clock import HeldClock
from cloudml.mocks.faults import Faults
from cloudml.mocks.images import ImageMap
from cloudml.mocks.store import Scope, Store
from cloudml.mocks.switches import Switches
from cloudml.mocks.workers import Workers
from cloudml_vertex.mock import metadata
from cloudml_vertex.mock.core import catalog, dispatch, doubts, faultkinds, lro, wire
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.world import World

HERE = Scope("123456789", "us-central1")
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    clock = HeldClock(datetime(2026, 11, 1, 12, tzinfo=UTC))
    made = World(
        store=Store(tmp_path / "state.db"),
        clock=clock,
        bus=Bus(clock),
        workers=Workers(clock, 2),
        faults=Faults(faultkinds.KINDS),
        switches=Switches(doubts.SWITCHES),
        images=ImageMap(()),
        sandbox=None,  # type: ignore[arg-type]  # no job runs here
        folder=tmp_path,
    )
    metadata.install(made)
    yield made
    made.workers.close()
    clock.close()
    made.store.close()


@pytest.fixture
def ask(world: World) -> Ask:
    """`ask("CreateContext", parent=...)`: an RPC of MetadataService, or of another when it is named."""

    def call(method: str, **params: Any) -> dict[str, Any]:
        rpc = method if "." in method else f"MetadataService.{method}"
        return world.call(HERE, rpc, params)

    return call


@pytest.fixture
def ended(world: World) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The document of an operation that has come to its end."""

    def wait(operation: dict[str, Any]) -> dict[str, Any]:
        until = time.monotonic() + 5
        while time.monotonic() < until:
            with world.lock:
                found = dict(world.table(lro.KIND, HERE)[operation["name"]])
            if found.get("done"):
                return found
            time.sleep(0.005)
        raise AssertionError("the operation does not end")

    return wait


@pytest.fixture
def grpc_address(world: World) -> Iterator[str]:
    """The room behind gRPC without TLS."""
    import grpc

    class Front(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            found = catalog.find(details.method)

            def answer(request: Any, context: Any) -> Any:
                try:
                    document = dispatch.serve(world, found.rpc, request, found.version)
                except GoogleError as error:
                    context.abort(getattr(grpc.StatusCode, error.code), error.message)
                return wire.message(document or {}, found.response)

            return grpc.unary_unary_rpc_method_handler(
                answer, found.request.FromString, lambda message: message.SerializeToString()
            )

    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, handlers=(Front(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()
