"""Distances between two samples of one feature, as Vertex AI Model Monitoring measures them.

Categorical: the largest difference of a value's share (L-infinity), or the Jensen-Shannon divergence of the shares.
Numeric: the Jensen-Shannon divergence of histograms over equal intervals of the whole range (docs: "Introduction to
Vertex AI Model Monitoring": the range of possible values is divided into equal intervals).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

BINS = 10
"""Intervals: those of TensorFlow Data Validation's standard histograms, on which Model Monitoring stands."""
L_INFINITY = "l_infinity"
JENSEN_SHANNON = "jensen_shannon_divergence"


def categorical(current: Sequence[Any], baseline: Sequence[Any], algorithm: str = L_INFINITY) -> float:
    """The distance of two samples of categories, in [0, 1]. ValueError for a sample without values."""
    first, second = _shares(Counter(map(category, current))), _shares(Counter(map(category, baseline)))
    if algorithm == JENSEN_SHANNON:
        return divergence(first, second)
    return max(abs(first.get(key, 0.0) - second.get(key, 0.0)) for key in {*first, *second})


def category(value: Any) -> str:
    """A value as it is counted: 1 and "1" are the same, true is "true"."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def numeric(current: Sequence[float], baseline: Sequence[float]) -> float:
    """The distance of two samples of numbers, in [0, 1]. ValueError for a sample without values."""
    low, high = min(*current, *baseline), max(*current, *baseline)
    first, second = (_shares(histogram(sample, low, high)) for sample in (current, baseline))
    return divergence(first, second)


def histogram(sample: Sequence[float], low: float, high: float) -> Counter[int]:
    """How many values lie in each interval; the last one has its upper bound."""
    width = (high - low) / BINS
    if not width > 0:
        return Counter({0: len(sample)})
    return Counter(min(int((value - low) / width), BINS - 1) for value in sample)


def _shares(counts: Mapping[Any, int]) -> dict[Any, float]:
    total = sum(counts.values())
    if not total:
        raise ValueError("a sample without values has no distribution")
    return {key: count / total for key, count in counts.items()}


def divergence(first: Mapping[Any, float], second: Mapping[Any, float]) -> float:
    """Jensen-Shannon divergence to the base of 2: 0 for equal shares, 1 for shares that have nothing in common."""
    total = 0.0
    for key in {*first, *second}:
        one, other = first.get(key, 0.0), second.get(key, 0.0)
        middle = (one + other) / 2
        total += sum(share * math.log2(share / middle) for share in (one, other) if share)
    return min(1.0, max(0.0, total / 2))
