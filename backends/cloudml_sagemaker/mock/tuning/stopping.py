"""Stopping trials early: AWS's median rule, and successive halving for Hyperband."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

FIRST_STEPS = 1
"""A trial is never judged on fewer reports than this."""


def median_says_stop(trial: Sequence[float], others: Sequence[Sequence[float]], *, maximize: bool) -> bool:
    """Whether a trial's last value is worse than the median of the running averages of the others up to that step.

    The rule of TrainingJobEarlyStoppingType=Auto (developer guide, "Stop training jobs early").
    """
    step = len(trial)
    if step <= FIRST_STEPS:
        return False
    averages = [statistics.fmean(other[:step]) for other in others if len(other) >= step]
    if not averages:
        return False
    middle = statistics.median(averages)
    return trial[-1] < middle if maximize else trial[-1] > middle


def halving_says_stop(
    name: str, reports: Mapping[str, Sequence[float]], low: int, high: int, *, maximize: bool, factor: int = 3
) -> bool:
    """Whether Hyperband ends a trial: at `high` reports always; at each rung below unless in the best 1/`factor` there.

    A rung is low, low*factor, low*factor² ... reports. A trial alone at its rung goes on.
    """
    step = len(reports[name])
    if step >= high:
        return True
    rung = low
    while rung < step:
        rung *= factor
    if rung != step:
        return False
    there = sorted((values[step - 1] for values in reports.values() if len(values) >= step), reverse=maximize)
    best = there[max(0, len(there) // factor - 1)] if len(there) >= factor else there[-1]
    return reports[name][-1] < best if maximize else reports[name][-1] > best
