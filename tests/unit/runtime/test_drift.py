"""Drift: by hand on small tables, by scipy on large ones, and the conventions of `spec.Threshold` one by one."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from cloudml.runtime.drift import FLOOR, STATISTICS, Column, category, measure, profile, samples


def column(reference: Iterable[Any], live: Iterable[Any]) -> Column:
    """Live values counted against a reference whose profile has been to S3 and back."""
    known = profile(list(reference))
    assert known is not None
    found = Column(json.loads(json.dumps(known)))
    for value in live:
        found.add(value)
    return found


def value(statistic: str, reference: Iterable[Any], live: Iterable[Any]) -> float:
    found = measure(statistic, column(reference, live))
    assert found is not None
    return found


def test_psi_of_categories_by_hand() -> None:
    # Shares 1/2, 1/4, 1/4 against 1/4, 1/4, 1/2; nothing pooled, no nulls: those bins are floored on both sides.
    found = value("psi", ["a", "a", "b", "c"], ["a", "b", "c", "c"])
    assert found == pytest.approx(0.25 * math.log(2) + 0.25 * math.log(2))


def test_psi_of_numbers_counts_in_the_references_deciles() -> None:
    # 1..10: each value is a decile of its own. All live values in the first: its share goes from 0.1 to 1.
    found = value("psi", range(1, 11), [1] * 10)
    assert found == pytest.approx((1 - 0.1) * math.log(1 / 0.1) + 9 * (0.1 - FLOOR) * math.log(0.1 / FLOOR))


def test_a_share_of_nothing_is_floored() -> None:
    found = value("psi", ["a"], ["b"])
    by_hand = 2 * (1 - FLOOR) * math.log(1 / FLOOR)
    assert found == pytest.approx(by_hand)


def test_nulls_are_a_bin_of_their_own() -> None:
    found = value("psi", [1.0, None], [1.0, None, None, None])
    assert found == pytest.approx((0.25 - 0.5) * math.log(0.25 / 0.5) + (0.75 - 0.5) * math.log(0.75 / 0.5))


def test_the_values_of_a_column_of_zero_and_one_do_not_share_a_bin() -> None:
    assert value("linf", [0] * 7 + [1] * 3, [0] * 3 + [1] * 7) == pytest.approx(0.4)


def test_js_is_the_divergence_in_bits() -> None:
    assert value("js", ["a"] * 3, ["b"] * 5) == pytest.approx(1.0)
    assert value("js", ["a", "b"], ["a", "b", "a", "b"]) == 0.0


def test_js_equals_scipys_distance_squared() -> None:
    before, after = [5, 3, 2], [1, 6, 3]
    reference = [name for name, count in zip("abc", before, strict=True) for _ in range(count)]
    live = [name for name, count in zip("abc", after, strict=True) for _ in range(count)]
    assert value("js", reference, live) == pytest.approx(jensenshannon(before, after, base=2) ** 2)


@pytest.mark.parametrize("count", [40, 3000], ids=["exact", "kept at ranks"])
@pytest.mark.parametrize("shift", [0.0, 0.3, 5.0])
def test_ks_and_w1_equal_scipys(count: int, shift: float) -> None:
    generator = np.random.default_rng(count)
    reference, live = generator.normal(size=count), generator.normal(loc=shift, scale=1.5, size=count // 2)
    tolerance = 1e-9 if count < 1000 else 2e-3
    assert value("ks", reference.tolist(), live.tolist()) == pytest.approx(
        stats.ks_2samp(reference, live).statistic, abs=tolerance
    )
    distance = stats.wasserstein_distance(reference, live) / reference.std()
    assert value("wasserstein", reference.tolist(), live.tolist()) == pytest.approx(distance, abs=5 * tolerance)


def test_a_heap_at_one_value_among_many_is_exact() -> None:
    """Half of a reference of many values is zero: a straight line over that jump would be far off."""
    generator = np.random.default_rng(1)
    reference = np.concatenate([np.zeros(3000), generator.exponential(size=3000)])
    live = np.concatenate([np.zeros(500), generator.exponential(size=1500)])
    expected = stats.ks_2samp(reference, live).statistic
    assert value("ks", reference.tolist(), live.tolist()) == pytest.approx(expected, abs=2e-3)


def test_w1_of_a_reference_without_spread() -> None:
    assert value("wasserstein", [2.0, 2.0], [2.0]) == 0.0
    assert value("wasserstein", [2.0, 2.0], [3.0]) == math.inf


def test_null_share_counts_what_is_no_number() -> None:
    found = column([1.0, 2.0], [1.0, None, "x", math.nan])
    assert measure("null_share", found) == pytest.approx(0.75)
    assert found.invalid == 1
    assert found.rows == 4


def test_values_of_csv_are_numbers_again() -> None:
    assert value("linf", [1, 2, 3], ["1", "2", "3"]) == 0.0
    assert column([1, 2], [""]).nulls == 1


@pytest.mark.parametrize("statistic", ["ks", "wasserstein"])
def test_categories_have_no_distribution_function(statistic: str) -> None:
    assert measure(statistic, column(["a"], ["b"])) is None


def test_truth_values_are_categories_however_they_are_written() -> None:
    assert value("linf", [True, False], ["True", "false", True, False]) == 0.0
    assert category("x") == "x"


def test_rare_categories_are_pooled() -> None:
    reference = [f"c{number:03d}" for number in range(60) for _ in range(60 - number)]
    known = profile(reference)
    assert known is not None
    assert len(known["categories"]) == 50
    assert known["other"] == sum(range(1, 11))
    # Ten rare ones, swapped for others that were never seen: nothing has moved but names that nobody knows.
    live = [name if int(name[1:]) < 50 else f"new{name}" for name in reference]
    assert value("psi", reference, live) == 0.0


def test_an_empty_text_is_a_category_and_not_the_pool() -> None:
    found = column(["", "a"], ["", "a", "never seen"])
    assert found.bins() == ([1, 1, 0, 0], [1, 1, 1, 0])


def test_what_cannot_be_compared_has_no_profile() -> None:
    assert profile([[1, 2], [3]]) is None
    assert profile([object()]) is None


@pytest.mark.parametrize("statistic", STATISTICS)
def test_nothing_moved_is_zero_and_nothing_seen_is_unknown(statistic: str) -> None:
    values = [random.Random(2).gauss(0, 1) for _ in range(300)]
    assert value(statistic, values, values) == pytest.approx(0.0, abs=1e-12)
    assert measure(statistic, column(values, [])) is None


def test_numbers_that_no_float_holds_are_nulls() -> None:
    assert column([1, 2, 10**400], [10**400, 1]).nulls == 1


def test_samples_are_what_a_statistic_rests_on() -> None:
    found = column([1.0, 2.0], [1.0, None, None])
    assert samples("psi", found) == 3
    assert samples("ks", found) == 1


def test_psi_under_no_drift_is_what_theory_says() -> None:
    """Its mean is (K - 1)(1/n + 1/m) when nothing has moved (K bins, n and m values)."""
    generator = np.random.default_rng(7)
    reference = generator.normal(size=4000).tolist()
    known = profile(reference)
    assert known is not None
    found = []
    for _ in range(60):
        live = Column(known)
        for one in generator.normal(size=400).tolist():
            live.add(one)
        found.append(measure("psi", live))
    assert np.mean(np.array(found, dtype=float)) == pytest.approx(9 * (1 / 4000 + 1 / 400), rel=0.25)
