"""Time series of a project: what Cloud Monitoring holds, written by rooms and by clients, bounded, kept with the state.

A point is [start, end, value], in seconds since the epoch; the value is a number, a bool, a text, or a Distribution
document. A DELTA point covers one minute, as Google samples its own metrics every 60 seconds; a room's additions within
the minute become one point.
"""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudml.mocks.store import Document, Scope, Table
from cloudml_vertex.mock.core.entries import everywhere
from cloudml_vertex.mock.core.world import World

KIND = "SeriesChunk"
"""The table: one document for an hour of one series."""
MOST_CHUNKS = 20_000
"""Hours of series that one project keeps; the oldest go first."""
MOST_POINTS = 720
"""Points of one hour: one every 5 seconds, as often as Cloud Monitoring lets users write."""
_HOUR = 3600
_MINUTE = 60

GROWTH, SCALE, BUCKETS = 1.1, 0.1, 160
"""Exponential buckets of the distributions that rooms write: 0.1 to about 4e5, each a tenth wider (Distribution's
`exponential_buckets`: bucket i is from SCALE * GROWTH**(i-1) to SCALE * GROWTH**i)."""


@dataclass
class Series:
    """One time series as far as it was asked for; points oldest first."""

    metric_type: str
    metric_labels: dict[str, str]
    resource_type: str
    resource_labels: dict[str, str]
    kind: str
    value_type: str
    points: list[list[Any]] = field(default_factory=list)


def add(
    world: World,
    scope: Scope,
    metric_type: str,
    metric_labels: Mapping[str, str],
    resource_type: str,
    resource_labels: Mapping[str, str],
    value: float | Iterable[float],
    kind: str = "GAUGE",
    value_type: str = "INT64",
    at: float | None = None,
) -> None:
    """Add what a service measured; `at` in seconds since the epoch, now by the world's clock unless given.

    GAUGE: the value at that time. DELTA: added to what its minute has; a DISTRIBUTION takes one sample or several.
    Takes the world's lock.
    """
    when = world.now() if at is None else at
    found = Series(metric_type, dict(metric_labels), resource_type, dict(resource_labels), kind, value_type)
    with world.lock:
        if kind == "DELTA":
            start = math.floor(when / _MINUTE) * _MINUTE
            put(world, scope.account, found, _Addition(start, start + _MINUTE, value))
        else:
            put(world, scope.account, found, _Addition(when, when, value))


@dataclass(frozen=True)
class _Addition:
    start: float
    end: float
    value: Any

    def onto(self, before: Any, kind: str, value_type: str) -> Any:
        """The value of a point that had `before` (None: a new one)."""
        if value_type == "DISTRIBUTION" and not isinstance(self.value, Mapping):
            samples = [self.value] if isinstance(self.value, int | float) else self.value
            return sampled(samples, before if kind == "DELTA" else None)
        if kind == "DELTA" and before is not None:
            return before + self.value
        return self.value


def complete(start: float, end: float, value: Any) -> _Addition:
    """A complete point, for `put`: nothing is added to it."""
    return _Addition(start, end, value)


def put(world: World, account: str, series: Series, addition: _Addition) -> None:
    """Keep one point of the series, joined to one that has the same end. Needs the world's lock."""
    table = world.table(KIND, everywhere(account))
    key = f"{_identity(series)}#{int(addition.end // _HOUR)}"
    chunk = table.get(key)
    if chunk is None:
        fresh = Series(
            series.metric_type,
            series.metric_labels,
            series.resource_type,
            series.resource_labels,
            series.kind,
            series.value_type,
        )
        chunk = {**vars(fresh), "points": []}
        _bound(table)
    points = chunk["points"]
    index = bisect.bisect_left(points, addition.end, key=lambda entry: float(entry[1]))
    if index < len(points) and points[index][1] == addition.end:
        points[index][2] = addition.onto(points[index][2], series.kind, series.value_type)
    else:
        value = addition.onto(None, series.kind, series.value_type)
        points.insert(index, [addition.start, addition.end, value])
        del points[:-MOST_POINTS]
    table.put(key, chunk)


def last(world: World, account: str, series: Series) -> list[Any] | None:
    """The newest point of exactly this series. Takes the world's lock."""
    identity = _identity(series)
    with world.lock:
        hours = [chunk["points"] for key, chunk in _rows(world, account) if key.rpartition("#")[0] == identity]
    newest = [points[-1] for points in hours if points]
    return max(newest, key=lambda entry: float(entry[1]), default=None)


def query(
    world: World,
    scope: Scope,
    wanted: Callable[[Series], bool],
    start: float | None = None,
    end: float | None = None,
) -> list[Series]:
    """The series that `wanted` takes, with the points whose end is in (start, end], both in seconds since the epoch.

    Only series that have such a point, in the order in which they were first written. Takes the world's lock.
    """
    first = float("-inf") if start is None else start
    latest = float("inf") if end is None else end
    found: dict[str, Series | None] = {}
    with world.lock:
        for key, chunk in _rows(world, scope.account):
            identity, _, hour = key.rpartition("#")
            if not (first < (int(hour) + 1) * _HOUR and int(hour) * _HOUR <= latest):
                continue
            if identity not in found:
                series = Series(**{**chunk, "points": []})
                found[identity] = series if wanted(series) else None
            kept = found[identity]
            if kept is not None:
                kept.points += [list(entry) for entry in chunk["points"] if first < entry[1] <= latest]
    result = [series for series in found.values() if series is not None and series.points]
    for series in result:
        series.points.sort(key=lambda entry: float(entry[1]))
    return result


def forget(world: World, account: str, metric_type: str) -> None:
    """Drop every series of a metric type. Takes the world's lock."""
    with world.lock:
        table = world.table(KIND, everywhere(account))
        for key, chunk in table.items():
            if chunk["metric_type"] == metric_type:
                table.delete(key)


def kinds(world: World, account: str) -> dict[str, tuple[str, str]]:
    """Metric kind and value type of every metric type that was written. Takes the world's lock."""
    with world.lock:
        rows = [chunk for _, chunk in _rows(world, account)]
    return {chunk["metric_type"]: (chunk["kind"], chunk["value_type"]) for chunk in rows}


def sampled(samples: Iterable[float], before: Document | None = None) -> Document:
    """A Distribution document of the samples, joined to `before` (one that this function made)."""
    found = before or {"count": 0, "mean": 0.0, "sum_of_squared_deviation": 0.0, "bucket_counts": []}
    count, mean, squares = int(found["count"]), float(found["mean"]), float(found["sum_of_squared_deviation"])
    buckets = list(found["bucket_counts"])
    for sample in samples:
        count += 1
        step = sample - mean
        mean += step / count
        squares += step * (sample - mean)
        index = _bucket(sample)
        buckets += [0] * (index + 1 - len(buckets))
        buckets[index] += 1
    options = {"num_finite_buckets": BUCKETS, "growth_factor": GROWTH, "scale": SCALE}
    return {
        "count": count,
        "mean": mean,
        "sum_of_squared_deviation": squares,
        "bucket_options": {"exponential_buckets": options},
        "bucket_counts": buckets,
    }


def _bucket(sample: float) -> int:
    """0 below SCALE, BUCKETS + 1 above all."""
    if sample < SCALE:
        return 0
    index = math.floor(math.log(sample / SCALE, GROWTH)) + 1
    while SCALE * GROWTH**index <= sample:  # what the logarithm rounds
        index += 1
    return min(index, BUCKETS + 1)


def _identity(series: Series) -> str:
    labels = [sorted(series.metric_labels.items()), sorted(series.resource_labels.items())]
    return json.dumps([series.metric_type, series.resource_type, *labels])


def _rows(world: World, account: str) -> list[tuple[str, Document]]:
    return world.table(KIND, everywhere(account)).items()


def _bound(table: Table) -> None:
    """Make room for one more."""
    for key, _ in table.items()[: len(table) + 1 - MOST_CHUNKS] if len(table) >= MOST_CHUNKS else ():
        table.delete(key)
