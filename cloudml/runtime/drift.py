"""How far live data has moved from a reference: profiles of columns, and the statistics that compare with them.

Standard library only, so that it runs in any job. A profile is a JSON document that is made once of the reference;
live values are counted into a `Column`. The conventions are those of `spec.Threshold`:

- bins: for numbers the reference's deciles, right-closed, so that every value of a column of 0 and 1 has a bin of its
  own; for all else one bin a category, the fifty most frequent of the reference, the others pooled. Nulls are a bin of
  their own. What is no finite number in a column of numbers is a null.
- `psi`: sum of (q - p) ln(q / p) over the bins, shares floored at 1e-4. `js`: Jensen-Shannon divergence, base 2.
  `linf`: largest difference of the shares of a bin.
- `ks`: largest distance of the distribution functions; `wasserstein`: the area between them (W1) over the reference's
  standard deviation. Both of numbers only, nulls left out. They are exact when the reference has at most a thousand
  different values; else its distribution function is kept at a thousand ranks, with straight lines between them.
"""

from __future__ import annotations

import json
import math
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

Profile = dict[str, Any]

FLOOR = 1e-4
DECILES = 10
CATEGORIES = 50
POINTS = 1000
_LARGEST = sys.float_info.max
STATISTICS = ("psi", "js", "ks", "linf", "wasserstein", "null_share")


def profile(values: Iterable[Any]) -> Profile | None:
    """The profile of a reference column; None for values that are neither numbers nor text nor truth values."""
    values = values if isinstance(values, Sequence) else list(values)
    kept = [value for value in values if not is_null(value)]
    nulls = len(values) - len(kept)
    if kept and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in kept):
        return _numbers(sorted(float(value) for value in kept), nulls)
    if all(isinstance(value, (str, bool, int, float)) for value in kept):
        return _categories(Counter(category(value) for value in kept), nulls)
    return None


def is_null(value: Any) -> bool:
    """None, and a number that is not finite, or too large for a float."""
    if isinstance(value, (int, float)):
        return not -_LARGEST <= value <= _LARGEST
    return value is None


def category(value: Any) -> str:
    """The name of a value's category: JSON's `true` and `false`, however a truth value is written."""
    if isinstance(value, str):
        return value.lower() if value.lower() in ("true", "false") else value
    return json.dumps(value)


def _numbers(ordered: list[float], nulls: int) -> Profile:
    count = len(ordered)
    mean = math.fsum(ordered) / count
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in ordered) / count)
    edges = sorted({_rank(ordered, k, DECILES) for k in range(1, DECILES)})
    points = sorted(set(ordered))
    if len(points) > POINTS:
        points = sorted({ordered[0], *(_rank(ordered, k, POINTS) for k in range(1, POINTS + 1))})
    return {
        "kind": "number", "count": count, "nulls": nulls, "mean": mean, "deviation": deviation,
        "minimum": ordered[0], "maximum": ordered[-1],
        "edges": edges, "bins": _binned(ordered, edges),
        "points": points,
        "below": [bisect_left(ordered, point) for point in points],
        "upto": [bisect_right(ordered, point) for point in points],
    }  # fmt: skip


def _rank(ordered: Sequence[float], k: int, parts: int) -> float:
    """The smallest value that at least k/parts of all do not exceed."""
    return ordered[-(-k * len(ordered) // parts) - 1]


def _binned(ordered: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many values lie in each right-closed bin, the last of which has no upper end."""
    cuts = [0, *(bisect_right(ordered, edge) for edge in edges), len(ordered)]
    return [high - low for low, high in pairwise(cuts)]


def _categories(counts: Counter[str], nulls: int) -> Profile:
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "kind": "category", "count": counts.total(), "nulls": nulls, "distinct": len(counts),
        "categories": dict(ranked[:CATEGORIES]), "other": sum(number for _, number in ranked[CATEGORIES:]),
    }  # fmt: skip


class Column:
    """Live values of one column, counted in the terms of its reference.

    `invalid`: values of a column of numbers that are none; they are among the nulls.
    """

    def __init__(self, reference: Profile) -> None:
        self.reference = reference
        self.nulls = 0
        self.invalid = 0
        self._numbers = array("d")
        self._counts: Counter[str] = Counter()
        self._other = 0
        self._sorted = True

    def add(self, value: Any) -> None:
        """Count one value, as JSON or CSV had it."""
        if is_null(value):
            self.nulls += 1
        elif self.reference["kind"] == "number":
            self._add_number(value)
        elif (name := category(value)) in self.reference["categories"]:
            self._counts[name] += 1
        else:
            self._other += 1

    def _add_number(self, value: Any) -> None:
        if value == "":  # an empty field of a CSV line
            self.nulls += 1
            return
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            self._numbers.append(number)
            self._sorted = False
        else:
            self.nulls += 1
            self.invalid += 1

    @property
    def count(self) -> int:
        """Values that are no nulls."""
        return len(self._numbers) + self._counts.total() + self._other

    @property
    def rows(self) -> int:
        """Values with the nulls."""
        return self.count + self.nulls

    @property
    def ordered(self) -> array[float]:
        """The numbers, sorted."""
        if not self._sorted:
            self._numbers = array("d", sorted(self._numbers))
            self._sorted = True
        return self._numbers

    def bins(self) -> tuple[list[int], list[int]]:
        """The counts of the reference's bins, in the reference and here; the last one holds the nulls."""
        known = self.reference
        if known["kind"] == "number":
            return [*known["bins"], known["nulls"]], [*_binned(self.ordered, known["edges"]), self.nulls]
        names = known["categories"]
        here = [self._counts[name] for name in names]
        return [*names.values(), known["other"], known["nulls"]], [*here, self._other, self.nulls]


def measure(statistic: str, column: Column) -> float | None:
    """How far the column has moved by a statistic of STATISTICS; None when it has none of this column.

    So it is of `ks` and `wasserstein` for categories, and of columns without values.
    """
    return _MEASURES[statistic](column)


def samples(statistic: str, column: Column) -> int:
    """The number of live values that a statistic rests on."""
    return column.count if statistic in ("ks", "wasserstein") else column.rows


def _shares(column: Column) -> list[tuple[float, float]]:
    """Shares of the bins, in the reference and here; none when either is empty."""
    before, after = column.bins()
    all_before, all_after = sum(before), sum(after)
    if not all_before or not all_after:
        return []
    return [(one / all_before, other / all_after) for one, other in zip(before, after, strict=True)]


def _psi(column: Column) -> float | None:
    floored = [(max(p, FLOOR), max(q, FLOOR)) for p, q in _shares(column)]
    return math.fsum((q - p) * math.log(q / p) for p, q in floored) if floored else None


def _js(column: Column) -> float | None:
    shares = _shares(column)
    if not shares:
        return None
    terms = (part * math.log2(2 * part / (p + q)) for p, q in shares for part in (p, q) if part)
    return max(0.0, math.fsum(terms) / 2)


def _linf(column: Column) -> float | None:
    return max((abs(p - q) for p, q in _shares(column)), default=None)


def _null_share(column: Column) -> float | None:
    return column.nulls / column.rows if column.rows else None


_Step = tuple[float, float, float, float, float]
"""A value, the reference's distribution function just below it and at it, and that of the live values likewise."""


def _steps(column: Column) -> Iterator[_Step]:
    """Both distribution functions at every value that either has, in order. Nothing when one has none."""
    known, here = column.reference, column.ordered
    if known["kind"] != "number" or not here:
        return
    points, below, upto = known["points"], known["below"], known["upto"]
    count, live = known["count"], len(here)
    position, place = 0, 0
    while position < len(points) or place < live:
        at_point = place == live or (position < len(points) and points[position] <= here[place])
        value = points[position] if at_point else here[place]
        following = bisect_right(here, value, place)
        if at_point:
            low, high = below[position] / count, upto[position] / count
            position += 1
        else:
            low = high = _between(points, below, upto, position, value) / count
        yield value, low, high, place / live, following / live
        place = following


def _between(points: Sequence[float], below: Sequence[int], upto: Sequence[int], position: int, value: float) -> float:
    """How many reference values lie at or below a value between two kept points, on the straight line between them."""
    if position == 0:
        return 0.0
    if position == len(points):
        return float(upto[-1])
    left, right = points[position - 1], points[position]
    share = (value - left) / (right - left)
    return upto[position - 1] + share * (below[position] - upto[position - 1])


def _ks(column: Column) -> float | None:
    distances = (max(abs(low - g_low), abs(high - g_high)) for _, low, high, g_low, g_high in _steps(column))
    return max(distances, default=None)


def _wasserstein(column: Column) -> float | None:
    steps = list(_steps(column))
    if not steps:
        return None
    area = math.fsum(
        (right[0] - left[0]) * _gap(left[2] - left[4], right[1] - left[4]) for left, right in pairwise(steps)
    )
    deviation = float(column.reference["deviation"])
    if deviation:
        return area / deviation
    return math.inf if area else 0.0


def _gap(begin: float, end: float) -> float:
    """The mean of the absolute value of a line from `begin` to `end`."""
    if begin * end >= 0:
        return abs(begin + end) / 2
    return (begin * begin + end * end) / (2 * abs(end - begin))


_MEASURES: dict[str, Callable[[Column], float | None]] = {
    "psi": _psi,
    "js": _js,
    "ks": _ks,
    "linf": _linf,
    "wasserstein": _wasserstein,
    "null_share": _null_share,
}
