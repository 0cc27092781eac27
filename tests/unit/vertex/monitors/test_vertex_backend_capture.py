"""What a serving container keeps of its traffic, and the watch that reads it again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from vertex_monitor_lab import CAPTURE, MonitorBench, until

from cloudml.runtime.drift import profile
from cloudml.serving.app import create_app
from cloudml_vertex.container import capture
from cloudml_vertex.container.bucket import Bucket
from cloudml_vertex.container.capture import Captured, Place, Recorder, settings, settings_uri
from cloudml_vertex.container.control import captured
from cloudml_vertex.container.control.captured import body

ENVIRONMENT = {"CLOUDML_CAPTURE": CAPTURE, "AIP_ENDPOINT_ID": "live", "AIP_DEPLOYED_MODEL_ID": "11"}
PROFILES = {"age": profile([1.0, 2.0]), "prediction": profile([1.0, 2.0])}


def recorder(bench: MonitorBench, share: float | None) -> Recorder:
    bench.store.put(settings_uri(CAPTURE, "live"), json.dumps(settings(share)).encode())
    place = Place.find(ENVIRONMENT)
    assert place is not None
    made = Recorder(place, bench.store)
    made.refresh()
    return made


def read(bench: MonitorBench) -> dict[str, Any]:
    now = datetime.now(UTC)
    window = (now - timedelta(minutes=5), now + timedelta(minutes=5))
    known = {name: one for name, one in PROFILES.items() if one is not None}
    return captured.read(bench.store, f"{CAPTURE}/live/11", window, known, ["age"]).document()


@pytest.mark.parametrize("missing", [*ENVIRONMENT])
def test_a_container_of_no_endpoint_keeps_nothing(missing: str) -> None:
    assert Place.find({key: value for key, value in ENVIRONMENT.items() if key != missing}) is None


def test_what_the_endpoint_wants_can_change_while_it_serves(
    bench: MonitorBench, capsys: pytest.CaptureFixture[str]
) -> None:
    made = recorder(bench, None)
    assert made.share == 0.0
    uri = settings_uri(CAPTURE, "live")
    bench.store.put(uri, json.dumps(settings(0.5)).encode())
    made.refresh()
    assert made.share == 0.5
    bench.store.put(uri, b"{")
    made.refresh()
    assert made.share == 0.5
    assert "could not be read" in capsys.readouterr().err


def test_the_thread_reads_the_settings_and_writes(bench: MonitorBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "SECONDS", 0.02)
    made = recorder(bench, 1.0)
    made.share = 0.0
    made.start()
    until(lambda: made.share == 1.0)
    made.take(b'[{"age": 1}]', "application/json", b"[1]", "application/json")
    until(lambda: read(bench)["requests"] == 1)
    made.stop()


@pytest.mark.parametrize(("share", "kept"), [(1.0, 20), (0.5, 10), (0.25, 5), (0.3, 6)])
def test_the_sample_is_spread_evenly(bench: MonitorBench, share: float, kept: int) -> None:
    made = recorder(bench, share)
    for number in range(20):
        made.take(json.dumps({"instances": [{"age": number}]}).encode(), "application/json",
                  b'{"predictions": [1.5]}', "application/json")  # fmt: skip
    made.stop()
    found = read(bench)
    assert (found["requests"], found["rows"], found["broken"], found["refused"]) == (kept, kept, 0, 0)
    assert found["columns"]["prediction"]["rows"] == kept


def test_what_cannot_be_written_is_written_later(bench: MonitorBench, capsys: pytest.CaptureFixture[str]) -> None:
    made = recorder(bench, 1.0)
    made.take(b'[{"age": 1}]', "application/json", b"[1]", "application/json")

    def refused(*_: Any, **__: Any) -> None:
        raise OSError("the bucket is not reached")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bucket, "put", refused)
        made.write()
    assert "1 captured requests could not be written" in capsys.readouterr().err
    made.stop()
    assert read(bench)["requests"] == 1


def test_memory_is_bounded(bench: MonitorBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "MOST", 3)
    monkeypatch.setattr(capture, "LONGEST", 10)
    made = recorder(bench, 1.0)
    for content in (b"[1]", b"[2]", b"[" + b"1" * 20 + b"]", b"[3]", b"[4]"):
        made.take(content, "application/json", b"[1]", "application/json")
    assert made.dropped == 2


def test_bodies_that_are_no_text_are_kept_as_base64(bench: MonitorBench) -> None:
    made = recorder(bench, 1.0)
    made.take(b"\x00\xff", "application/octet-stream", b"[1]", "application/json")
    made.stop()
    (uri,) = bench.store.list(f"{CAPTURE}/live/11/")
    line = json.loads(bench.store.get(uri))
    assert body(line["request"]) == b"\x00\xff"
    assert read(bench)["refused"] == 1


def test_the_server_s_predict_route_is_captured_and_nothing_else(bench: MonitorBench) -> None:
    """cloudml's own server, as Vertex AI asks it; what it refused is no traffic of the model's."""
    made = recorder(bench, 1.0)
    app = Captured(create_app(lambda rows: [1.0] * len(rows), model_version="1"), made, frozenset({"/predict"}))
    assert _ask(app, "POST", "/predict", b'{"instances": [{"age": 3}, {"age": 4}]}') == 200
    assert _ask(app, "POST", "/predict", b"{") == 400
    assert _ask(app, "GET", "/health", b"") == 200
    made.stop()
    found = read(bench)
    assert (found["requests"], found["rows"], found["broken"]) == (1, 2, 0)


def _ask(app: Any, verb: str, path: str, content: bytes) -> int:
    """One request by ASGI; the status of its answer."""
    scope = {
        "type": "http", "method": verb, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"content-type", b"application/json")], "scheme": "http", "http_version": "1.1",
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080),
    }  # fmt: skip
    told: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        told.append(message)

    asyncio.run(app(scope, receive, send))
    return int(told[0]["status"])
