"""Cloud Monitoring's time series: read with filters and aggregations, written by the rules of user-defined metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cloudml_vertex.mock.around import aggregating, descriptors, selecting
from cloudml_vertex.mock.around.expressions import Expression
from cloudml_vertex.mock.around.projects import account_of
from cloudml_vertex.mock.core import series as kept
from cloudml_vertex.mock.core.entries import everywhere
from cloudml_vertex.mock.core.errors import GoogleError, invalid, not_executed
from cloudml_vertex.mock.core.listing import page
from cloudml_vertex.mock.core.operations import Call, Document, rpc
from cloudml_vertex.mock.core.series import Series
from cloudml_vertex.mock.core.times import seconds, stamp
from cloudml_vertex.mock.core.world import World

_MOST_SERIES = 200
_OLDEST, _NEWEST = 25 * 3600.0, 300.0
_SPACING = 5.0
LAG = 180.0
"""Seconds after which a minute of Vertex AI's metrics is seen, where the switch `metric-lag` is "documented"."""
_GOOGLES = "aiplatform.googleapis.com/"
_VALUES = {"bool_value": "BOOL", "int64_value": "INT64", "double_value": "DOUBLE", "distribution_value": "DISTRIBUTION"}
_FIELDS = {kind: field for field, kind in _VALUES.items()} | {"STRING": "string_value"}
_ZEROES: dict[str, Any] = {"BOOL": False, "INT64": 0, "DOUBLE": 0.0, "STRING": ""}


def select(world: World, account: str, found: Expression, start: float, end: float) -> list[Series]:
    """The series of a filter with the points in (start, end] that can be seen now. Takes the world's lock.

    Google samples its own metrics every 60 seconds: a minute is seen when it is over (switch `metric-lag`).
    """
    now, lag = world.now(), world.switches["metric-lag"]
    latest = now - LAG if lag == "documented" else now
    reach = 60.0 if lag == "none" else 0.0
    result = []
    for one in kept.query(world, everywhere(account), selecting.wanted(found), start, end + reach):
        if one.metric_type.startswith(_GOOGLES):
            points = [[begin, min(at, now) if reach else at, value] for begin, at, value in one.points]
            one.points = [entry for entry in points if start < entry[1] <= min(end, latest)]
        else:
            one.points = [entry for entry in one.points if entry[1] <= end]
        if one.points:
            result.append(one)
    return result


@rpc("MetricService.ListTimeSeries", executes="filters, alignment and reduction are computed")
def list_time_series(call: Call) -> Document:
    """Series with their newest points first. Points are those whose time is in (start_time, end_time]."""
    params, world = call.params, call.world
    account = account_of(world, call.name)
    found, metric_type = selecting.expression(str(params.get("filter", "")))
    start, end = _interval(params.get("interval", {}))
    first = aggregating.checked(params.get("aggregation"))
    second = aggregating.checked(params.get("secondary_aggregation"))
    if second.aligner and not first.aligner:
        raise invalid("secondary_aggregation needs an aggregation.")
    if params.get("order_by"):
        raise invalid("order_by: unsupported, it must be left blank.")
    descriptors.require(world, account, metric_type)
    raw = select(world, account, found, start - first.period, end)
    if not first.aligner:
        rows = raw
    else:
        rows = aggregating.aggregated(aggregating.aggregated(raw, first, start, end), second, start, end)
    headers = params.get("view") == "HEADERS"
    return page(call, [_document(row, headers=headers) for row in rows if row.points], "time_series", size=1000)


@rpc("QueryService.QueryTimeSeries")
def query_time_series(call: Call) -> Document:
    """MQL is a language of its own."""
    raise not_executed("The Monitoring Query Language", "use ListTimeSeries with filter and aggregation")


def _interval(given: Mapping[str, Any]) -> tuple[float, float]:
    if "end_time" not in given or "start_time" not in given:
        raise invalid("interval: start_time and end_time must be specified.")
    start, end = seconds(given["start_time"]), seconds(given["end_time"])
    if start > end:
        raise invalid(f"interval: the start time {given['start_time']} is after the end time {given['end_time']}.")
    return start, end


def _document(row: Series, *, headers: bool) -> Document:
    found: Document = {
        "metric": {"type": row.metric_type, "labels": row.metric_labels},
        "resource": {"type": row.resource_type, "labels": row.resource_labels},
        "metric_kind": row.kind,
        "value_type": row.value_type,
    }
    if not headers:
        found["points"] = [_point(entry, row.value_type) for entry in reversed(row.points)]
    return found


def _point(entry: list[Any], value_type: str) -> Document:
    begin, end, value = entry
    if isinstance(value, float) and not math.isfinite(value):
        value = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    elif value_type == "INT64":
        value = round(value)
    return {"interval": {"start_time": stamp(begin), "end_time": stamp(end)}, "value": {_FIELDS[value_type]: value}}


@rpc("MetricService.CreateTimeSeries")
def create_time_series(call: Call) -> None:
    """Each series by itself: those that are right are written though others are refused."""
    world, account = call.world, account_of(call.world, str(call.params.get("name", "")))
    given = call.params.get("time_series", [])
    if not 1 <= len(given) <= _MOST_SERIES:
        raise invalid(f"time_series: 1 to {_MOST_SERIES} series can be written at a time, not {len(given)}.")
    wrong = []
    for index, one in enumerate(given):
        try:
            _write(world, account, one)
        except GoogleError as error:
            wrong.append((index, error.message))
    if wrong:
        told = "; ".join(f"{message}: timeSeries[{index}]" for index, message in wrong)
        summary = {
            "@type": "type.googleapis.com/google.monitoring.v3.CreateTimeSeriesSummary",
            "total_point_count": len(given),
            "success_point_count": len(given) - len(wrong),
        }
        raise GoogleError("INVALID_ARGUMENT", f"One or more TimeSeries could not be written: {told}", (summary,))


def _write(world: World, account: str, given: Document) -> None:
    metric, resource = given.get("metric", {}), given.get("resource", {})
    metric_type, points = str(metric.get("type", "")), given.get("points", [])
    if len(points) != 1:
        raise invalid(f"Field points had an invalid value: exactly one point is needed, not {len(points)}")
    begin, end = _written_interval(world, points[0].get("interval", {}))
    kind, value_type, value = _typed(world, account, given, points[0].get("value", {}))
    if kind == "GAUGE" and begin != end:
        raise invalid("The start time of a GAUGE point must be its end time, or left out")
    if kind == "CUMULATIVE" and begin >= end:
        raise invalid("The start time of a CUMULATIVE point must be before its end time")
    row = Series(
        metric_type,
        dict(metric.get("labels", {})),
        *_resource(world, account, resource),
        kind,
        value_type,
    )
    newest = kept.last(world, account, row)
    if newest is not None and end <= newest[1]:
        raise invalid(
            "Points must be written in order. One or more of the points specified had an older end time than the most "
            "recent point"
        )
    if newest is not None and end - newest[1] < _SPACING:
        raise invalid(
            "One or more points were written more frequently than the maximum sampling period configured for the metric"
        )
    if descriptors.kind_of(world, account, metric_type) is None:
        labels = [{"key": key} for key in sorted(row.metric_labels)]
        described = {"type": metric_type, "metric_kind": kind, "value_type": value_type, "labels": labels}
        descriptors.keep(world, account, described)
    kept.put(world, account, row, kept.complete(begin, end, value))


def _written_interval(world: World, interval: Mapping[str, Any]) -> tuple[float, float]:
    if "end_time" not in interval:
        raise invalid("Field points[0].interval.end_time is required")
    end, now = seconds(interval["end_time"]), world.now()
    begin = seconds(interval["start_time"]) if "start_time" in interval else end
    if end > now + _NEWEST:
        raise invalid("Data points cannot be written more than 5 minutes in the future")
    if end < now - _OLDEST:
        raise invalid("Data points cannot be written more than 25 hours in the past")
    return begin, end


def _typed(world: World, account: str, given: Document, value: Document) -> tuple[str, str, Any]:
    metric_type = str(given.get("metric", {}).get("type", ""))
    if not metric_type.startswith(descriptors.OURS):
        raise invalid(f"The metric type must be a user-defined one, beginning {descriptors.OURS[0]!r}: {metric_type!r}")
    known = descriptors.kind_of(world, account, metric_type)
    sent = next((kind for field, kind in _VALUES.items() if field in value), None)
    if sent is None:
        raise invalid("The point has no value of a type that can be written")
    kind = known[0] if known else str(given.get("metric_kind") or "GAUGE")
    value_type = known[1] if known else str(given.get("value_type") or sent)
    asked = given.get("metric_kind")
    if (asked and asked != kind) or sent != value_type or kind not in {"GAUGE", "CUMULATIVE"}:
        raise invalid(f"The metric is {kind} of {value_type}, and the point {asked or 'without kind'} of {sent}")
    return kind, value_type, value.get(_FIELDS[value_type], _ZEROES.get(value_type))


def _resource(world: World, account: str, given: Document) -> tuple[str, dict[str, str]]:
    kind = str(given.get("type", ""))
    if kind not in descriptors.RESOURCES or kind.startswith(_GOOGLES):
        raise invalid(f"Unrecognized or unsupported monitored resource type for user-defined metrics: {kind!r}")
    labels = {"project_id": world.project_id(account), **given.get("labels", {})}
    unknown = sorted(set(labels) - set(descriptors.RESOURCES[kind]))
    if unknown:
        raise invalid(f"Unrecognized resource labels of {kind}: {unknown}")
    return kind, labels
