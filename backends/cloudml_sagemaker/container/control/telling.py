"""What CloudWatch tells a monitor of an endpoint's requests, and what a monitor tells CloudWatch.

Metrics of endpoints: developer guide, "Monitor Amazon SageMaker with Amazon CloudWatch": counts are sums, latencies are
microseconds. Periods are whole minutes, longer for old data (API reference of CloudWatch, GetMetricStatistics).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cloudml.runtime.monitoring import Check, Told
from cloudml_sagemaker.hosting import Aws

NAMESPACE = "AWS/SageMaker"
OWN = "cloudml/monitors"
_MICROSECONDS = 1000.0
_GRAINS = ((timedelta(days=15), 60), (timedelta(days=63), 300))
_COARSE = 3600
_MOST = 1000
"""Data of one PutMetricData."""
_PERCENTILES = {"latency_p95": "p95", "latency_p99": "p99"}


def told(
    aws: Aws, endpoint: str, variant: str, window: tuple[datetime, datetime], statistics: Iterable[str]
) -> dict[str, Told]:
    """Those of the service's statistics that are asked for, over the window."""
    wanted = dict.fromkeys(statistics)
    if not wanted:
        return {}
    asking = _Asking(aws, endpoint, variant, window)
    requests = asking.total("Invocations")
    found: dict[str, Told] = {}
    for name in wanted:
        if name in _PERCENTILES:
            found[name] = Told(asking.percentile("ModelLatency", _PERCENTILES[name]), round(requests))
        else:
            errors = asking.total("Invocation5XXErrors")
            found[name] = Told(errors / requests if requests else None, round(requests))
    return found


class _Asking:
    """One endpoint's metrics over one window."""

    def __init__(self, aws: Aws, endpoint: str, variant: str, window: tuple[datetime, datetime]) -> None:
        self._aws = aws
        begin, end = window
        grain = next((grain for span, grain in _GRAINS if end - begin <= span), _COARSE)
        seconds = max(grain, math.ceil((end - begin).total_seconds() / grain) * grain)
        self._request: dict[str, Any] = {
            "Namespace": NAMESPACE,
            "Dimensions": [
                {"Name": "EndpointName", "Value": endpoint},
                {"Name": "VariantName", "Value": variant},
            ],
            "StartTime": begin, "EndTime": end, "Period": seconds,
        }  # fmt: skip

    def _points(self, metric: str, **what: Sequence[str]) -> list[dict[str, Any]]:
        answer = self._aws.call("cloudwatch", "GetMetricStatistics", MetricName=metric, **self._request, **what)
        found: list[dict[str, Any]] = answer.get("Datapoints", [])
        return found

    def total(self, metric: str) -> float:
        """The sum of a count."""
        return math.fsum(one["Sum"] for one in self._points(metric, Statistics=["Sum"]))

    def percentile(self, metric: str, name: str) -> float | None:
        """In milliseconds; the worst of the periods that CloudWatch tells of, None when it tells of none."""
        points = self._points(metric, ExtendedStatistics=[name])
        found = [one["ExtendedStatistics"][name] for one in points if name in one.get("ExtendedStatistics", {})]
        return max(found) / _MICROSECONDS if found else None


def tell(
    aws: Aws, dimensions: Mapping[str, str], checks: Sequence[Check], counts: Mapping[str, float], at: datetime
) -> None:
    """Put every value that was found, and the counts, into the namespace of cloudml's monitors."""
    base = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    data: list[dict[str, Any]] = [
        {"MetricName": name, "Dimensions": base, "Timestamp": at, "Value": float(value), "Unit": "Count"}
        for name, value in counts.items()
    ]
    for check in checks:
        if check.value is None or not math.isfinite(check.value):
            continue
        feature = [{"Name": "Feature", "Value": check.feature}] if check.feature else []
        data.append(
            {"MetricName": check.statistic, "Dimensions": [*base, *feature], "Timestamp": at, "Value": check.value}
        )
    for start in range(0, len(data), _MOST):
        aws.call("cloudwatch", "PutMetricData", Namespace=OWN, MetricData=data[start : start + _MOST])
