"""HTTP/1.1 to the port of a process in a sandbox, over its stream; connections are kept and used again."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from cloudml.mocks.sandbox import Process

_KEPT = 16
"""Idle connections kept for one container."""

_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


@dataclass(frozen=True)
class Reply:
    """A container's answer; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media(self) -> str:
        """Its content type, as the container wrote it."""
        return self.headers.get("content-type", "application/octet-stream")


class _Connection(http.client.HTTPConnection):
    """A connection whose stream is the sandbox's."""

    def __init__(self, process: Process, timeout: float) -> None:
        super().__init__("localhost:8080", timeout=timeout)
        self._process = process

    def connect(self) -> None:
        self.sock = self._process.connect(self.timeout or 1.0)
        if self.sock.family in (socket.AF_INET, socket.AF_INET6):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Wire:
    """The connections to one container. Thread-safe; as many at a time as there are requests."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._idle: list[_Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    def request(self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        """One exchange. `timeout` in seconds holds for connecting and for each read.

        Raises TimeoutError, OSError when the container cannot be reached, http.client.HTTPException for nonsense.
        """
        with self.open(method, path, body, headers, timeout) as response:
            return Reply(response.status, _headers(response), response.read())

    @contextmanager
    def open(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float
    ) -> Iterator[http.client.HTTPResponse]:
        """As `request`, with the response still to be read; read to its end, its connection serves others."""
        connection, response = self._exchange(method, path, body, headers, timeout)
        try:
            yield response
        finally:
            if response.isclosed() and not response.will_close:
                self._give_back(connection)
            else:
                response.close()
                connection.close()

    def close(self) -> None:
        """Close what is idle; exchanges under way end by themselves."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for connection in idle:
            connection.close()

    def _exchange(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float
    ) -> tuple[_Connection, http.client.HTTPResponse]:
        while True:
            connection, used = self._take(timeout)
            try:
                connection.request(method, path, body, dict(headers))
                return connection, connection.getresponse()
            except _STALE:
                connection.close()
                if not used:  # a server may close a kept connection at any time: only then it is asked again
                    raise
            except BaseException:
                connection.close()
                raise

    def _take(self, timeout: float) -> tuple[_Connection, bool]:
        with self._lock:
            if self._idle:
                connection = self._idle.pop()
                connection.timeout = timeout
                if connection.sock is not None:
                    connection.sock.settimeout(timeout)
                return connection, connection.sock is not None
        connection = _Connection(self._process, timeout)
        connection.connect()
        connection.sock.settimeout(timeout)
        return connection, False

    def _give_back(self, connection: _Connection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _KEPT:
                self._idle.append(connection)
                return
        connection.close()


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}
