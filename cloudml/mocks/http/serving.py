"""The HTTP server: HTTP/1.1 on loopback, connections kept alive, a thread each.

Werkzeug's own closes the connection after every answer and lingers on it; SDKs keep pools of connections, so that
costs them a TCP handshake and a thread a call.
"""

from __future__ import annotations

import io
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from email.utils import formatdate
from typing import Any, BinaryIO, cast

from cloudml.mocks.http.reading import BadRequest, environ_of, read_head

log = logging.getLogger(__name__)

IDLE = 120.0
"""Seconds (real) that a connection may wait for its next request."""
_PATIENCE = 3.0
"""Seconds (real) that requests under way have to end when the server stops."""

DROP = "cloudml.mock.drop"
"""A key of the environ: calling its value makes the server close the connection instead of answering."""

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_BODILESS = frozenset({204, 304})
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "date", "server"})


class Server:
    """`start` answers in background threads until `stop`. Raises OSError when the port cannot be had."""

    def __init__(self, app: WsgiApp, port: int = 0) -> None:
        self._app = app
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._threads: set[threading.Thread] = set()
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", port))
            self._listener.listen(1024)
        except BaseException:
            self._listener.close()
            raise
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="mock-server", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Take no connection any more, and break off the open ones."""
        with self._lock:
            self._closing = True
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            threads = list(self._threads)
        # A listening socket wakes its `accept` only when it is shut down.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._listener.close()
        limit = time.monotonic() + _PATIENCE
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout=max(0.0, limit - time.monotonic()))

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection, address), name="mock-http", daemon=True)
            if not self._enter(connection, thread):
                connection.close()
                return
            thread.start()

    def _enter(self, connection: socket.socket, thread: threading.Thread) -> bool:
        with self._lock:
            if not self._closing:
                self._open.add(connection)
                self._threads.add(thread)
            return not self._closing

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(IDLE)
            with io.BufferedReader(socket.SocketIO(connection, "r"), 65536) as stream:
                while not self._closing and self._one(connection, cast("BinaryIO", stream), address):
                    pass
        except (OSError, ValueError):
            log.debug("a connection broke off")
        finally:
            with self._lock:
                self._open.discard(connection)
                self._threads.discard(threading.current_thread())
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _one(self, connection: socket.socket, stream: BinaryIO, address: tuple[str, int]) -> bool:
        """Answer one request; whether the connection stays."""
        try:
            head = read_head(stream)
            if head is None:
                return False
            if head.expects_continue:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            environ = environ_of(head, stream, address, self.port)
        except BadRequest as problem:
            text = problem.reason.encode()
            lines = f"HTTP/1.1 {problem.status} {problem.title}\r\nContent-Type: text/plain\r\n"
            connection.sendall(f"{lines}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)
            return False
        answer = _Answer(connection, head.method, head.keep_alive)
        environ[DROP] = answer.drop
        chunks = self._app(environ, answer.start)
        try:
            return answer.send(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()


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
