"""An AWS that answers what it is told to, and a clean environment for the SDK."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cloudml_sagemaker.client import Client, Patience


@dataclass(frozen=True)
class Region:
    region: str = "us-east-1"


@dataclass
class Canned:
    """Answers each request with the next of `answers`, the last one for ever: (status, document)."""

    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def refuse(self, status: int, code: str, message: str = "m") -> tuple[int, dict[str, Any]]:
        return status, {"__type": code, "message": message}

    def client(self, **patience: Any) -> Client:
        return Client(Region(), patience=Patience(sleep=self.waits.append, **patience))


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials and no settings anywhere."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def somebody(nobody: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Credentials; and a function that says where AWS answers."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return lambda url: monkeypatch.setenv("AWS_ENDPOINT_URL", url)


@pytest.fixture
def canned(somebody: Callable[[str], None]) -> Iterator[Canned]:
    told = Canned()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told.requests.append(json.loads(body))
            status, document = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("x-amzn-RequestId", "request-1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    somebody(f"http://127.0.0.1:{server.server_address[1]}")
    yield told
    server.shutdown()
    thread.join()
    server.server_close()
