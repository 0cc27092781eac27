"""Stopping trials early, by the rules that the docstrings of StudySpec's three stopping specs tell.

A curve is a list of (where, value): steps, or seconds where the spec says `use_elapsed_duration`. Values are such that
more is better.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

Document = dict[str, Any]
Curve = Sequence[tuple[float, float]]

_MEASUREMENTS = 5
"""ConvexAutomatedStoppingSpec.min_measurement_count unless given."""
_CURVE_MEASUREMENTS = 3
"""A decay curve needs some points before anything can be told of it."""


def median_says_stop(trial: Curve, completed: Sequence[Curve]) -> bool:
    """Whether the trial's best value is strictly below the median of the others' running averages up to there."""
    if not trial:
        return False
    last = trial[-1][0]
    averages = [statistics.fmean(values) for other in completed if (values := [v for at, v in other if at <= last])]
    return bool(averages) and max(value for _, value in trial) < statistics.median(averages)


def overestimate(trial: Curve, end: float) -> float | None:
    """The value at `end` if the curve went on as steeply as it does now: one that flattens stays below.

    None for a flat curve, of which nothing can be told.
    """
    (before, low), (last, high) = trial[-2], trial[-1]
    if low == high or last == before:
        return None
    return high + max(0.0, (high - low) / (last - before)) * max(0.0, end - last)


def convex_says_stop(trial: Curve, completed: Sequence[Curve], spec: Document) -> tuple[float, float] | None:
    """The end and the value predicted for it when the trial is to be stopped; None when it goes on."""
    least = spec.get("min_measurement_count") or _MEASUREMENTS
    if len(completed) < least + 1 or len(trial) < max(2, least):
        return None
    end = float(spec.get("max_step_count") or max(curve[-1][0] for curve in completed))
    first = float(spec["min_step_count"]) if "min_step_count" in spec else end / 10
    predicted = overestimate(trial, end) if trial[-1][0] > first else None
    if predicted is None or predicted >= max(curve[-1][1] for curve in completed):
        return None
    return end, predicted


def decay_says_stop(trial: Curve, completed: Sequence[Curve]) -> bool:
    """Whether the trial can hardly exceed the best value found so far.

    Google fits a Gaussian process; here the steepest line through two neighbouring points from the curve's middle on
    stands for the upper end of what it would allow.
    """
    if len(trial) < _CURVE_MEASUREMENTS or not completed:
        return False
    end = max(curve[-1][0] for curve in completed)
    later = trial[max(0, len(trial) // 2 - 1) :]
    slopes = [(b - a) / (y - x) for (x, a), (y, b) in pairwise(later) if y > x]
    reach = max(value for _, value in trial) + max(0.0, *slopes) * max(0.0, end - trial[-1][0])
    return reach < max(value for curve in completed for _, value in curve)
