"""Who drives a run: a lock that the kernel releases when its holder dies, however it dies. No clock is asked."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path


class RunLock:
    """An exclusive lock on a file; the file holds the holder's process id."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self) -> bool:
        """Take it, or say that another process has it. A few tries: an onlooker holds it for an instant."""
        return any(self._try(wait) for wait in (0.0, 0.02, 0.05, 0.1))

    def _try(self, wait: float) -> bool:
        time.sleep(wait)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        self._fd = fd
        return True

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def holder(path: Path) -> int | None:
    """The process id that holds the lock now, or None."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(fd, 32, 0).decode(errors="replace")
        return int(text) if text.isdigit() else -1
    finally:
        os.close(fd)
    return None
