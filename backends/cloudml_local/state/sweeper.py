"""Removal behind the driver's back: taking a folder off a disk costs milliseconds that no step should wait for."""

from __future__ import annotations

from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from cloudml_local.state.store import sweep


class Sweeper:
    """Removes folders in a thread, in the order given. What a killed driver leaves, `gc` removes with its run."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Path | None] = SimpleQueue()
        self._thread: Thread | None = None

    def sweep(self, path: Path) -> None:
        """Remove a file or folder soon; what cannot be removed stays."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="cloudml-sweeper", daemon=True)
            self._thread.start()
        self._queue.put(path)

    def close(self) -> None:
        """Wait until all is removed."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (path := self._queue.get()) is not None:
            sweep(path)
