"""Real work in the background: so many jobs at a time, the rest in a queue; a held clock waits for all of it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from cloudml.mocks.clock import Clock, Work

log = logging.getLogger(__name__)


class Workers:
    """`submit` runs a call on a thread, at most `size` at a time. A call must not wait for another call here.

    The threads are daemons, unlike those of the standard library's pools: a program that ends without stopping its mock
    ends at once, not when the last job does.
    """

    def __init__(self, clock: Clock, size: int) -> None:
        self._clock = clock
        self._size = size
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Callable[[], None], str, Work]] = deque()
        self._threads: set[threading.Thread] = set()
        self._closed = False

    def submit(self, call: Callable[[], None], name: str) -> None:
        """Run `call` when there is room. It handles its own failures; one that escapes is logged under `name`."""
        with self._lock:
            if self._closed:
                return
            if len(self._threads) < self._size:
                thread = threading.Thread(target=self._run, name="mock-job", daemon=True)
                thread.start()  # it looks for work when it gets the lock
                self._threads.add(thread)
            self._waiting.append((call, name, self._clock.begin()))

    def close(self) -> None:
        """Take no more; what waits is dropped, what runs is left to end."""
        with self._lock:
            self._closed = True
            dropped = [work for _, _, work in self._waiting]
            self._waiting.clear()
        for work in dropped:
            work.end()

    def join(self, seconds: float) -> None:
        """After `close`: wait, at most so many real seconds, until what ran has ended."""
        limit = time.monotonic() + seconds
        with self._lock:
            threads = self._threads - {threading.current_thread()}
        for thread in threads:
            thread.join(max(0.0, limit - time.monotonic()))

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads.discard(threading.current_thread())
                    return
                call, name, work = self._waiting.popleft()
            try:
                call()
            except Exception:
                log.exception("%s failed inside the mock", name)
            finally:
                work.end()
