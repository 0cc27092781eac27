"""A child that must not outlive its parent, even when the parent is killed and can tell nobody."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.5


def die_with(parent: int) -> None:
    """End this process when the process `parent` ends: by the kernel on Linux, by watching elsewhere."""
    if not (sys.platform == "linux" and _ask_the_kernel()):
        threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()
    # The parent may have died before the request reached the kernel.
    if os.getppid() != parent:
        os._exit(1)


def _ask_the_kernel() -> bool:
    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(1)
