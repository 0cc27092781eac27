"""Processes by number and start time: a number alone may belong to a stranger by now."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

_POLL_SECONDS = 0.02
_HAS_PROC = os.path.exists("/proc/self/stat")


def start_time(pid: int) -> str | None:
    """When the process started, as text that no other process with that number has; None when it does not run."""
    return _from_proc(pid) if _HAS_PROC else _from_ps(pid)


def is_running(pid: int | None, started: str) -> bool:
    """Is that very process still there (and not merely waiting to be reaped)?"""
    return pid is not None and bool(started) and start_time(pid) == started


def wait_gone(pid: int, started: str, seconds: float) -> bool:
    """Wait until the process has ended; False when it is still there after `seconds`."""
    deadline = time.monotonic() + seconds
    while is_running(pid, started):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def kill(pid: int, started: str) -> None:
    """SIGKILL that very process, if it is still there, and wait for its end."""
    if is_running(pid, started):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        wait_gone(pid, started, 5.0)


def _from_proc(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The second field, the command's name, may hold anything, also spaces and parentheses.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    # Ticks count from boot, so the boot belongs to the identity.
    return f"{_boot()}-{fields[19].decode()}"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    except OSError:
        return "boot"


def _from_ps(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the number is ours
    answer = listed.stdout.split(maxsplit=1)
    return None if len(answer) < 2 or answer[0].startswith("Z") else answer[1].strip()
