"""A server in a sandbox that is kept alive: started, held against its health check, started again when it ends."""

from __future__ import annotations

import http.client
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from cloudml.mocks.sandbox import JobLost, Process
from cloudml.mocks.wire import Wire

log = logging.getLogger(__name__)

_PAUSES = (0.01, 0.01, 0.02, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Real seconds between health checks while the server starts; the last one again and again."""
_LOOK = 1.0
"""Real seconds between two looks at whether the mock goes down."""
_AGAIN = 60.0
"""Real seconds that a server which was started again has to become healthy."""
_LONGEST_PAUSE = 5.0


class NotServing(Exception):
    """The server never became healthy; the text says why. `code`: the exit code of one that ended, else None."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class Served:
    """One server. `start` once, then `wire` while `healthy`; `stop` at the end. Thread-safe.

    `launch` starts the process, and is called again whenever it ends by itself; what it raises passes through `start`.
    """

    def __init__(
        self,
        name: str,
        launch: Callable[[], Process],
        health: str,
        closing: threading.Event,
        *,
        check_seconds: float = 2.0,
    ) -> None:
        """`health`: the path that answers 200, within `check_seconds` real seconds; `closing`: the mock goes down."""
        self.name = name
        self.wire: Wire | None = None
        self.process: Process | None = None
        self.restarts = 0
        self._launch = launch
        self._health = health
        self._closing = closing
        self._seconds = check_seconds
        self._stopping = threading.Event()
        self._healthy = threading.Event()
        self._lock = threading.Lock()

    @property
    def healthy(self) -> bool:
        """Whether it answered its last health check and still runs."""
        return self._healthy.is_set()

    def start(self, patience: float) -> None:
        """Start the process and wait at most `patience` real seconds until it is healthy. Raises NotServing; one that
        ends before it is healthy is not started again."""
        self._begin()
        self._await(patience)
        threading.Thread(target=self._keep, name=f"mock-serve-{self.name}", daemon=True).start()

    def stop(self, grace: float) -> None:
        """SIGTERM, up to `grace` real seconds, SIGKILL; then nothing of it is left. May be called twice."""
        self._stopping.set()
        self._healthy.clear()
        with self._lock:
            process, wire = self.process, self.wire
            self.process = self.wire = None
        if wire is not None:
            wire.close()
        if process is not None:
            process.terminate()
            with suppress(JobLost):
                if process.wait(grace) is None:
                    process.kill()
            process.close()

    def ping(self) -> bool:
        """One health check."""
        wire = self.wire
        if wire is None:
            return False
        try:
            return wire.request("GET", self._health, b"", {}, self._seconds).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def _begin(self) -> None:
        with self._lock:
            if self._stopping.is_set():
                raise NotServing("the server was stopped")
            self.process = self._launch()
            self.wire = Wire(self.process)

    def _await(self, patience: float) -> None:
        limit = time.monotonic() + patience
        attempt = 0
        while not self._stopping.is_set() and not self._closing.is_set():
            process = self.process
            code = _code(process) if process is not None else None
            if process is None or code is not None:
                raise NotServing("the server ended before it answered a health check", code)
            if self.ping():
                self._healthy.set()
                return
            if time.monotonic() >= limit:
                raise NotServing("the server did not answer its health checks in time")
            self._stopping.wait(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            attempt += 1
        raise NotServing("the server was stopped")

    def _keep(self) -> None:
        while not self._over():
            process = self.process
            if process is None or _code(process, _LOOK) is None:
                continue
            self._healthy.clear()
            if not self._over():
                self._again(process)
        wire = self.wire
        if wire is not None:
            wire.close()

    def _over(self) -> bool:
        return self._stopping.is_set() or self._closing.is_set()

    def _again(self, ended: Process) -> None:
        if self.wire is not None:
            self.wire.close()
        ended.close()
        self.restarts += 1
        try:
            self._begin()
            self._await(_AGAIN)
        except Exception as error:  # whatever `launch` raises: it is tried again
            log.info("server %s: %s", self.name, error, exc_info=True)
            self._stopping.wait(min(_LONGEST_PAUSE, 0.2 * self.restarts))


def _code(process: Process, seconds: float = 0.0) -> int | None:
    """The exit code; -9 when nobody knows it; None while it runs."""
    try:
        return process.wait(seconds)
    except JobLost:
        return -9
