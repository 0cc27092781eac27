"""Cloud Monitoring: series in, series out, filtered, aligned and reduced; expectations by hand or by numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cloudml_vertex.mock.core import series
from cloudml_vertex.mock.core.times import stamp
from tests.unit.vertex_mock.around.vertex_around import PROJECT, T0, Lab

COUNT = "aiplatform.googleapis.com/prediction/online/prediction_count"
LATENCY = "aiplatform.googleapis.com/prediction/online/prediction_latencies"
ENDPOINT = "aiplatform.googleapis.com/Endpoint"
CUSTOM = "custom.googleapis.com/my/metric"


def add(lab: Lab, value: Any, at: float, *, model: str = "1", metric: str = COUNT, **more: Any) -> None:
    labels = {"endpoint_id": "9", "location": "us-central1"}
    given = {"kind": "DELTA", **more}
    series.add(lab.world, lab.scope, metric, {"deployed_model_id": model}, ENDPOINT, labels, value, at=at, **given)


def listed(lab: Lab, filter_: str, start: float = T0 - 3600, end: float = T0, **more: Any) -> list[dict[str, Any]]:
    interval = {"start_time": stamp(start), "end_time": stamp(end)}
    found = lab.call(
        "MetricService.ListTimeSeries", name=f"projects/{PROJECT}", filter=filter_, interval=interval, **more
    )
    rows: list[dict[str, Any]] = found.get("time_series", [])
    return rows


def values(row: dict[str, Any]) -> list[Any]:
    """Newest first."""
    return [next(iter(point["value"].values())) for point in row["points"]]


def aggregation(aligner: str, reducer: str = "NONE", period: int = 60, group: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "alignment_period": f"{period}s",
        "per_series_aligner": f"ALIGN_{aligner}",
        "cross_series_reducer": f"REDUCE_{reducer}",
        "group_by_fields": list(group),
    }


def test_additions_within_a_minute_are_one_point(lab: Lab) -> None:
    for second, value in ((-119, 1), (-70, 2), (-60, 4), (-1, 8)):
        add(lab, value, T0 + second)
    (row,) = listed(lab, f'metric.type="{COUNT}"')
    assert values(row) == [12, 3]
    assert row["points"][0]["interval"] == {"start_time": stamp(T0 - 60), "end_time": stamp(T0)}
    assert (row["metric_kind"], row["value_type"]) == ("DELTA", "INT64")


@pytest.mark.parametrize(("lag", "seen"), [("minute", 0), ("none", 1), ("documented", 0)])
def test_a_minute_is_seen_when_it_is_over(lab: Lab, lag: str, seen: int) -> None:
    lab.world.switches.set("metric-lag", lag)
    lab.advance(5)
    add(lab, 1, T0 + 5)
    assert len(listed(lab, f'metric.type="{COUNT}"', T0 - 60, T0 + 5)) == seen
    lab.advance(60)
    assert len(listed(lab, f'metric.type="{COUNT}"', T0 - 60, T0 + 65)) == (lag != "documented")
    lab.advance(180)
    assert len(listed(lab, f'metric.type="{COUNT}"', T0 - 60, T0 + 245)) == 1


def test_the_interval_is_open_at_its_start(lab: Lab) -> None:
    add(lab, 1, T0 - 90)
    assert listed(lab, f'metric.type="{COUNT}"', T0 - 60, T0) == []
    assert len(listed(lab, f'metric.type="{COUNT}"', T0 - 61, T0 - 60)) == 1


FILTERS = [
    ('metric.labels.deployed_model_id="1"', ["1"]),
    ('metric.label.deployed_model_id!="1"', ["2", "13"]),
    ('metric.labels.deployed_model_id=one_of("1","13")', ["1", "13"]),
    ('metric.labels."deployed_model_id" = starts_with("1")', ["1", "13"]),
    ('metric.labels.deployed_model_id=monitoring.regex.full_match("[12]")', ["1", "2"]),
    ('(metric.labels.deployed_model_id="1" OR metric.labels.deployed_model_id="2")', ["1", "2"]),
    ('resource.type="global"', []),
    ('resource.labels.endpoint_id="9" AND NOT metric.labels.deployed_model_id="2"', ["1", "13"]),
    ('resource.labels.endpoint_id=has_substring("8")', []),
]


@pytest.mark.parametrize(("filter_", "models"), FILTERS)
def test_filters(lab: Lab, filter_: str, models: list[str]) -> None:
    for model in ("1", "2", "13"):
        add(lab, 1, T0 - 30, model=model)
    found = listed(lab, f'metric.type="{COUNT}" AND {filter_}')
    assert [row["metric"]["labels"]["deployed_model_id"] for row in found] == models


REFUSED = [
    ("", "single metric type"),
    ('metric.type=starts_with("custom")', "single metric type"),
    (f'metric.type="{COUNT}" metric.type="{LATENCY}"', "single metric type"),
    (f'metric.type="{COUNT}" AND colour="red"', "selector"),
    (f'metric.type="{COUNT}" AND metric.labels.a>"1"', "compare"),
    (f'metric.type="{COUNT}" AND (metric.labels.a="1"', "')'"),
    (f'metric.type="{COUNT}" AND metric.labels.a=nearly("1")', "function"),
    (f'metric.type="{COUNT}" AND metric.labels.a=monitoring.regex.full_match("[")', "regular expression"),
]


@pytest.mark.parametrize(("filter_", "why"), REFUSED)
def test_a_filter_that_is_wrong_is_refused(lab: Lab, filter_: str, why: str) -> None:
    interval = {"start_time": stamp(T0 - 60), "end_time": stamp(T0)}
    told = lab.refused(
        "MetricService.ListTimeSeries",
        "INVALID_ARGUMENT",
        name=f"projects/{PROJECT}",
        filter=filter_,
        interval=interval,
    )
    assert why in told


def test_a_metric_that_nobody_knows_is_not_found(lab: Lab) -> None:
    interval = {"start_time": stamp(T0 - 60), "end_time": stamp(T0)}
    filter_ = 'metric.type="custom.googleapis.com/none"'
    told = lab.refused(
        "MetricService.ListTimeSeries", "NOT_FOUND", name=f"projects/{PROJECT}", filter=filter_, interval=interval
    )
    assert "Cannot find metric(s)" in told


# Minutes of one model, oldest first: 2 4 6; those of another: 10 20 30.
ALIGNED = [
    ("DELTA", 60, [[6, 4, 2], [30, 20, 10]]),
    ("RATE", 60, [[0.1, 4 / 60, 2 / 60], [0.5, 20 / 60, 10 / 60]]),
    ("SUM", 180, [[12], [60]]),
    ("MEAN", 180, [[4.0], [20.0]]),
    ("MAX", 180, [[6], [30]]),
    ("MIN", 180, [[2], [10]]),
    ("COUNT", 180, [[3], [3]]),
    ("STDDEV", 180, [[np.std([2, 4, 6])], [np.std([10, 20, 30])]]),
    ("SUM", 120, [[10, 2], [50, 10]]),
]


def three_minutes(lab: Lab) -> None:
    for model, minutes in (("1", (2, 4, 6)), ("2", (10, 20, 30))):
        for back, value in zip((180, 120, 60), minutes, strict=True):
            add(lab, value, T0 - back, model=model)


@pytest.mark.parametrize(("aligner", "period", "expected"), ALIGNED)
def test_each_series_is_aligned_to_the_end_of_the_request(
    lab: Lab, aligner: str, period: int, expected: list[list[float]]
) -> None:
    three_minutes(lab)
    rows = listed(lab, f'metric.type="{COUNT}"', T0 - 240, aggregation=aggregation(aligner, period=period))
    for row, wanted in zip(rows, expected, strict=True):
        assert values(row) == pytest.approx(wanted)
    assert rows[0]["points"][0]["interval"]["end_time"] == stamp(T0)


REDUCED = [
    ("SUM", (), [[36, 24, 12]]),
    ("MEAN", (), [[18.0, 12.0, 6.0]]),
    ("MAX", (), [[30, 20, 10]]),
    ("COUNT", (), [[2, 2, 2]]),
    ("PERCENTILE_50", (), [[18.0, 12.0, 6.0]]),
    ("SUM", ("metric.labels.deployed_model_id",), [[6, 4, 2], [30, 20, 10]]),
    ("SUM", ("resource.labels.endpoint_id",), [[36, 24, 12]]),
]


@pytest.mark.parametrize(("reducer", "group", "expected"), REDUCED)
def test_series_are_reduced_by_group(
    lab: Lab, reducer: str, group: tuple[str, ...], expected: list[list[float]]
) -> None:
    three_minutes(lab)
    rows = listed(lab, f'metric.type="{COUNT}"', T0 - 240, aggregation=aggregation("DELTA", reducer, group=group))
    assert [values(row) for row in rows] == [pytest.approx(wanted) for wanted in expected]
    for row in rows:
        kept = [f"metric.labels.{key}" for key in row["metric"].get("labels", {})]
        kept += [f"resource.labels.{key}" for key in row["resource"].get("labels", {})]
        assert kept == list(group)


def test_percentiles_of_distributions_are_within_a_bucket_of_the_samples(lab: Lab) -> None:
    samples = np.random.default_rng(7).lognormal(3, 0.5, 2000)
    add(lab, samples.tolist(), T0 - 30, metric=LATENCY, value_type="DISTRIBUTION")
    for percent in (50, 95, 99):
        how = aggregation(f"PERCENTILE_{percent}", "NONE")
        (row,) = listed(lab, f'metric.type="{LATENCY}"', aggregation=how)
        assert values(row)[0] == pytest.approx(float(np.percentile(samples, percent)), rel=0.1)
        assert row["value_type"] == "DOUBLE"
    (raw,) = listed(lab, f'metric.type="{LATENCY}"')
    (distribution,) = values(raw)
    assert distribution["count"] == 2000
    assert sum(distribution["bucket_counts"]) == 2000
    assert distribution["mean"] == pytest.approx(samples.mean())
    assert distribution["sum_of_squared_deviation"] == pytest.approx(samples.var() * 2000)


def test_distributions_of_two_series_are_joined(lab: Lab) -> None:
    first, second = [1.0, 2.0, 3.0], [10.0, 30.0]
    add(lab, first, T0 - 30, metric=LATENCY, value_type="DISTRIBUTION")
    add(lab, second, T0 - 30, metric=LATENCY, value_type="DISTRIBUTION", model="2")
    (row,) = listed(lab, f'metric.type="{LATENCY}"', aggregation=aggregation("DELTA", "SUM"))
    (joined,) = values(row)
    both = np.array(first + second)
    assert (joined["count"], joined["mean"]) == (5, pytest.approx(both.mean()))
    assert joined["sum_of_squared_deviation"] == pytest.approx(both.var() * 5)


UNFIT = [
    (COUNT, aggregation("PERCENTILE_99")),
    (COUNT, aggregation("COUNT_TRUE")),
    (COUNT, aggregation("NEXT_OLDER")),
    (COUNT, aggregation("NONE", "SUM")),
    (COUNT, aggregation("RATE", period=59)),
    (COUNT, aggregation("RATE", "SUM", group=("colour",))),
    (LATENCY, aggregation("RATE")),
]


@pytest.mark.parametrize(("metric", "how"), UNFIT)
def test_aggregations_that_do_not_fit_are_refused(lab: Lab, metric: str, how: dict[str, Any]) -> None:
    add(lab, 1, T0 - 30)
    add(lab, 1.0, T0 - 30, metric=LATENCY, value_type="DISTRIBUTION")
    interval = {"start_time": stamp(T0 - 60), "end_time": stamp(T0)}
    lab.refused(
        "MetricService.ListTimeSeries",
        "INVALID_ARGUMENT",
        name=f"projects/{PROJECT}",
        filter=f'metric.type="{metric}"',
        interval=interval,
        aggregation=how,
    )


def write(lab: Lab, value: float, at: float, **more: Any) -> dict[str, Any]:
    return {
        "metric": {"type": CUSTOM, "labels": {"a": "b"}},
        "resource": {"type": "global", "labels": {}},
        "points": [{"interval": {"end_time": stamp(at)}, "value": {"double_value": value}}],
        **more,
    }


def create(lab: Lab, *rows: dict[str, Any]) -> None:
    lab.call("MetricService.CreateTimeSeries", name=f"projects/{PROJECT}", time_series=list(rows))


def test_a_written_series_is_read_and_described(lab: Lab) -> None:
    create(lab, write(lab, 1.5, T0 - 60))
    create(lab, write(lab, 2.5, T0))
    (row,) = listed(lab, f'metric.type="{CUSTOM}"')
    assert values(row) == [2.5, 1.5]
    assert row["resource"]["labels"] == {"project_id": PROJECT}
    name = f"projects/{PROJECT}/metricDescriptors/{CUSTOM}"
    described = lab.call("MetricService.GetMetricDescriptor", name=name)
    assert (described["metric_kind"], described["value_type"]) == ("GAUGE", "DOUBLE")
    found = lab.call(
        "MetricService.ListMetricDescriptors", name=f"projects/{PROJECT}", filter='metric.type=starts_with("custom")'
    )
    assert [one["type"] for one in found["metric_descriptors"]] == [CUSTOM]
    lab.call("MetricService.DeleteMetricDescriptor", name=name)
    lab.refused("MetricService.GetMetricDescriptor", "NOT_FOUND", name=name)


WRONG = [
    ({"points": []}, "exactly one point"),
    ({"metric": {"type": COUNT}}, "user-defined"),
    ({"resource": {"type": "aiplatform.googleapis.com/Endpoint"}}, "resource type"),
    ({"resource": {"type": "global", "labels": {"colour": "red"}}}, "labels"),
    ({"metric_kind": "DELTA"}, "GAUGE of DOUBLE"),
    ({"metric_kind": "CUMULATIVE"}, "GAUGE of DOUBLE"),
    ({"points": [{"interval": {"end_time": stamp(T0)}, "value": {"int64_value": 1}}]}, "INT64"),
    ({"points": [{"interval": {"end_time": stamp(T0 + 301)}, "value": {"double_value": 1}}]}, "future"),
    ({"points": [{"interval": {"end_time": stamp(T0 - 90_001)}, "value": {"double_value": 1}}]}, "past"),
    ({"points": [{"interval": {"end_time": stamp(T0 - 60)}, "value": {"double_value": 1}}]}, "in order"),
    ({"points": [{"interval": {"end_time": stamp(T0 - 56)}, "value": {"double_value": 1}}]}, "more frequently"),
]


@pytest.mark.parametrize(("change", "why"), WRONG)
def test_what_is_written_wrongly_is_refused_and_the_rest_is_kept(lab: Lab, change: dict[str, Any], why: str) -> None:
    create(lab, write(lab, 1.0, T0 - 60))
    good = write(lab, 7.0, T0)
    good["metric"] = {"type": CUSTOM, "labels": {"a": "other"}}
    told = lab.refused(
        "MetricService.CreateTimeSeries",
        "INVALID_ARGUMENT",
        name=f"projects/{PROJECT}",
        time_series=[good, write(lab, 2.0, T0, **change)],
    )
    assert why in told
    assert told.endswith("timeSeries[1]")
    assert [values(row) for row in listed(lab, f'metric.type="{CUSTOM}"')] == [[1.0], [7.0]]


def test_a_cumulative_series_is_aligned_to_its_growth(lab: Lab) -> None:
    for minute, value in ((-180, 5.0), (-120, 8.0), (-60, 20.0), (0, 26.0)):
        interval = {"start_time": stamp(T0 - 3600), "end_time": stamp(T0 + minute)}
        point = [{"interval": interval, "value": {"double_value": value}}]
        create(lab, write(lab, value, T0, metric_kind="CUMULATIVE", points=point))
    (row,) = listed(lab, f'metric.type="{CUSTOM}"', T0 - 180, aggregation=aggregation("DELTA"))
    assert values(row) == [6.0, 12.0, 3.0]


def test_series_pages_headers_and_restart(lab: Lab) -> None:
    three_minutes(lab)
    lab.reopen()
    filter_ = f'metric.type="{COUNT}"'
    (first,) = listed(lab, filter_, page_size=1)
    assert first["metric"]["labels"] == {"deployed_model_id": "1"}
    assert values(first) == [6, 4, 2]
    assert all("points" not in row for row in listed(lab, filter_, view="HEADERS"))


def test_the_query_language_is_refused_by_name(lab: Lab) -> None:
    told = lab.refused("QueryService.QueryTimeSeries", "UNIMPLEMENTED", name=f"projects/{PROJECT}", query="fetch x")
    assert "Query Language" in told


def test_an_hour_of_a_gauge_is_bounded(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MOST_POINTS", 3)
    replicas = "aiplatform.googleapis.com/prediction/online/replicas"
    for second in range(5):
        add(lab, second, T0 - 50 + second, metric=replicas, kind="GAUGE")
    (row,) = listed(lab, f'metric.type="{replicas}"')
    assert values(row) == [4, 3, 2]


def test_the_store_of_series_is_bounded(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MOST_CHUNKS", 3)
    for hour in range(5):
        add(lab, hour, T0 - 36_000 + hour * 3600)
    (row,) = listed(lab, f'metric.type="{COUNT}"', T0 - 40_000)
    assert values(row) == [4, 3, 2]
