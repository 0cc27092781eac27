"""A storage server over a folder, and the clients that talk to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from cloudml.mocks.bus import Bus
from cloudml.mocks.clock import HeldClock
from cloudml.mocks.faults import Faults
from cloudml.mocks.http.serving import Server
from cloudml.mocks.images import ImageMap
from cloudml.mocks.store import Store
from cloudml.mocks.switches import Switches
from cloudml.mocks.workers import Workers
from cloudml_vertex.mock.core import doubts, faultkinds
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.storage import app, install

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Reply:
    """What came back: status, headers by lower-case names, body."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """Of an error, in Google's envelope."""
        return str(self.json["error"]["errors"][0]["reason"])


Ask = Callable[..., Reply]


def build_world(folder: Path) -> World:
    clock = HeldClock(START)
    return World(
        store=Store(folder / "state.db"),
        clock=clock,
        bus=Bus(clock),
        workers=Workers(clock, 2),
        faults=Faults(faultkinds.KINDS),
        switches=Switches(doubts.SWITCHES),
        images=ImageMap(()),
        sandbox=None,  # type: ignore[arg-type]  # no job runs here
        folder=folder,
    )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    install(made)
    yield made
    made.clock.close()
    made.store.close()


@pytest.fixture
def server(world: World) -> Iterator[str]:
    running = Server(app(world))
    running.start()
    yield f"http://127.0.0.1:{running.port}"
    running.stop()


@pytest.fixture
def ask(server: str) -> Iterator[Ask]:
    """`ask(method, target, body, **headers)`: one raw request; a dict is sent as JSON."""
    connection = HTTPConnection(server.removeprefix("http://"), timeout=10)

    def send(method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        connection.request(method, target.removeprefix(server), data, headers or {})
        answer = connection.getresponse()
        return Reply(answer.status, answer.getheaders(), answer.read())

    yield send
    connection.close()


@pytest.fixture
def bucket(ask: Ask) -> str:
    assert ask("POST", "/storage/v1/b?project=acme-data", {"name": "data"}).status == 200
    return "data"
