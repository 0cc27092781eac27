"""Talking to what is no mock, or not there."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from cloudml.errors import MockError
from cloudml.mocks.remote import MockControl


class _Stranger(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[1, 2]")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def stranger() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("url", ["localhost:5000", "https://127.0.0.1", "http://", "http://h:99999", "http://[::1"])
def test_what_is_no_url_of_a_mock_is_refused(url: str) -> None:
    with pytest.raises(MockError, match="no url of a mock"):
        MockControl(url)


def test_another_server_is_told_from_a_mock(stranger: str) -> None:
    assert MockControl(stranger).health() is False
    with pytest.raises(MockError, match="no mock"):
        MockControl(stranger).faults()


def test_nobody_there_is_an_error_of_the_mock() -> None:
    told = MockControl("http://127.0.0.1:9", timeout=2)
    assert told.health() is False
    with pytest.raises(MockError, match="does not answer"):
        told.reset()
