"""What a schedule does at a moment: a pure function of its document and of how many of its runs are under way.

Schedule's own documentation says what its limits mean: `max_concurrent_active_run_count` counts runs that have not
ended, `allow_queueing` decides whether what is over it waits or is skipped, `max_run_count` counts what was started.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SKIPPED = "Skipped: the maximum number of concurrent active runs was reached."
"""`run_response` of a run that was due and did not start."""


@dataclass(frozen=True)
class Limits:
    """Of a schedule; `None` where there is none."""

    active: int | None = None
    runs: int | None = None
    queueing: bool = False


@dataclass(frozen=True)
class Moment:
    """`start`: the scheduled times to start now; `skip`: those to skip; `queue`: those that wait; `completed`: the
    schedule has started all the runs that it may."""

    start: tuple[float, ...] = ()
    skip: tuple[float, ...] = ()
    queue: tuple[float, ...] = ()
    completed: bool = False


def due(limits: Limits, queue: Sequence[float], now_due: Sequence[float], *, active: int, started: int) -> Moment:
    """What to do with the runs that wait (`queue`) and with those that fall due now."""
    start: list[float] = []
    skip: list[float] = []
    wait: list[float] = []
    waiting = len(queue)
    for number, moment in enumerate([*queue, *now_due]):
        if limits.runs is not None and started + len(start) >= limits.runs:
            break
        if limits.active is None or active + len(start) < limits.active:
            start.append(moment)
        elif limits.queueing or number < waiting:
            wait.append(moment)
        else:
            skip.append(moment)
    completed = limits.runs is not None and started + len(start) >= limits.runs
    return Moment(tuple(start), tuple(skip), () if completed else tuple(wait), completed)
