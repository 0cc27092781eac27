"""What an alert's condition says of its time series at one moment: which violate it, and with what value."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cloudml_vertex.mock.around import aggregating, selecting, timeseries
from cloudml_vertex.mock.core.series import Series
from cloudml_vertex.mock.core.times import duration
from cloudml_vertex.mock.core.world import World

_RAW_WINDOW = 60.0


@dataclass(frozen=True)
class Reading:
    """One time series at one moment; `value` is what is held against the threshold, `at` the time of its last point."""

    key: str
    metric_type: str
    metric_labels: dict[str, str]
    resource_type: str
    resource_labels: dict[str, str]
    value: float
    at: float

    @property
    def resource(self) -> str:
        """What tells one monitored resource from another."""
        return json.dumps([self.resource_type, sorted(self.resource_labels.items())])


def violates(body: dict[str, Any], value: float) -> bool:
    """COMPARISON_GT or COMPARISON_LT."""
    threshold = float(body.get("threshold_value", 0.0))
    return value > threshold if body["comparison"] == "COMPARISON_GT" else value < threshold


def readings(world: World, account: str, body: dict[str, Any], end: float) -> list[Reading]:
    """The value of each series of a threshold condition in its last alignment period before `end`.

    With a denominator: the ratio of the series with equal labels; none where the denominator has no data or is zero.
    """
    above = _latest(world, account, body["filter"], body.get("aggregations", ()), end)
    if "denominator_filter" not in body:
        return above
    below = {
        _labels_key(one): one.value
        for one in _latest(world, account, body["denominator_filter"], body.get("denominator_aggregations", ()), end)
    }
    return [
        Reading(**{**vars(one), "value": one.value / below[_labels_key(one)]})
        for one in above
        if below.get(_labels_key(one))
    ]


def last_points(world: World, account: str, body: dict[str, Any], start: float, end: float) -> list[Reading]:
    """The last point of each series of an absence condition."""
    rows = _aggregated(world, account, body["filter"], body.get("aggregations", ()), start, end)
    return [_reading(row) for row in rows if row.points]


def _latest(
    world: World, account: str, filter_: str, aggregations: Sequence[dict[str, Any]], end: float
) -> list[Reading]:
    period = duration(aggregations[0].get("alignment_period", "0s")) if aggregations else 0.0
    start = end - (period or _RAW_WINDOW)
    found = [_reading(row) for row in _aggregated(world, account, filter_, aggregations, start, end) if row.points]
    return [one for one in found if not math.isnan(one.value)]


def _aggregated(
    world: World, account: str, filter_: str, aggregations: Sequence[dict[str, Any]], start: float, end: float
) -> list[Series]:
    expression, _ = selecting.expression(filter_)
    steps = [aggregating.checked(one) for one in aggregations]
    first = steps[0].period if steps else 0.0
    rows = timeseries.select(world, account, expression, start - first, end)
    if not any(step.aligner for step in steps):
        for row in rows:
            row.points = [point for point in row.points if point[1] > start]
    for step in steps:
        rows = aggregating.aggregated(rows, step, start, end)
    return rows


def _reading(row: Series) -> Reading:
    _, at, value = row.points[-1]
    number = float(value.get("mean", 0.0)) if isinstance(value, dict) else float(value)
    key = json.dumps([row.metric_type, sorted(row.metric_labels.items()), row.resource_type, _sorted(row)])
    return Reading(key, row.metric_type, row.metric_labels, row.resource_type, row.resource_labels, number, at)


def _sorted(row: Series) -> list[tuple[str, str]]:
    return sorted(row.resource_labels.items())


def _labels_key(one: Reading) -> str:
    return json.dumps([sorted(one.metric_labels.items()), sorted(one.resource_labels.items())])
