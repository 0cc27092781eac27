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
        """Never make the call, and let go of what it holds."""
        self.cancelled = True
        self.action = _nothing


def _nothing() -> None:
    """What a cancelled timer does."""


@dataclass(eq=False)
class Work:
    """Real work under way; `end` may be called more than once."""

    clock: _Timers

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


_GRACE = 1.0
"""Real seconds that work which outlasted the patience has to end after a call, which may have been its time limit."""
_TIDY = 256
"""Timers on the heap before those that were cancelled are looked for."""


class _Timers:
    """The timers and the real work, for both clocks."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._working: set[Work] = set()
        self._closed = False
        self._tidy_at = _TIDY

    def now(self) -> datetime:
        raise NotImplementedError

    def call_at(self, when: datetime, action: Callable[[], None], name: str = "") -> Timer:
        timer = Timer(when, next(self._numbers), action, name)
        with self._changed:
            if not self._closed:
                self._push(timer)
        return timer

    def _push(self, timer: Timer) -> None:
        heapq.heappush(self._heap, timer)
        if len(self._heap) >= self._tidy_at:
            # Most time limits are cancelled long before they are due.
            self._heap = [live for live in self._heap if not live.cancelled]
            heapq.heapify(self._heap)
            self._tidy_at = max(_TIDY, 2 * len(self._heap))
        self._changed.notify_all()

    def call_in(self, seconds: float, action: Callable[[], None], name: str = "") -> Timer:
        return self.call_at(self.now() + timedelta(seconds=seconds), action, name)

    def begin(self) -> Work:
        work = Work(self)
        with self._changed:
            self._working.add(work)
        return work

    def finished(self, work: Work) -> None:
        with self._changed:
            self._working.discard(work)
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
    """Time that moves only by `advance`. It begins at `start` (UTC unless it names a zone; default: this second)."""

    def __init__(self, start: datetime | None = None) -> None:
        super().__init__()
        begin = start or datetime.now(UTC).replace(microsecond=0)
        self._now = begin.replace(tzinfo=UTC) if begin.tzinfo is None else begin.astimezone(UTC)
        self._advancing = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float = 0.0, patience: float = 30.0) -> datetime:
        """Move on by `seconds` and make the calls that fall due, each at its time and in order; returns the new time.

        Before each moment real work under way is waited for, at most `patience` real seconds: a process that hangs
        holds time for that long, then hardly. Threads take turns. Raises ValueError for less than no time.
        """
        if not seconds >= 0:
            raise ValueError("time does not run back")
        with self._advancing:
            end = self._now + timedelta(seconds=seconds)
            given_up: set[Work] = set()
            while True:
                self._settle(patience, given_up)
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
        return self._settle(patience, set())

    def _settle(self, patience: float, given_up: set[Work]) -> bool:
        """`settle`, with little patience for what was `given_up`; what outlasts the patience is added there."""
        begin = time.monotonic()
        with self._changed:
            while self._working and not self._closed:
                ready = patience if self._working - given_up else min(patience, _GRACE)
                left = begin + ready - time.monotonic()
                if left <= 0:
                    given_up |= self._working
                    return False
                self._changed.wait(left)
        return True
