"""SIGINT and SIGTERM as bytes on a pipe, so that the loop sees them between two transitions and never inside one."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any


class Signals:
    """Catches while it is open; only the main thread can, elsewhere the pipe stays silent."""

    def __init__(self) -> None:
        self.fd, self._writing = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._writing, False)
        self._previous: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}

    def _note(self, number: int, frame: Any) -> None:
        os.write(self._writing, b"!")

    def read(self) -> int:
        """How many signals came since the last look."""
        try:
            return len(os.read(self.fd, 64))
        except BlockingIOError:
            return 0

    def close(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._writing)
