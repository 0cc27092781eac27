"""The clock of a mock cloud: real time, or time that a test holds in its hand.

Everything timed is a timer on the clock (`call_at`, `call_in`); nobody sleeps. Real work that is under way (a job's
process, a server that is starting) is told with `begin`, so that a held clock does not run ahead of it.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

log = logging.getLogger(__name__)


@dataclass(order=True)
class Timer:
    """A call that is due at `when` (UTC). `cancel` is harmless when it has been made already."""

    when: datetime
    number: int
    action: Callable[[], None] = field(compare=False)
    name: str = field(compare=False, default="")
    cancelled: bool = field(compare=False, default=False)

    def cancel(self) -> None:
        """Never make the call."""
        self.cancelled = True


@dataclass
class Work:
    """Real work under way; `end` may be called more than once."""

    clock: _Timers
    ended: bool = False

    def end(self) -> None:
        """The work is done."""
        self.clock.finished(self)

    def __enter__(self) -> Work:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class Clock(Protocol):
    """What the rooms of a mock know of time."""

    def now(self) -> datetime:
        """The time, in UTC."""

    def call_at(self, when: datetime, action: Callable[[], None], name: str = "") -> Timer:
        """Call `action` once when it is `when`; at once when that has passed. The action must be short."""

    def call_in(self, seconds: float, action: Callable[[], None], name: str = "") -> Timer:
        """Call `action` once, so many seconds from now."""

    def begin(self) -> Work:
        """Tell of real work under way, until its `end`."""

    def close(self) -> None:
        """Make no more calls."""


class _Timers:
    """The timers and the count of real work, for both clocks."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._working = 0
        self._closed = False

    def now(self) -> datetime:
        raise NotImplementedError

    def call_at(self, when: datetime, action: Callable[[], None], name: str = "") -> Timer:
        timer = Timer(when, next(self._numbers), action, name)
        with self._changed:
            heapq.heappush(self._heap, timer)
            self._changed.notify_all()
        return timer

    def call_in(self, seconds: float, action: Callable[[], None], name: str = "") -> Timer:
        return self.call_at(self.now() + timedelta(seconds=seconds), action, name)

    def begin(self) -> Work:
        with self._changed:
            self._working += 1
        return Work(self)

    def finished(self, work: Work) -> None:
        with self._changed:
            if not work.ended:
                work.ended = True
                self._working -= 1
                self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._heap.clear()
            self._changed.notify_all()

    def _next(self) -> Timer | None:
        """The earliest live timer, left on the heap."""
        while self._heap and self._heap[0].cancelled:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None

    @staticmethod
    def _fire(timer: Timer) -> None:
        if timer.cancelled:
            return
        try:
            timer.action()
        except Exception:
            log.exception("timer %r failed", timer.name)


class RealClock(_Timers):
    """Time as it passes. One thread, started with the first timer, makes the calls."""

    def __init__(self) -> None:
        super().__init__()
        self._thread: threading.Thread | None = None

    def now(self) -> datetime:
        return datetime.now(UTC)

    def call_at(self, when: datetime, action: Callable[[], None], name: str = "") -> Timer:
        timer = super().call_at(when, action, name)
        with self._changed:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="mock-clock", daemon=True)
                self._thread.start()
        return timer

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                timer = self._next()
                wait = None if timer is None else (timer.when - self.now()).total_seconds()
                if timer is None or (wait is not None and wait > 0):
                    self._changed.wait(min(wait, threading.TIMEOUT_MAX) if wait is not None else None)
                    continue
                heapq.heappop(self._heap)
            self._fire(timer)

    def close(self) -> None:
        super().close()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)


class HeldClock(_Timers):
    """Time that moves only by `advance`. It begins at `start` (UTC; default: now, to the second)."""

    def __init__(self, start: datetime | None = None) -> None:
        super().__init__()
        self._now = start or datetime.now(UTC).replace(microsecond=0)
        self._advancing = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float = 0.0, patience: float = 30.0) -> datetime:
        """Move on by `seconds` and make the calls that fall due, each at its time and in order; returns the new time.

        Before each moment real work under way is waited for, at most `patience` real seconds: a process that hangs
        does not hold time for ever.
        """
        with self._advancing:
            end = self._now + timedelta(seconds=seconds)
            while True:
                self.settle(patience)
                with self._changed:
                    timer = self._next()
                    if timer is None or timer.when > end:
                        self._now = end
                        return end
                    heapq.heappop(self._heap)
                    self._now = max(self._now, timer.when)
                self._fire(timer)

    def settle(self, patience: float = 30.0) -> bool:
        """Wait until no real work is under way; False when some still is after `patience` real seconds."""
        limit = time.monotonic() + patience
        with self._changed:
            while self._working and not self._closed:
                left = limit - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True
