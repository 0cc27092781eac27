"""Changes of state, told to whoever asked: one thread tells them, in the order in which they happened."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cloudml.mocks.clock import Clock, Work
from cloudml.mocks.store import Document, Scope

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """`kind` (the table's, e.g. "TrainingJob") `name` went from status `before` to `after`; `document` as it is now.

    `details` is what the kind adds: an execution step's change carries its step there, for example.
    """

    kind: str
    scope: Scope
    name: str
    before: str
    after: str
    document: Document
    details: Mapping[str, Any] = field(default_factory=dict)


Subscriber = Callable[[Change], None]


class Bus:
    """Publish under `World.lock` or outside; subscribers are called later, on the bus's thread, without the lock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: queue.SimpleQueue[tuple[Change | None, Work | None]] = queue.SimpleQueue()
        self._subscribers: list[tuple[frozenset[str], Subscriber]] = []
        self._thread: threading.Thread | None = None

    def subscribe(self, subscriber: Subscriber, *kinds: str) -> None:
        """Tell `subscriber` every change of those kinds; of all when none is named."""
        self._subscribers.append((frozenset(kinds), subscriber))

    def start(self) -> None:
        """Begin to tell."""
        self._thread = threading.Thread(target=self._run, name="mock-bus", daemon=True)
        self._thread.start()

    def publish(self, change: Change) -> None:
        """Tell everyone, soon. A held clock waits for it."""
        # Told later: by then the document may say more than this change.
        seen = replace(change, document=dict(change.document))
        self._queue.put((seen, self._clock.begin()))

    def close(self) -> None:
        """Tell what is still waiting, then end."""
        self._queue.put((None, None))
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while True:
            change, work = self._queue.get()
            if change is None:
                return
            for kinds, subscriber in self._subscribers:
                if not kinds or change.kind in kinds:
                    try:
                        subscriber(change)
                    except Exception:
                        log.exception("a subscriber failed on %s %s", change.kind, change.name)
            if work is not None:
                work.end()
