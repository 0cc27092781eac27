"""What Cloud Monitoring tells a monitor of an endpoint's requests, and what a monitor tells Cloud Monitoring.

Metrics of endpoints: Cloud Monitoring, "Google Cloud metrics", aiplatform: `prediction/online/response_count` by
`response_code`, and `prediction/online/prediction_latencies`, distributions of milliseconds by `latency_type`; both by
`deployed_model_id`. They are sampled every 60 seconds and then not visible for up to 180 seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cloudml.runtime.monitoring import Check, Told
from cloudml_vertex.container.http import GoogleError
from cloudml_vertex.hosting.port import Document, Google

RESOURCE = "aiplatform.googleapis.com/Endpoint"
ONLINE = "aiplatform.googleapis.com/prediction/online"
OWN = "custom.googleapis.com/cloudml/monitors"
"""How the types of the metrics begin that monitors write."""
LAG = timedelta(minutes=4)
"""A look at the service's metrics goes back by so much, or it would never see the end of a window."""
_PERCENTILES = {"latency_p95": "ALIGN_PERCENTILE_95", "latency_p99": "ALIGN_PERCENTILE_99"}
_LATENCY = "total"
"""Of the types of latency: as whoever asks the endpoint sees it."""
_MOST = 200
"""Series of one CreateTimeSeries."""


def told(
    google: Google, endpoint: str, deployed: str, window: tuple[datetime, datetime], statistics: Iterable[str]
) -> dict[str, Told]:
    """Those of the service's statistics that are asked for, of one deployed model, over the window.

    `endpoint`: the resource's name.
    """
    wanted = dict.fromkeys(statistics)
    if window[0] >= window[1]:  # the baseline is newer than the window
        return dict.fromkeys(wanted, Told(None, 0))
    if not wanted:
        return {}
    asking = _Asking(google, endpoint, deployed, window)
    answers = asking.answers()
    requests = sum(answers.values())
    found: dict[str, Told] = {}
    for name in wanted:
        if name in _PERCENTILES:
            found[name] = Told(asking.latency(_PERCENTILES[name]) if requests else None, requests)
        else:
            errors = sum(count for code, count in answers.items() if code.startswith("5"))
            found[name] = Told(errors / requests if requests else None, requests)
    return found


class _Asking:
    """One deployed model's metrics over one window."""

    def __init__(self, google: Google, endpoint: str, deployed: str, window: tuple[datetime, datetime]) -> None:
        _, project, _, location, _, identifier = endpoint.split("/")
        begin, end = (one - LAG for one in window)
        self._google = google
        self._project = f"projects/{project}"
        self._about = (
            f'resource.type="{RESOURCE}" AND resource.labels.endpoint_id="{identifier}" AND '
            f'resource.labels.location="{location}" AND metric.labels.deployed_model_id="{deployed}"'
        )
        self._interval = {"start_time": stamp(begin), "end_time": stamp(end)}
        self._period = f"{max(60, math.ceil((end - begin).total_seconds() / 60) * 60)}s"

    def _series(self, metric: str, aligner: str, more: str = "") -> list[Document]:
        aggregation = {"alignment_period": self._period, "per_series_aligner": aligner}
        asked = f'metric.type="{ONLINE}/{metric}" AND {self._about}{more}'
        return list(
            self._google.pages(
                "MetricService.ListTimeSeries", "time_series", name=self._project, filter=asked,
                interval=self._interval, aggregation=aggregation,
            )
        )  # fmt: skip

    def answers(self) -> dict[str, int]:
        """Answers by their HTTP status."""
        found: dict[str, int] = {}
        for one in self._series("response_count", "ALIGN_DELTA"):
            code = str(one["metric"].get("labels", {}).get("response_code", ""))
            found[code] = found.get(code, 0) + round(math.fsum(_values(one)))
        return found

    def latency(self, aligner: str) -> float | None:
        """In milliseconds; the worst of the periods that are told of, None when none is."""
        rows = self._series("prediction_latencies", aligner, f' AND metric.labels.latency_type="{_LATENCY}"')
        return max((value for one in rows for value in _values(one)), default=None)


def _values(series: Document) -> list[float]:
    """A series' points; 64-bit integers travel as texts."""
    return [float(value) for point in series.get("points", ()) for value in point["value"].values()]


def stamp(moment: datetime) -> str:
    """As protos write times in JSON."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def tell(
    google: Google,
    project: str,
    labels: Mapping[str, str],
    checks: Sequence[Check],
    counts: Mapping[str, float],
    at: datetime,
) -> None:
    """Write every value that was found, and the counts, as metrics of `OWN` at the end of the window.

    `project`: `projects/<id>`. A second attempt at the same window finds its points written, which is no error.
    """
    rows = [point(project, f"{OWN}/{name}", {**labels, "feature": ""}, float(value), at)
            for name, value in counts.items()]  # fmt: skip
    for check in checks:
        if check.value is not None and math.isfinite(check.value):
            about = {**labels, "feature": check.feature}
            rows.append(point(project, f"{OWN}/{check.statistic}", about, float(check.value), at))
    for start in range(0, len(rows), _MOST):
        write(google, project, rows[start : start + _MOST])


def point(project: str, metric: str, labels: Mapping[str, str], value: float, at: datetime) -> Document:
    """A series with one point. A label without a value is none."""
    return {
        "metric": {"type": metric, "labels": {key: one for key, one in labels.items() if one}},
        "resource": {"type": "global", "labels": {"project_id": project.removeprefix("projects/")}},
        "metric_kind": "GAUGE",
        "value_type": "DOUBLE",
        "points": [{"interval": {"end_time": stamp(at)}, "value": {"double_value": value}}],
    }


def write(google: Google, project: str, rows: Sequence[Document]) -> None:
    """Write series; those that have this very point, or a later one, already stay. Raises GoogleError."""
    try:
        google.call("MetricService.CreateTimeSeries", name=project, time_series=list(rows))
    except GoogleError as error:
        if error.code != "INVALID_ARGUMENT" or not all(_written(google, project, one) for one in rows):
            raise


def _written(google: Google, project: str, row: Document) -> bool:
    """Whether the series has a point at that time or since; Google takes points in order only."""
    metric: dict[str, Any] = row["metric"]
    end = row["points"][0]["interval"]["end_time"]
    labels = "".join(f' AND metric.labels.{key}="{value}"' for key, value in metric["labels"].items())
    moment = datetime.fromisoformat(end)
    interval = {"start_time": stamp(moment - timedelta(seconds=1)), "end_time": stamp(moment + timedelta(days=1))}
    found = google.pages(
        "MetricService.ListTimeSeries", "time_series", name=project, interval=interval,
        filter=f'metric.type="{metric["type"]}"{labels}',
    )  # fmt: skip
    return any(one.get("points") for one in found)
