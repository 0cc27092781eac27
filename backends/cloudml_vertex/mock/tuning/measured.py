"""What trials report: lines of the metric file become measurements, and one of these the final one.

The file's form is that of Google's cloudml-hypertune package: a JSON object a line, with the metric under its name and
the step under `global_step`, numbers written as text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

Document = dict[str, Any]


def goal_is_up(metric: Document) -> bool:
    """Whether more is better."""
    return bool(metric.get("goal") != "MINIMIZE")


def take_in(trial: Document, metrics: Sequence[Document], line: str, elapsed: float) -> bool:
    """Add what a line of the metric file says to the trial's measurements; whether it says anything.

    Measurements stay strictly ordered by step (Trial.measurements): one that goes back is left out, and what has the
    last one's step belongs to it. `elapsed` are the seconds since the trial's start.
    """
    found = _parsed(line)
    if found is None:
        return False
    known = [one["metric_id"] for one in metrics]
    values = {name: value for name in known if (value := _number(found.get(name))) is not None}
    if not values:
        return False
    past = trial.setdefault("measurements", [])
    step = int(_number(found.get("global_step")) or 0)
    if past and step < past[-1].get("step_count", 0):
        return False
    if not past or step > past[-1].get("step_count", 0):
        past.append({"step_count": step, "metrics": []})
    held = {one["metric_id"]: one.get("value", 0.0) for one in past[-1]["metrics"]} | values
    past[-1]["metrics"] = [{"metric_id": name, "value": held[name]} for name in known if name in held]
    past[-1]["elapsed_duration"] = f"{max(0.0, elapsed):.3f}".rstrip("0").rstrip(".") + "s"
    return True


def values_of(measurement: Document, metrics: Sequence[Document]) -> list[float] | None:
    """The values of all metrics, in the study's order; None when one is missing."""
    held = {one["metric_id"]: float(one.get("value", 0.0)) for one in measurement.get("metrics") or []}
    names = [one["metric_id"] for one in metrics]
    return [held[name] for name in names] if all(name in held for name in names) else None


def final(trial: Document, study_spec: Document) -> Document | None:
    """The measurement that counts: the last one, or the best by the first metric where the study says so."""
    metrics = study_spec["metrics"]
    whole = [one for one in trial.get("measurements") or [] if values_of(one, metrics) is not None]
    if not whole:
        return None
    if study_spec.get("measurement_selection_type") != "BEST_MEASUREMENT":
        return dict(whole[-1])
    sign = 1 if goal_is_up(metrics[0]) else -1
    best: Document = max(whole, key=lambda one: sign * (values_of(one, metrics) or [0.0])[0])
    return dict(best)


def series(trial: Document, metrics: Sequence[Document], *, elapsed: bool = False) -> list[tuple[float, float]]:
    """Where (step, or seconds since the start) and how much, of the first metric."""
    found = []
    for one in trial.get("measurements") or []:
        values = values_of(one, metrics[:1])
        if values is not None:
            at = float(one["elapsed_duration"].rstrip("s")) if elapsed else float(one.get("step_count", 0))
            found.append((at, values[0]))
    return found


def _parsed(line: str) -> Document | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _number(value: Any) -> float | None:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
