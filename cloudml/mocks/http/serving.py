"""The HTTP server: HTTP/1.1 on loopback, connections kept alive, a thread each.

Werkzeug's own closes the connection after every answer and lingers on it; SDKs keep pools of connections, so that
costs them a TCP handshake and a thread a call.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Any, BinaryIO, cast

from cloudml.mocks.http.listening import Address, Listener
from cloudml.mocks.http.reading import BadRequest, environ_of, read_head

IDLE = 120.0
"""Seconds (real) that a connection may wait for its next request."""

DROP = "cloudml.mock.drop"
"""A key of the environ: calling its value makes the server close the connection instead of answering."""

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_BODILESS = frozenset({204, 304})
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "date", "server"})


class Server(Listener):
    """Answers by a WSGI application. `start` answers in background threads until `stop`.

    Raises OSError when the port cannot be had.
    """

    def __init__(self, app: WsgiApp, port: int = 0) -> None:
        super().__init__(port)
        self._app = app

    def serve(self, connection: socket.socket, address: Address) -> None:
        """Answer a connection's requests."""
        converse(self._app, connection, address, self)


def converse(app: WsgiApp, connection: socket.socket, address: Address, listener: Listener) -> None:
    """Answer a connection's requests, one after the other, until it or the listener ends."""
    connection.settimeout(IDLE)
    with io.BufferedReader(socket.SocketIO(connection, "r"), 65536) as buffered:
        stream = cast("BinaryIO", buffered)
        while not listener.closing and _one(app, connection, stream, address, listener.port):
            pass


def _one(app: WsgiApp, connection: socket.socket, stream: BinaryIO, address: Address, port: int) -> bool:
    """Answer one request; whether the connection stays."""
    try:
        head = read_head(stream)
        if head is None:
            return False
        if head.expects_continue:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        environ = environ_of(head, stream, address, port)
    except BadRequest as problem:
        connection.sendall(plain(problem.status, problem.title, problem.reason))
        return False
    answer = _Answer(connection, head.method, head.keep_alive)
    environ[DROP] = answer.drop
    chunks = app(environ, answer.start)
    try:
        return answer.send(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def plain(status: int, title: str, reason: str) -> bytes:
    """An answer of plain text, after which the connection is closed."""
    text = reason.encode()
    lines = f"HTTP/1.1 {status} {title}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    return f"{lines}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text


class _Answer:
    """One answer on its way out."""

    def __init__(self, connection: socket.socket, method: str, keep: bool) -> None:
        self._connection = connection
        self._method = method
        self._keep = keep
        self._dropped = False
        self._status = "500 Internal Server Error"
        self._headers: list[tuple[str, str]] = []

    def start(self, status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], None]:
        self._status, self._headers = status, headers
        return self._no_write

    @staticmethod
    def _no_write(_data: bytes) -> None:
        raise RuntimeError("the server takes bodies as iterables only")

    def drop(self) -> None:
        self._dropped = True

    def send(self, chunks: Iterable[bytes]) -> bool:
        if self._dropped:
            return False
        names = {name.lower() for name, _ in self._headers}
        bodiless = self._method == "HEAD" or int(self._status[:3]) in _BODILESS
        extra = ""
        if "content-length" not in names and not bodiless:
            if not isinstance(chunks, list | tuple):
                return self._stream(chunks)
            extra = f"Content-Length: {sum(map(len, chunks))}\r\n"
        body = b"" if bodiless else b"".join(chunks)
        self._connection.sendall(self._head(extra) + body)
        return self._keep

    def _stream(self, chunks: Iterable[bytes]) -> bool:
        """A body whose length is not known: chunked."""
        self._connection.sendall(self._head("Transfer-Encoding: chunked\r\n"))
        for chunk in chunks:
            if chunk:
                self._connection.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self._connection.sendall(b"0\r\n\r\n")
        return self._keep

    def _head(self, extra: str) -> bytes:
        lines = [f"HTTP/1.1 {self._status}\r\n", f"Date: {formatdate(usegmt=True)}\r\n", extra]
        lines += [f"{name}: {_clean(value)}\r\n" for name, value in self._headers if name.lower() not in _HOP]
        lines.append(f"Connection: {'keep-alive' if self._keep else 'close'}\r\n\r\n")
        return "".join(lines).encode("latin-1", "replace")


def _clean(value: str) -> str:
    """A header's value without line breaks: nothing that a client stored may begin a header of its own."""
    return str(value).replace("\r", " ").replace("\n", " ")
