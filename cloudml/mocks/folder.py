"""The folder of `--state`: of one mock at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from cloudml.errors import MockError


class StateFolder:
    """Made when it is not there, and locked until `close`. Raises MockError when another mock has it."""

    LOCK = "lock"

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self.path / self.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise MockError(f"the state folder cannot be used: {error.strerror}", where=str(path)) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._lock, 20, 0).decode(errors="replace").strip() or "?"
            os.close(self._lock)
            raise MockError(
                f"a mock that runs already has this state folder (process {holder})",
                where=str(path),
                hint="stop it, or take another folder",
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Let another mock have it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
