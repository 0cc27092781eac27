"""What a running step says about itself: intermediate values, progress, and where its checkpoint lies.

Outside of a step these functions check their arguments and do nothing, so that the same code runs under pytest.
"""

from __future__ import annotations

import json
import math
import os
import time
from typing import TYPE_CHECKING

from cloudml.runtime.failures import TrialPruned

if TYPE_CHECKING:
    from pathlib import Path

    from cloudml.runtime.envelope import Envelope, Pruning

__all__ = ["Recorder", "TrialPruned", "checkpoint_dir", "progress", "record_to", "report"]

PROGRESS_INTERVAL = 0.2


class Recorder:
    """Keeps the reports of one attempt, on disk as they come, and decides whether a trial goes on."""

    def __init__(self, envelope: Envelope) -> None:
        self.reports: list[tuple[int, float]] = []
        self._reports_path = envelope.reports
        self._progress_path = envelope.progress
        self._pruning = envelope.pruning
        self._next_progress = 0.0
        self.checkpoint = envelope.checkpoint

    def report(self, value: float, step: int | None) -> None:
        """Append one report; raises TrialPruned when the trial is worse than its elders."""
        last = self.reports[-1][0] if self.reports else 0
        number = last + 1 if step is None else step
        if self.reports and number <= last:
            raise ValueError(f"report(step={number}) after step {last}: steps must rise")
        if not math.isfinite(value):
            if self._pruning is None:
                raise ValueError(f"report({value}) at step {number}: a report must be finite")
            raise TrialPruned(f"the report at step {number} is {value}")
        self.reports.append((number, value))
        self._append(json.dumps([number, value]) + "\n")
        if self._pruning is not None and _is_hopeless(self.reports, self._pruning):
            raise TrialPruned(f"worse than the median of earlier trials at step {number}")

    def progress(self, done: float, total: float, text: str) -> None:
        """Write the progress file, unless it was written a moment ago; the end is always written."""
        now = time.monotonic()
        if now < self._next_progress and done < total:
            return
        self._next_progress = now + PROGRESS_INTERVAL
        temporary = f"{self._progress_path}.{os.getpid()}.tmp"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(json.dumps({"done": done, "total": total, "text": text}))
        os.replace(temporary, self._progress_path)

    def _append(self, line: str) -> None:
        # One write to a file in append mode: a reader never sees half a line followed by another.
        descriptor = os.open(self._reports_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def _is_hopeless(reports: list[tuple[int, float]], pruning: Pruning) -> bool:
    median = pruning.medians.get(str(reports[-1][0]))
    if median is None or len(reports) <= pruning.warmup_reports:
        return False
    values = [value for _, value in reports]
    return max(values) < median if pruning.direction == "maximize" else min(values) > median


_recorder: Recorder | None = None


def record_to(recorder: Recorder | None) -> None:
    """Send what follows to `recorder`; None ends it. A process runs one step at a time."""
    global _recorder  # noqa: PLW0603 - not a ContextVar: reports may come from the threads of the user
    _recorder = recorder


def report(value: float, step: int | None = None) -> None:
    """Record an intermediate value, such as the validation score of an epoch.

    `step` counts from 1 by itself when it is not given, and must rise. In a trial of a tuning step with pruning,
    this raises TrialPruned when the trial's best value so far is worse than the median of earlier trials.

    Raises:
        TypeError: `value` is not a number, or `step` not an int.
        ValueError: `value` is not finite, or `step` does not rise.
        TrialPruned: stop here; let it pass.
    """
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        raise TypeError(f"report() takes a number, not {type(value).__name__} ({value!r:.60})")
    if step is not None and (isinstance(step, bool) or not hasattr(step, "__index__")):
        raise TypeError(f"report(step=...) takes an int, not {type(step).__name__} ({step!r:.60})")
    if _recorder is not None:
        _recorder.report(float(value), None if step is None else step.__index__())


def progress(done: float, total: float, text: str = "") -> None:
    """Say how far the step is: `done` of `total`, in any unit. Cheap enough to call in a loop.

    Raises:
        TypeError: a count is not a number.
    """
    for count in (done, total):
        if isinstance(count, bool) or not hasattr(count, "__float__"):
            raise TypeError(f"progress() takes numbers, not {type(count).__name__} ({count!r:.60})")
    if _recorder is not None:
        _recorder.progress(float(done), float(total), str(text))


def checkpoint_dir() -> Path | None:
    """The folder that outlives this attempt, for a step declared with `checkpoint=True`; else None."""
    if _recorder is None or _recorder.checkpoint is None:
        return None
    from pathlib import Path

    path = Path(_recorder.checkpoint)
    path.mkdir(parents=True, exist_ok=True)
    return path
