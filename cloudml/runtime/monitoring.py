"""What a monitor finds: its thresholds held against live columns and against what the service tells.

The verdict of a check is `breach`, `pass`, `insufficient_data` (fewer values than `min_samples`: never a pass) or
`not_applicable` (no column has such a statistic). Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cloudml.runtime.drift import STATISTICS, Column, measure, samples

SERVICE = ("error_rate", "latency_p95", "latency_p99")
"""Statistics of requests, not of columns."""

Threshold = Mapping[str, Any]
"""A `spec.Threshold` as a document."""


@dataclass(frozen=True)
class Told:
    """What the service tells of a statistic over the window: None when it does not, and of how many requests."""

    value: float | None
    samples: int


@dataclass(frozen=True)
class Check:
    """One threshold on one column (`feature`; empty for the service's statistics)."""

    statistic: str
    feature: str
    verdict: str
    value: float | None
    limit: float
    direction: str
    samples: int
    min_samples: int

    def to_dict(self) -> dict[str, Any]:
        """JSON types; a value without bound is the text `inf`."""
        found = asdict(self)
        return found if self.value != float("inf") else {**found, "value": "inf"}

    def text(self) -> str:
        """In words: `psi of age is 0.31, above 0.2`."""
        of = f" of {self.feature}" if self.feature else ""
        return f"{self.statistic}{of} is {self.value:.4g}, {self.direction} {self.limit:g}"


def judge(thresholds: Sequence[Threshold], columns: Mapping[str, Column], told: Mapping[str, Told]) -> list[Check]:
    """Every threshold on everything that it can be held against, in the thresholds' order."""
    found: list[Check] = []
    for threshold in thresholds:
        if threshold["statistic"] in STATISTICS:
            found += _columns(threshold, columns)
        else:
            one = told.get(threshold["statistic"], Told(None, 0))
            found.append(_check(threshold, "", one.value, one.samples))
    return found


def verdict(checks: Sequence[Check]) -> str:
    """The worst of all: a breach, else that something could not be judged, else a pass."""
    seen = {check.verdict for check in checks}
    if "breach" in seen:
        return "breach"
    return "pass" if seen == {"pass"} else "insufficient_data"


def _columns(threshold: Threshold, columns: Mapping[str, Column]) -> list[Check]:
    statistic = threshold["statistic"]
    field = threshold.get("field")
    wanted = {name: one for name, one in columns.items() if field in (None, name)}
    found = []
    for name, column in wanted.items():
        value, count = measure(statistic, column), samples(statistic, column)
        if value is not None or not count:
            found.append(_check(threshold, name, value, count))
    return found or [_made(threshold, field or "", "not_applicable", None, 0)]


def _check(threshold: Threshold, feature: str, value: float | None, count: int) -> Check:
    if value is None or count < threshold["min_samples"]:
        return _made(threshold, feature, "insufficient_data", value, count)
    above = threshold["direction"] == "above"
    broken = value > threshold["limit"] if above else value < threshold["limit"]
    return _made(threshold, feature, "breach" if broken else "pass", value, count)


def _made(threshold: Threshold, feature: str, found: str, value: float | None, count: int) -> Check:
    return Check(
        threshold["statistic"], feature, found, value,
        threshold["limit"], threshold["direction"], count, threshold["min_samples"],
    )  # fmt: skip
