"""Counters and a log-spaced latency histogram: constant memory, constant cost, mergeable, Prometheus text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

_PER_DECADE = 5
BOUNDS: tuple[float, ...] = tuple(10 ** (exponent / _PER_DECADE) / 10_000 for exponent in range(6 * _PER_DECADE + 1))
"""Upper bounds of the buckets in seconds: 0.1 ms to 100 s, five a decade, each 1.58 times the one before."""


class LatencyHistogram:
    """How long requests took, in seconds."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one request."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += 1
        self.sum += seconds

    def quantile(self, q: float) -> float | None:
        """An upper bound of the q-quantile in seconds, exact to one bucket; None without requests."""
        if not self.total:
            return None
        needed = q * self.total
        seen = 0
        for bound, count in zip(BOUNDS, self.counts, strict=False):
            seen += count
            if seen >= needed:
                return bound
        return float("inf")


class RequestCounters:
    """Requests by outcome. Client errors are apart from server errors: only the latter say something about a model."""

    def __init__(self) -> None:
        self.requests = 0
        self.client_errors = 0
        self.server_errors = 0
        self.latency = LatencyHistogram()

    def observe(self, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests += 1
        if status >= 500:
            self.server_errors += 1
        elif status >= 400:
            self.client_errors += 1
        self.latency.observe(seconds)

    def to_dict(self) -> dict[str, Any]:
        """JSON types; latencies in milliseconds, None without requests."""
        quantiles = (0.5, 0.9, 0.95, 0.99)
        return {
            "requests": self.requests,
            "4xx": self.client_errors,
            "5xx": self.server_errors,
            "latency_ms": {f"p{round(q * 100)}": _milliseconds(self.latency.quantile(q)) for q in quantiles},
            "histogram": {"bounds_s": list(BOUNDS), "counts": list(self.latency.counts)},
        }


def prometheus(counters: RequestCounters, labels: Mapping[str, str], gauges: Iterable[tuple[str, str, float]]) -> str:
    """The text exposition format; `gauges` are (name, help, value)."""
    tags = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
    lines = ["# HELP cloudml_requests_total Answered prediction requests.", "# TYPE cloudml_requests_total counter"]
    succeeded = counters.requests - counters.client_errors - counters.server_errors
    for outcome, count in (("ok", succeeded), ("4xx", counters.client_errors), ("5xx", counters.server_errors)):
        lines.append(f'cloudml_requests_total{{{tags},outcome="{outcome}"}} {count}')
    lines += ["# HELP cloudml_request_seconds Time to answer.", "# TYPE cloudml_request_seconds histogram"]
    seen = 0
    for bound, count in zip(BOUNDS, counters.latency.counts, strict=False):
        seen += count
        lines.append(f'cloudml_request_seconds_bucket{{{tags},le="{bound:.6g}"}} {seen}')
    lines.append(f'cloudml_request_seconds_bucket{{{tags},le="+Inf"}} {counters.latency.total}')
    lines.append(f"cloudml_request_seconds_sum{{{tags}}} {counters.latency.sum:.6f}")
    lines.append(f"cloudml_request_seconds_count{{{tags}}} {counters.latency.total}")
    for name, help_text, value in gauges:
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge", f"{name}{{{tags}}} {value:g}"]
    return "\n".join(lines) + "\n"


def _milliseconds(seconds: float | None) -> float | None:
    # Beyond the last bucket the histogram knows only "longer": twice the last bound, as JSON has no infinity.
    return None if seconds is None else round(min(seconds, 2 * BOUNDS[-1]) * 1000, 3)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
