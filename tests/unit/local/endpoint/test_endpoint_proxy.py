"""The data plane against servers of the test's own making: what is tried again, what is not, what is passed on."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from cloudml_local.endpoint.router.proxy import Proxy
from cloudml_local.endpoint.router.table import RoutingTable, Target, Variant

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-mine: 1\r\nConnection: x-private\r\nx-private: 1\r\n\r\nok"


class Upstream:
    """A server that reads whole requests and answers with fixed bytes; empty bytes close the connection."""

    def __init__(self, answer: bytes, delay: float = 0.0) -> None:
        self.answer = answer
        self.delay = delay
        self.seen: list[bytes] = []

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(h[15:]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length:")), 0)
        self.seen.append(head + await reader.readexactly(length))
        try:
            await asyncio.sleep(self.delay)
            writer.write(self.answer)
        finally:
            writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def request(
    proxy: Proxy, method: str = "POST", path: bytes = b"/invocations", body: bytes = b"{}", **headers: str
) -> tuple[int, dict[bytes, bytes], bytes]:
    scope = {
        "type": "http",
        "method": method,
        "raw_path": path,
        "query_string": b"a=1",
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
    }
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await proxy(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def scenario(
    answers: list[bytes], run: Callable[[Proxy], Awaitable[Any]], delay: float = 0.0, timeout: float = 5.0
) -> tuple[Any, list[Upstream], Variant]:
    upstreams = [Upstream(answer, delay) for answer in answers]

    async def main() -> tuple[Any, Variant]:
        ports = [await upstream.start() for upstream in upstreams]
        variant = Variant("d1", 1, 100.0, tuple(Target(f"d1-{n}", port, True) for n, port in enumerate(ports)))
        proxy = Proxy(max_body=1000)
        await proxy.open()
        proxy.table = RoutingTable(7, (variant,), timeout)
        try:
            return await run(proxy), variant
        finally:
            await proxy.close()
            for upstream in upstreams:
                upstream.stop()

    result, variant = asyncio.run(main())
    return result, upstreams, variant


def test_it_passes_on_what_is_end_to_end_and_says_who_answered() -> None:
    (status, headers, body), (upstream,), variant = scenario(
        [OK], lambda proxy: request(proxy, x_custom="1", connection="x-hop, close", x_hop="1", te="trailers")
    )
    assert (status, body) == (200, b"ok")
    assert headers[b"x-mine"] == b"1"
    assert b"x-private" not in headers
    assert (headers[b"x-cloudml-deployment"], headers[b"x-cloudml-variant"]) == (b"7", b"d1")
    (seen,) = upstream.seen
    assert seen.startswith(b"POST /invocations?a=1 HTTP/1.1\r\n")
    assert seen.endswith(b"{}")
    assert b"x-custom: 1" in seen.lower()
    assert b"x-hop" not in seen.lower()
    assert b"trailers" not in seen.lower()
    assert variant.counters.requests == 1
    assert variant.in_flight == 0


def test_a_connection_that_breaks_before_an_answer_is_tried_elsewhere_once() -> None:
    (status, _, _), (broken, good), variant = scenario([b"", OK], request)
    assert status == 200
    assert len(broken.seen) <= 1
    assert len(good.seen) == 1
    assert (variant.counters.requests, variant.counters.server_errors) == (1, 0)


def test_a_request_that_breaks_every_server_is_not_sent_to_all_of_them() -> None:
    (status, headers, _), upstreams, variant = scenario([b"", b"", b"", b""], request)
    assert (status, headers[b"retry-after"]) == (503, b"1")
    assert sum(len(upstream.seen) for upstream in upstreams) == 2
    assert variant.counters.server_errors == 1


def test_an_error_of_the_model_is_an_answer_and_never_repeated() -> None:
    error = b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"
    (status, _, _), upstreams, variant = scenario([error, error], request)
    assert status == 500
    assert sum(len(upstream.seen) for upstream in upstreams) == 1
    assert variant.counters.server_errors == 1


def test_half_an_answer_is_a_502_and_not_repeated() -> None:
    half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"
    (status, _, _), upstreams, _ = scenario([half, half], request)
    assert status == 502
    assert sum(len(upstream.seen) for upstream in upstreams) == 1


def test_a_server_that_takes_too_long_is_a_504(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudml_local.endpoint.router.proxy._MARGIN_SECONDS", 0.0)
    (status, _, _), _, variant = scenario([OK], request, delay=2.0, timeout=0.2)
    assert status == 504
    assert variant.in_flight == 0


def test_a_redirect_is_passed_on_not_followed() -> None:
    redirect = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    (status, headers, _), _, _ = scenario([redirect], request)
    assert (status, headers[b"location"]) == (302, b"http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"body": b"x" * 1001}, 413),
        ({"content_length": "1001"}, 413),
        ({"path": b"@evil.example/"}, 400),
    ],
)
def test_what_is_refused_reaches_no_server(arguments: dict[str, Any], status: int) -> None:
    (found, _, body), (upstream,), _ = scenario([OK], lambda proxy: request(proxy, **arguments))
    assert found == status
    assert list(json.loads(body)) == ["error"]
    assert upstream.seen == []


def test_health_checks_do_not_dilute_the_counters() -> None:
    (status, _, _), _, variant = scenario([OK], lambda proxy: request(proxy, "GET", b"/health", b""))
    assert status == 200
    assert variant.counters.requests == 0


def test_nobody_to_ask_is_a_503_at_once() -> None:
    async def without_servers(proxy: Proxy) -> Any:
        assert proxy.table is not None
        proxy.table.variants[0].targets[0].up = False
        return await request(proxy)

    (status, _, _), _, variant = scenario([OK], without_servers)
    assert status == 503
    assert variant.counters.server_errors == 1
