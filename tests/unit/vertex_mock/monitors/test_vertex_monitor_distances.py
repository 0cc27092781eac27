"""Distances by hand, and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from cloudml_vertex.mock.monitors import distances

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)
WORDS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=40)


def test_l_infinity_by_hand() -> None:
    # 1/2 against 1/4 of a, 1/2 against 1/4 of b, 0 against 1/2 of c
    assert distances.categorical(["a", "b"], ["a", "b", "c", "c"]) == pytest.approx(0.5)
    assert distances.categorical(["a"], ["a"]) == 0.0
    assert distances.categorical(["a"], ["b"]) == 1.0


def test_divergence_by_hand() -> None:
    assert distances.numeric([1, 1], [1, 1]) == 0.0
    assert distances.numeric([0.0], [1.0]) == pytest.approx(1.0)
    # Shares (1/2, 1/2) and (1, 0): 0.5 * (0.5 log2(0.5/0.75) + 0.5 log2(0.5/0.25)) + 0.5 * log2(1/0.75)
    expected = 0.5 * (0.5 * np.log2(2 / 3) + 0.5) + 0.5 * np.log2(4 / 3)
    assert distances.numeric([0.0, 1.0], [0.0, 0.0]) == pytest.approx(expected)


def test_what_is_the_same_category() -> None:
    assert distances.categorical([1, 2.0, True], ["1", "2", "true"]) == 0.0


@given(NUMBERS, NUMBERS)
def test_numeric_distances_are_scipys(first: list[float], second: list[float]) -> None:
    low, high = min(first + second), max(first + second)
    if high - low < 1e-6:
        return
    counts = [distances.histogram(sample, low, high) for sample in (first, second)]
    shares = [
        [one[index] / len(sample) for index in range(distances.BINS)]
        for one, sample in zip(counts, (first, second), strict=True)
    ]
    expected = jensenshannon(shares[0], shares[1], base=2) ** 2
    assert distances.numeric(first, second) == pytest.approx(float(np.nan_to_num(expected)), abs=1e-6)


def test_intervals_are_numpys() -> None:
    sample = np.random.default_rng(3).normal(size=500).tolist()
    expected, _ = np.histogram(sample, bins=distances.BINS, range=(-4, 4))
    counts = distances.histogram(sample, -4, 4)
    assert [counts[index] for index in range(distances.BINS)] == expected.tolist()


@given(WORDS, WORDS)
def test_categorical_divergence_is_scipys(first: list[str], second: list[str]) -> None:
    shares = [[sample.count(word) / len(sample) for word in "abcde"] for sample in (first, second)]
    expected = jensenshannon(shares[0], shares[1], base=2) ** 2
    found = distances.categorical(first, second, distances.JENSEN_SHANNON)
    assert found == pytest.approx(float(np.nan_to_num(expected)), abs=1e-6)
    largest = max(abs(one - other) for one, other in zip(*shares, strict=True))
    assert distances.categorical(first, second) == pytest.approx(largest)


def test_a_sample_without_values_has_no_distance() -> None:
    with pytest.raises(ValueError, match="without values"):
        distances.categorical([], ["a"])
