"""A listener on loopback: a thread for each connection, all of them ended by `stop`."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import suppress

log = logging.getLogger(__name__)

_PATIENCE = 3.0
"""Seconds (real) that connections under way have to end when the listener stops."""

Address = tuple[str, int]


class Listener:
    """Takes connections at `port` in background threads, from `start` until `stop`; a subclass says what is done.

    Raises OSError when the port cannot be had.
    """

    def __init__(self, port: int = 0) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
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
        self.closing = False
        self._thread = threading.Thread(target=self._accept, name="mock-server", daemon=True)

    def serve(self, connection: socket.socket, address: Address) -> None:
        """What is done with a connection; it is closed afterwards. OSError and ValueError mean that it broke off."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin to take connections."""
        self._thread.start()

    def stop(self) -> None:
        """Take no connection any more, and break off the open ones."""
        with self._lock:
            self.closing = True
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

    @property
    def connections(self) -> int:
        """How many are served now."""
        return len(self._threads)

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._run, args=(connection, address), name="mock-http", daemon=True)
            if not self._enter(connection, thread):
                connection.close()
                return
            thread.start()

    def _enter(self, connection: socket.socket, thread: threading.Thread) -> bool:
        with self._lock:
            if not self.closing:
                self._open.add(connection)
                self._threads.add(thread)
            return not self.closing

    def _run(self, connection: socket.socket, address: Address) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.serve(connection, address)
        except (OSError, ValueError):
            log.debug("a connection broke off")
        finally:
            with self._lock:
                self._open.discard(connection)
                self._threads.discard(threading.current_thread())
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
