"""Arithmetic of Cloud Monitoring's values: numbers, and Distribution documents."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from cloudml_vertex.mock.core.errors import invalid

Distribution = dict[str, Any]


def merged(values: Sequence[Distribution]) -> Distribution:
    """The distribution of all samples together (Chan's formula for the squared deviations).

    Raises INVALID_ARGUMENT when their buckets differ.
    """
    filled = [value for value in values if value.get("count")]
    if not filled:
        return values[0] if values else {}
    first = filled[0]
    if any(value.get("bucket_options") != first.get("bucket_options") for value in filled):
        raise invalid("Distributions with different buckets cannot be joined.")
    count = sum(int(value["count"]) for value in filled)
    mean = sum(int(value["count"]) * float(value.get("mean", 0.0)) for value in filled) / count
    squares = sum(
        float(value.get("sum_of_squared_deviation", 0.0)) + int(value["count"]) * (value.get("mean", 0.0) - mean) ** 2
        for value in filled
    )
    columns = itertools.zip_longest(*(value.get("bucket_counts", []) for value in filled), fillvalue=0)
    return {
        "count": count,
        "mean": mean,
        "sum_of_squared_deviation": squares,
        "bucket_options": first.get("bucket_options", {}),
        "bucket_counts": [sum(column) for column in columns],
    }


def percentile(value: Distribution, percent: float) -> float:
    """By linear interpolation within the bucket in which the rank lies, as Cloud Monitoring estimates it.

    Samples of the last, endless bucket count as its lower bound. NaN without any sample.
    """
    counts = [int(count) for count in value.get("bucket_counts", [])]
    total = sum(counts)
    if not total:
        return float(value["mean"]) if value.get("count") else math.nan
    rank = percent / 100 * total
    seen = 0
    for index, count in enumerate(counts):
        if count and seen + count >= rank:
            low, high = _bounds(value.get("bucket_options", {}), index)
            return low + (high - low) * max(0.0, rank - seen) / count
        seen += count
    return _bounds(value.get("bucket_options", {}), len(counts) - 1)[1]


def _bounds(options: dict[str, Any], index: int) -> tuple[float, float]:
    """Lower and upper bound of a bucket; where there is none, the other one (google/api/distribution.proto)."""
    edges = _edges(options)
    if not edges:
        return 0.0, 0.0
    low = edges[index - 1] if index > 0 else min(0.0, edges[0])
    high = edges[index] if index < len(edges) else edges[-1]
    return low, high


def _edges(options: dict[str, Any]) -> list[float]:
    if "exponential_buckets" in options:
        spec = options["exponential_buckets"]
        finite = int(spec.get("num_finite_buckets", 0))
        return [spec.get("scale", 0.0) * spec.get("growth_factor", 0.0) ** power for power in range(finite + 1)]
    if "linear_buckets" in options:
        spec = options["linear_buckets"]
        finite = int(spec.get("num_finite_buckets", 0))
        return [spec.get("offset", 0.0) + spec.get("width", 0.0) * step for step in range(finite + 1)]
    return [float(bound) for bound in options.get("explicit_buckets", {}).get("bounds", [])]


def deviation(values: Sequence[float]) -> float:
    """The population's standard deviation."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def rank_of(values: Sequence[float], percent: float) -> float:
    """The percentile of plain numbers, by linear interpolation between the two nearest ranks."""
    ordered = sorted(values)
    place = percent / 100 * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
