"""The data plane: an ASGI application that passes every request to a model server and counts what came of it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from cloudml_local.endpoint.router.table import RoutingTable, Target, Variant

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

POOL_IDLE_SECONDS = 4
"""Far below the servers' 75 s: an idle connection is closed by the router, never under a request."""

_MARGIN_SECONDS = 5.0
_CONNECT_SECONDS = 2.0
_ATTEMPTS = 3

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding"
    b" upgrade expect content-length".split()
)
_OURS_TO_SEND = frozenset((b"date", b"server"))

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """A whole answer: what a model server said, or why none did."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Proxy:
    """`table` is None until the first deployment is ready; whoever switches versions assigns another one."""

    def __init__(self, max_body: int) -> None:
        self.table: RoutingTable | None = None
        self._max_body = max_body
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Create the client pool, inside the running loop."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=POOL_IDLE_SECONDS)
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        body = await _read_body(scope, receive, self._max_body)
        if body is None:
            return
        answer = body if isinstance(body, Answer) else await self._pass_on(scope, body)
        length = (b"content-length", str(len(answer.body)).encode())
        head = [*answer.headers, length] if scope["method"] != "HEAD" else answer.headers
        await send({"type": "http.response.start", "status": answer.status, "headers": head})
        await send({"type": "http.response.body", "body": answer.body})

    async def _pass_on(self, scope: Scope, body: bytes) -> Answer:
        """Try servers until one gives a response head. Only a connection that failed before that is tried again."""
        path = scope["raw_path"].decode("ascii", "replace")
        if not path.startswith("/"):
            return _refusal(400, "the request's target must be a path")
        began = time.perf_counter()
        avoid: list[Target] = []
        variant: Variant | None = None
        attempts = _ATTEMPTS
        while attempts > 0:
            # Read again each time: a switch may have happened since.
            table = self.table
            if table is None:
                break
            chosen = table.choose(avoid)
            if chosen is None:
                variant = variant or table.variants[0]
                break
            variant, target = chosen
            outcome = await self._try(scope, path, body, table, variant, target)
            if isinstance(outcome, Answer):
                return outcome
            avoid.append(target)
            target.rest()
            # A request that was sent before the connection broke may be what breaks servers: one more try, not two.
            attempts -= outcome
        if variant is not None:
            # Nobody answered, which is the version's failure like any other.
            _count(variant, scope, 503, began)
        return _refusal(503, "no model server is up; it is being started again", (b"retry-after", b"1"))

    async def _try(
        self, scope: Scope, path: str, body: bytes, table: RoutingTable, variant: Variant, target: Target
    ) -> Answer | int:
        """The answer, or how many attempts the failure to get one costs."""
        began = time.perf_counter()
        target.in_flight += 1
        try:
            answer = await self._exchange(scope, path, body, target, table.request_timeout)
        except aiohttp.ClientConnectorError:
            return 1
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            _log.warning("connection to %s broke before it answered: %s", target.name, error)
            return 2
        except TimeoutError:
            answer = _refusal(504, "the model server did not answer in time")
        except aiohttp.ClientError as error:
            _log.warning("%s gave an unusable answer: %s", target.name, error)
            answer = _refusal(502, "the model server gave an unusable answer")
        finally:
            target.in_flight -= 1
        _count(variant, scope, answer.status, began)
        answer.headers.append((b"x-cloudml-deployment", str(table.deployment_id).encode()))
        answer.headers.append((b"x-cloudml-variant", variant.name.encode()))
        return answer

    async def _exchange(self, scope: Scope, path: str, body: bytes, target: Target, timeout: float) -> Answer:
        assert self._session is not None
        query = scope["query_string"].decode("ascii", "replace")
        url = URL(f"http://127.0.0.1:{target.port}{path}{'?' + query if query else ''}", encoded=True)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in _end_to_end(scope["headers"])]
        limits = aiohttp.ClientTimeout(total=timeout + _MARGIN_SECONDS, sock_connect=_CONNECT_SECONDS)
        data = body if body or scope["method"] not in ("GET", "HEAD") else None
        async with self._session.request(
            scope["method"], url, headers=headers, data=data, timeout=limits, allow_redirects=False
        ) as response:
            received = [
                (name.lower(), value)
                for name, value in _end_to_end(response.raw_headers)
                if name.lower() not in _OURS_TO_SEND
            ]
            try:
                return Answer(response.status, received, await response.read())
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
                # The head has come: to ask another server now could answer one request twice.
                raise aiohttp.ClientPayloadError(str(error)) from error


def _count(variant: Variant, scope: Scope, status: int, began: float) -> None:
    """Predictions only: health checks would dilute a version's error rate and latency."""
    if scope["method"] == "POST":
        variant.counters.observe(status, time.perf_counter() - began)


async def _read_body(scope: Scope, receive: Receive, limit: int) -> bytes | Answer | None:
    """The whole body, so that it can be sent again; a 413; or None when the client has gone."""
    too_large = _refusal(413, f"the body is larger than {limit} bytes; send fewer rows at once")
    declared = dict(scope["headers"]).get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        return too_large
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return too_large
        if not message.get("more_body", False):
            return b"".join(parts)


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers that are not about one connection."""
    listed = list(headers)
    named = {
        token.strip().lower() for name, value in listed if name.lower() == b"connection" for token in value.split(b",")
    }
    return [(name, value) for name, value in listed if name.lower() not in _HOP_BY_HOP and name.lower() not in named]


def _refusal(status: int, message: str, *headers: tuple[bytes, bytes]) -> Answer:
    body = json.dumps({"error": message}).encode()
    return Answer(status, [(b"content-type", b"application/json"), *headers], body)
