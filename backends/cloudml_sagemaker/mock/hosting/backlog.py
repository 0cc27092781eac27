"""Asynchronous requests that wait for their turn: so many of an endpoint run at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from cloudml.mocks.store import Scope

Endpoint = tuple[Scope, str]


class Backlog:
    """Counts what runs of each endpoint and keeps the rest in its order. Thread-safe; nobody waits inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Endpoint, int] = {}
        self._waiting: dict[Endpoint, deque[Callable[[], None]]] = {}

    def enter(self, endpoint: Endpoint, most: int | None, again: Callable[[], None]) -> bool:
        """Whether one more may run now (`leave` must follow); if not, `again` is kept for a `leave` to return."""
        with self._lock:
            running = self._running.get(endpoint, 0)
            if most is not None and running >= most:
                self._waiting.setdefault(endpoint, deque()).append(again)
                return False
            self._running[endpoint] = running + 1
            return True

    def leave(self, endpoint: Endpoint) -> Callable[[], None] | None:
        """One has ended: what waits longest, if anything does."""
        with self._lock:
            self._running[endpoint] -= 1
            if not self._running[endpoint]:
                del self._running[endpoint]
            waiting = self._waiting.get(endpoint)
            if not waiting:
                return None
            first = waiting.popleft()
            if not waiting:
                del self._waiting[endpoint]
            return first
