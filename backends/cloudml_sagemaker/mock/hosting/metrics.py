"""What SageMaker tells CloudWatch of invocations: namespace AWS/SageMaker, one set of statistics a minute and variant.

Metric names, units and dimensions: developer guide, "Monitor Amazon SageMaker with Amazon CloudWatch", endpoint
invocation metrics. Counting costs a call next to nothing; a minute is sent when the clock has passed it.

AWS also publishes them with the dimension EndpointConfigName, for alarms on one fleet only. moto's GetMetricStatistics
would count those twice for whoever asks without that dimension, so they, and percentiles, which moto does not compute,
are kept here for some hours: alarms see them.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core.world import World

NAMESPACE = "AWS/SageMaker"
_UNITS = {"ModelLatency": "Microseconds", "OverheadLatency": "Microseconds"}
_MINUTE = 60
_KEPT_MINUTES = 600
_KEPT_VALUES = 200


@dataclass
class _Sums:
    count: float = 0.0
    total: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    values: list[float] = field(default_factory=list)

    def add(self, value: float, *, keep: bool) -> None:
        self.count += 1
        self.total += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)
        if keep and len(self.values) < _KEPT_VALUES:
            self.values.append(value)


@dataclass(frozen=True)
class Fleet:
    """Whose invocations: the dimensions EndpointName, VariantName and EndpointConfigName."""

    scope: Scope
    endpoint: str
    variant: str
    config: str

    def has(self, dimensions: Mapping[str, str]) -> bool:
        """Whether these are the dimensions of its metrics, with or without the configuration's."""
        plain = {"EndpointName": self.endpoint, "VariantName": self.variant}
        return dimensions in (plain, {**plain, "EndpointConfigName": self.config})


_Minute = tuple[int, dict[str, _Sums]]


class Metrics:
    """Counts in memory; `send` puts them to CloudWatch."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._open: dict[tuple[Fleet, int], dict[str, _Sums]] = {}
        self._kept: dict[Fleet, deque[_Minute]] = {}

    def count(self, fleet: Fleet, values: Mapping[str, float]) -> None:
        """Add one invocation's values, by metric name."""
        minute = int(self._world.now() // _MINUTE) * _MINUTE
        with self._lock:
            first = (fleet, minute) not in self._open
            sums = self._open.setdefault((fleet, minute), {})
            for name, value in values.items():
                sums.setdefault(name, _Sums()).add(value, keep=name in _UNITS)
        if first:
            due = datetime.fromtimestamp(minute + _MINUTE, UTC)
            self._world.clock.call_at(due, self.send, "invocation metrics")

    def send(self, *, unfinished: bool = False) -> None:
        """Put every minute that is over; also the present one when `unfinished`."""
        now = self._world.now()
        with self._lock:
            ready = [key for key in self._open if unfinished or key[1] + _MINUTE <= now]
            batches = [(key, self._open.pop(key)) for key in ready]
            for (fleet, minute), sums in batches:
                self._kept.setdefault(fleet, deque(maxlen=_KEPT_MINUTES)).append((minute, sums))
        for (fleet, minute), sums in batches:
            client = self._world.aws.client("cloudwatch", fleet.scope)
            client.put_metric_data(Namespace=NAMESPACE, MetricData=_data(fleet, minute, sums))

    def statistic(
        self, scope: Scope, dimensions: Mapping[str, str], metric: str, name: str, start: float, end: float
    ) -> float | None:
        """A statistic (Sum, Average, ..., p99) from `start` to before `end`; None without data. Raises ValueError for
        one that is unknown."""
        with self._lock:
            found = [
                sums[metric]
                for fleet, minutes in self._kept.items()
                if fleet.scope == scope and fleet.has(dimensions)
                for minute, sums in minutes
                if start <= minute < end and metric in sums
            ]
        return _statistic(found, name) if found else None

    def forget(self, scope: Scope, endpoint: str) -> None:
        """The endpoint is gone: what alarms may still read is in CloudWatch."""
        with self._lock:
            for fleet in [one for one in self._kept if (one.scope, one.endpoint) == (scope, endpoint)]:
                del self._kept[fleet]


def _statistic(found: Sequence[_Sums], name: str) -> float:
    count, total = sum(one.count for one in found), sum(one.total for one in found)
    plain = {
        "Sum": total,
        "SampleCount": count,
        "Average": total / count,
        "Minimum": min(one.least for one in found),
        "Maximum": max(one.most for one in found),
    }
    if name in plain:
        return plain[name]
    if not name.startswith("p"):
        raise ValueError(name)
    values = sorted(value for one in found for value in one.values)
    return percentile(values or [total / count], float(name[1:]))


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which so many percent of the sorted `values` lie, between neighbours in proportion."""
    place = (len(values) - 1) * min(max(percent, 0.0), 100.0) / 100
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def _data(fleet: Fleet, minute: int, sums: Mapping[str, _Sums]) -> list[dict[str, Any]]:
    dimensions = [
        {"Name": "EndpointName", "Value": fleet.endpoint},
        {"Name": "VariantName", "Value": fleet.variant},
    ]
    when = datetime.fromtimestamp(minute, UTC)
    return [
        {
            "MetricName": name,
            "Dimensions": dimensions,
            "Timestamp": when,
            "Unit": _UNITS.get(name, "None"),
            "StatisticValues": {
                "SampleCount": one.count,
                "Sum": one.total,
                "Minimum": one.least,
                "Maximum": one.most,
            },
        }
        for name, one in sums.items()
    ]
