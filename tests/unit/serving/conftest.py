"""A caller for ASGI applications, and real server processes on loopback."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Sends requests to an application in this process, all in one event loop."""

    app: Any

    def __call__(
        self, method: str, path: str, body: bytes | object = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        return asyncio.run(self.send(method, path, body, headers))

    async def send(
        self, method: str, path: str, body: bytes | object = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }
        sent: list[dict[str, Any]] = []
        messages = iter([{"type": "http.request", "body": content, "more_body": False}])

        async def receive() -> dict[str, Any]:
            return next(messages, {"type": "http.disconnect"})

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        received = {k.decode().lower(): v.decode() for k, v in sent[0]["headers"]}
        return Answer(sent[0]["status"], received, b"".join(m.get("body", b"") for m in sent[1:]))


@pytest.fixture
def client() -> Callable[..., Client]:
    from cloudml.serving.app import create_app

    def make(predict: Any, **options: Any) -> Client:
        return Client(create_app(predict, **{"model_version": "3", **options}))

    return make


@dataclass
class Server:
    """One `python -m cloudml.serving` process."""

    process: subprocess.Popen[str]
    ready_file: Path
    log: Path

    def wait_ready(self, seconds: float = 120) -> int:
        deadline = time.monotonic() + seconds
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        return int(json.loads(self.ready_file.read_text())["port"])

    def request(self, port: int, method: str, path: str, body: object = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, path, content, {"content-type": "application/json"} if content else {})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a predictor `stub:predict`, beside a model that doubles."""
    folder = tmp_path / "my prójekt"
    folder.mkdir()
    (folder / "stub.py").write_text(
        "import time\n"
        "def predict(model, rows):\n"
        "    for row in rows:\n"
        "        time.sleep(row.get('sleep') or 0)\n"
        "    return [row['x'] * model['factor'] for row in rows]\n"
        "def slow_start(model, rows):\n"
        "    time.sleep(1.0)\n"
        "    return predict(model, rows)\n"
        "def wrong_count(model, rows):\n"
        "    return [0.5]\n"
    )
    import joblib  # type: ignore[import-untyped]

    joblib.dump({"factor": 2}, folder / "model.joblib")
    return folder


@pytest.fixture
def serve(tmp_path: Path, project: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(
        *arguments: str,
        predictor: str = "stub:predict",
        sample: object = None,
        environment: dict[str, str] | None = None,
        port: str = "0",
        model: Path | None = None,
    ) -> Server:
        number = len(started)
        sample_file = tmp_path / f"sample{number}.json"
        sample_file.write_text(json.dumps([{"x": 1}] if sample is None else sample))
        ready = tmp_path / f"ready{number}.json"
        log = tmp_path / f"server{number}.log"
        command = [sys.executable, "-m", "cloudml.serving", "--model", str(model or project / "model.joblib")]
        command += ["--predictor", predictor, "--path", str(project), "--version", "3", "--port", port]
        command += ["--sample", str(sample_file), "--ready-file", str(ready), "--drain", "0", *arguments]
        with log.open("w") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, text=True, env={**os.environ, **(environment or {})}
            )
        started.append(Server(process, ready, log))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
