"""Things to do later, on a clock that never goes back."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable


class Timers:
    """Actions by the moment they are due, in the order they were asked for when due together."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Call `action` once, `delay` seconds from now."""
        self._count += 1
        heapq.heappush(self._heap, (time.monotonic() + delay, self._count, action))

    def run_due(self) -> None:
        while self._heap and self._heap[0][0] <= time.monotonic():
            heapq.heappop(self._heap)[2]()

    def until_next(self) -> float | None:
        """Seconds until something is due, or None when nothing waits."""
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None
