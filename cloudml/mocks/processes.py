"""The processes of one job: waiting for all of them, and ending them as a cloud does."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence

from cloudml.mocks.sandbox import JobLost, Process

GRACE_SECONDS = 120.0
"""Real seconds between SIGTERM and SIGKILL on SageMaker (API reference, StopTrainingJob; guide for processing)."""
LOST = 256
"""Stands for the exit code of a process of which nobody knows it."""


def wait_for(processes: Sequence[Process], stopping: Callable[[], bool]) -> int:
    """Until every process has ended, or one has failed: then the others are killed, unless the job is `stopping`.

    The first exit code that is not 0 (see `exit_code`), or 0.
    """
    if len(processes) == 1:
        return exit_code(processes[0])
    codes: queue.SimpleQueue[int] = queue.SimpleQueue()
    for process in processes:
        threading.Thread(target=lambda one=process: codes.put(exit_code(one)), name="mock-wait", daemon=True).start()
    worst = 0
    for _ in processes:
        code = codes.get()
        if code and not worst:
            worst = code
            if not stopping():
                for process in processes:
                    process.kill()
    return worst


def exit_code(process: Process) -> int:
    """The exit code; of a signal, 128 and its number, as every shell tells it; `LOST` when nobody knows."""
    try:
        code = process.wait()
    except JobLost:
        return LOST
    assert code is not None
    return code if code >= 0 else 128 - code


def terminate(processes: Sequence[Process], grace: float | None = None) -> None:
    """SIGTERM to each, SIGKILL to those that still run after `grace` real seconds (default: `GRACE_SECONDS`); returns
    when all have ended."""
    for process in processes:
        process.terminate()
    limit = time.monotonic() + (GRACE_SECONDS if grace is None else grace)
    for process in processes:
        with contextlib.suppress(JobLost):
            if process.wait(max(0.0, limit - time.monotonic())) is None:
                process.kill()
                process.wait()
