"""Alignment of each time series and reduction across series (google.monitoring.v3.Aggregation, whose rules these are).

Periods are counted back from the end of the request. A point belongs to the period in which its end lies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cloudml_vertex.mock.around import statistics
from cloudml_vertex.mock.core.errors import GoogleError, invalid, not_executed
from cloudml_vertex.mock.core.series import Series
from cloudml_vertex.mock.core.times import duration

_NUMBERS = frozenset({"INT64", "DOUBLE"})
_GAUGE_DELTA = frozenset({"GAUGE", "DELTA"})
_RUNNING = frozenset({"CUMULATIVE", "DELTA"})
_MOST_PERIODS = 100_000
_SHORTEST, _LONGEST = 60.0, 104 * 7 * 86400.0

Points = Sequence[Sequence[Any]]
"""[start, end, value], oldest first."""


@dataclass(frozen=True)
class _Rule:
    """For which series an operation is valid, what it gives ("" : as before), and its result for one period."""

    kinds: frozenset[str]
    types: frozenset[str]
    gives: str
    of: Callable[[list[Any], float], Any]
    """Values of the period, and its length in seconds."""
    kind: str = "GAUGE"


def _mean(values: list[Any], _: float = 0) -> float:
    if isinstance(values[0], dict):
        return float(statistics.merged(values).get("mean", 0.0))
    return math.fsum(values) / len(values)


def _sum(values: list[Any], _: float = 0) -> Any:
    return statistics.merged(values) if isinstance(values[0], dict) else sum(values)


def _deviation(values: list[Any], _: float = 0) -> float:
    if isinstance(values[0], dict):
        whole = statistics.merged(values)
        count = int(whole.get("count", 0))
        return math.sqrt(whole["sum_of_squared_deviation"] / count) if count else 0.0
    return statistics.deviation(values)


def _percentile(percent: float) -> Callable[[list[Any], float], float]:
    def of(values: list[Any], _: float = 0) -> float:
        if isinstance(values[0], dict):
            return statistics.percentile(statistics.merged(values), percent)
        return statistics.rank_of(values, percent)

    return of


def _count_of(wanted: bool) -> Callable[[list[Any], float], int]:
    return lambda values, _: sum(value is wanted for value in values)


_BOOLEAN, _DISTRIBUTION = frozenset({"BOOL"}), frozenset({"DISTRIBUTION"})
_ANY_SUM = _NUMBERS | _DISTRIBUTION
_ALIGNERS: dict[str, _Rule] = {
    "DELTA": _Rule(_RUNNING, _ANY_SUM, "", _sum, "DELTA"),
    "RATE": _Rule(_RUNNING, _NUMBERS, "DOUBLE", lambda values, period: sum(values) / period),
    "NEXT_OLDER": _Rule(frozenset({"GAUGE"}), _ANY_SUM | _BOOLEAN | {"STRING"}, "", lambda values, _: values[-1]),
    "MIN": _Rule(_GAUGE_DELTA, _NUMBERS, "", lambda values, _: min(values)),
    "MAX": _Rule(_GAUGE_DELTA, _NUMBERS, "", lambda values, _: max(values)),
    "MEAN": _Rule(_GAUGE_DELTA, _NUMBERS, "DOUBLE", _mean),
    "COUNT": _Rule(_GAUGE_DELTA, _NUMBERS | _BOOLEAN, "INT64", lambda values, _: len(values)),
    "SUM": _Rule(_GAUGE_DELTA, _ANY_SUM, "", _sum, ""),
    "STDDEV": _Rule(_GAUGE_DELTA, _NUMBERS, "DOUBLE", _deviation),
    "COUNT_TRUE": _Rule(frozenset({"GAUGE"}), _BOOLEAN, "INT64", _count_of(True)),
    "COUNT_FALSE": _Rule(frozenset({"GAUGE"}), _BOOLEAN, "INT64", _count_of(False)),
    "FRACTION_TRUE": _Rule(
        frozenset({"GAUGE"}), _BOOLEAN, "DOUBLE", lambda values, _: values.count(True) / len(values)
    ),
    **{
        f"PERCENTILE_{percent:02}": _Rule(_GAUGE_DELTA, _DISTRIBUTION, "DOUBLE", _percentile(percent))
        for percent in (99, 95, 50, 5)
    },
}
_REDUCERS: dict[str, _Rule] = {
    "MEAN": _Rule(_GAUGE_DELTA, _ANY_SUM, "DOUBLE", _mean),
    "MIN": _Rule(_GAUGE_DELTA, _NUMBERS, "", lambda values, _: min(values), ""),
    "MAX": _Rule(_GAUGE_DELTA, _NUMBERS, "", lambda values, _: max(values), ""),
    "SUM": _Rule(_GAUGE_DELTA, _ANY_SUM, "", _sum, ""),
    "STDDEV": _Rule(_GAUGE_DELTA, _ANY_SUM, "DOUBLE", _deviation),
    "COUNT": _Rule(_GAUGE_DELTA, _ANY_SUM | _BOOLEAN | {"STRING"}, "INT64", lambda values, _: len(values)),
    "COUNT_TRUE": _Rule(_GAUGE_DELTA, _BOOLEAN, "INT64", _count_of(True)),
    "COUNT_FALSE": _Rule(_GAUGE_DELTA, _BOOLEAN, "INT64", _count_of(False)),
    "FRACTION_TRUE": _Rule(_GAUGE_DELTA, _BOOLEAN, "DOUBLE", lambda values, _: values.count(True) / len(values)),
    **{
        f"PERCENTILE_{percent:02}": _Rule(_GAUGE_DELTA, _ANY_SUM, "DOUBLE", _percentile(percent))
        for percent in (99, 95, 50, 5)
    },
}
_NAMED = {"ALIGN_INTERPOLATE", "ALIGN_PERCENT_CHANGE"}


@dataclass(frozen=True)
class Aggregation:
    """A checked aggregation; `aligner` and `reducer` "" for none."""

    period: float = 0.0
    aligner: str = ""
    reducer: str = ""
    group_by: tuple[tuple[str, ...], ...] = ()


def checked(document: dict[str, Any] | None, *, longest: float = _LONGEST) -> Aggregation:
    """The aggregation of a request or of an alert. Raises INVALID_ARGUMENT; UNIMPLEMENTED for what is not executed."""
    given = document or {}
    aligner = str(given.get("per_series_aligner", "ALIGN_NONE"))
    reducer = str(given.get("cross_series_reducer", "REDUCE_NONE"))
    if aligner in _NAMED:
        raise not_executed(f"The aligner {aligner}", "align by ALIGN_MEAN or ALIGN_DELTA")
    period = duration(given["alignment_period"]) if "alignment_period" in given else 0.0
    if aligner == "ALIGN_NONE":
        if reducer != "REDUCE_NONE":
            raise invalid("cross_series_reducer needs a per_series_aligner other than ALIGN_NONE.")
        return Aggregation()
    if not _SHORTEST <= period <= longest:
        raise invalid(f"alignment_period must be at least 60 seconds and at most {longest:g}; it is {period:g}.")
    group_by = tuple(_selector(text) for text in given.get("group_by_fields", ()))
    name = "" if reducer == "REDUCE_NONE" else reducer.removeprefix("REDUCE_")
    return Aggregation(period, aligner.removeprefix("ALIGN_"), name, group_by)


def _selector(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip('"') for part in text.split(".", 2))
    if parts in {("resource", "type"), ("metric", "type"), ("project",)}:
        return parts
    if len(parts) == 3 and parts[0] in {"resource", "metric"} and parts[1] in {"label", "labels"}:
        return (parts[0], "labels", parts[2])
    raise invalid(f"group_by_fields: {text!r} is no label of a metric or of a resource.")


def aggregated(series: Sequence[Series], how: Aggregation, start: float, end: float) -> list[Series]:
    """The series aligned and reduced; start and end of the request in seconds since the epoch. INVALID_ARGUMENT."""
    if not how.aligner:
        return list(series)
    if (end - start) / how.period > _MOST_PERIODS:
        raise invalid("The interval has too many alignment periods.")
    aligned = [_aligned(one, how, start, end) for one in series]
    if not how.reducer:
        return aligned
    groups: dict[tuple[Any, ...], list[Series]] = {}
    for one in aligned:
        groups.setdefault((one.resource_type, *(_read(one, path) for path in how.group_by)), []).append(one)
    return [_reduced(group, how) for group in groups.values()]


def _aligned(series: Series, how: Aggregation, start: float, end: float) -> Series:
    rule = _rule(_ALIGNERS, how.aligner, "ALIGN_", series)
    points = _as_deltas(series.points) if series.kind == "CUMULATIVE" else series.points
    periods: dict[int, list[Any]] = {}
    for _, at, value in points:
        if start < at <= end:
            periods.setdefault(math.floor((end - at) / how.period), []).append(value)
    kind = rule.kind or series.kind
    found = []
    for back in sorted(periods, reverse=True):
        until = end - back * how.period
        begin = until - how.period if kind == "DELTA" else until
        found.append([begin, until, rule.of(periods[back], how.period)])
    return replace(series, kind=kind, value_type=rule.gives or series.value_type, points=found)


def _as_deltas(points: Points) -> list[list[Any]]:
    """What a cumulative series grew by; a point with a new start time counts from zero."""
    found = []
    for before, point in zip([None, *points], points, strict=False):
        goes_on = before is not None and before[0] == point[0]
        if goes_on and before is not None:
            found.append([before[1], point[1], point[2] - before[2]])
        elif before is not None:
            found.append([point[0], point[1], point[2]])
    return found


def _reduced(group: Sequence[Series], how: Aggregation) -> Series:
    rule = _rule(_REDUCERS, how.reducer, "REDUCE_", group[0])
    times: dict[float, list[Any]] = {}
    starts: dict[float, float] = {}
    for one in group:
        for begin, end, value in one.points:
            times.setdefault(end, []).append(value)
            starts[end] = begin
    kind = rule.kind or group[0].kind
    points = [[starts[end] if kind == "DELTA" else end, end, rule.of(times[end], how.period)] for end in sorted(times)]
    kept: dict[str, dict[str, str]] = {"metric": {}, "resource": {}}
    for path in how.group_by:
        value = _read(group[0], path)
        if len(path) == 3 and value is not None:
            kept[path[0]][path[2]] = value
    return replace(
        group[0],
        metric_labels=kept["metric"],
        resource_labels=kept["resource"],
        kind=kind,
        value_type=rule.gives or group[0].value_type,
        points=points,
    )


def _read(series: Series, path: tuple[str, ...]) -> str | None:
    if len(path) == 3:
        labels = series.metric_labels if path[0] == "metric" else series.resource_labels
        return labels.get(path[2])
    return {"resource": series.resource_type, "metric": series.metric_type}.get(path[0])


def _rule(table: dict[str, _Rule], name: str, prefix: str, series: Series) -> _Rule:
    rule = table.get(name)
    if rule is None or series.kind not in rule.kinds or series.value_type not in rule.types:
        raise _unfit(f"{prefix}{name}", series)
    return rule


def _unfit(name: str, series: Series) -> GoogleError:
    return invalid(
        f"The aggregation {name} cannot be applied to metrics with kind {series.kind} and value type "
        f"{series.value_type} ({series.metric_type})."
    )
