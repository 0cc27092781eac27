"""Real work in the background: so many jobs at a time, the rest in a queue; a held clock waits for all of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cloudml.mocks.clock import Clock

log = logging.getLogger(__name__)


class Workers:
    """`submit` runs a call on a thread, at most `size` at a time. A call must not wait for another call here."""

    def __init__(self, clock: Clock, size: int) -> None:
        self._clock = clock
        self._pool = ThreadPoolExecutor(max_workers=size, thread_name_prefix="mock-job")

    def submit(self, call: Callable[[], None], name: str) -> None:
        """Run `call` when there is room. It handles its own failures; one that escapes is logged under `name`."""
        work = self._clock.begin()

        def run() -> None:
            try:
                call()
            except Exception:
                log.exception("%s failed inside the mock", name)
            finally:
                work.end()

        try:
            self._pool.submit(run)
        except RuntimeError:  # shutting down
            work.end()

    def close(self) -> None:
        """Take no more; what waits is dropped, what runs is left to end (its processes are killed elsewhere)."""
        self._pool.shutdown(wait=False, cancel_futures=True)
