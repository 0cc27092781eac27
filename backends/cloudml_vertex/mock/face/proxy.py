"""The hosts of Google that clients will not be talked out of, led to the mock by an HTTP proxy (RFC 9110, CONNECT).

Google's SDK writes some hosts by hand (`Endpoint.raw_predict`, endpoints with a host of their own), and asks others
without a way to say where (Resource Manager, Cloud Monitoring, Cloud Logging). All of its transports heed
`https_proxy`: this proxy ends their TLS itself, with a certificate of the mock's authority. Nothing is let out.
"""

from __future__ import annotations

import io
import logging
import re
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, BinaryIO, cast

from cloudml.mocks.http.guard import is_loopback
from cloudml.mocks.http.listening import Address
from cloudml.mocks.http.reading import BadRequest, read_head
from cloudml.mocks.http.serving import WsgiApp, plain
from cloudml_vertex.mock.face import secure
from cloudml_vertex.mock.face.certificates import Authority
from cloudml_vertex.mock.face.secure import SecureServer

log = logging.getLogger(__name__)

TUNNEL = "cloudml.mock.tunnel"
"""A key of the environ: the host of Google for which a request came through a tunnel."""
_LINGER = 0.5
"""Seconds (real) between two parts of what a client still sends that was refused."""
_UNREAD = 1024 * 1024
_PIECE = 65536
_HOST = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:googleapis\.com|vertexai\.goog)")
_TARGET = re.compile(r"\[?([^\[\]]+)\]?:([0-9]{1,5})")
_HTTPS = 443


class Proxy(SecureServer):
    """`own` are the mock's ports, to which clients may have themselves led in the clear."""

    def __init__(self, application: WsgiApp, authority: Authority, grpc: int, own: frozenset[int]) -> None:
        super().__init__(application, authority, grpc)
        self._own = own

    def serve(self, connection: socket.socket, address: Address) -> None:
        """One tunnel, or a refusal."""
        connection.settimeout(secure.GREETING)
        try:
            target = self._target(connection)
        except BadRequest as problem:
            _refuse(connection, problem.status, problem.reason)
            return
        if target is None:
            return
        _opened(connection)
        host, port = target
        if is_loopback(host):
            secure.join(connection, port)
        else:
            self.speak(connection, address, host, _for_host(self._application, host))

    def _target(self, connection: socket.socket) -> tuple[str, int] | None:
        """Where a client is to be led; None when it closed without a word. Raises BadRequest."""
        if self.connections > secure.MOST:
            raise BadRequest(503, "", f"The mock has {secure.MOST} tunnels open and makes no more.")
        target = _asked(connection)
        if target is None:
            return None
        host, port = target
        if (is_loopback(host) and port in self._own) or (port == _HTTPS and _HOST.fullmatch(host)):
            return target
        log.warning("refused to lead to %s:%d: the mock lets nothing out", host, port)
        raise BadRequest(403, "", f"The mock lets nothing out, and it does not stand for {host}:{port}")


def _asked(connection: socket.socket) -> tuple[str, int] | None:
    # Unbuffered: what follows the head belongs to the tunnel.
    with io.BufferedReader(socket.SocketIO(connection, "r"), 1) as stream:
        head = read_head(cast("BinaryIO", stream))
    if head is None:
        return None
    if head.method != "CONNECT":
        raise BadRequest(405, "", "This is a proxy for TLS alone: CONNECT, and nothing else.")
    found = _TARGET.fullmatch(head.target)
    if found is None:
        raise BadRequest(400, "", "CONNECT wants HOST:PORT.")
    return found[1].lower().rstrip("."), int(found[2])


def _opened(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")


def _refuse(connection: socket.socket, status: int, reason: str) -> None:
    """Clients show the status line and drop the body, so that the reason stands in both."""
    connection.sendall(plain(status, _printable(reason), reason))
    # Closing on bytes that were not read would reset the connection, and the answer with it.
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(_LINGER)
    left = _UNREAD
    with suppress(TimeoutError):
        while left > 0 and (part := connection.recv(_PIECE)):
            left -= len(part)


def _printable(text: str) -> str:
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)


def _for_host(application: WsgiApp, host: str) -> WsgiApp:
    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        environ[TUNNEL] = host
        environ["wsgi.url_scheme"] = "https"
        return application(environ, start)

    return answer
