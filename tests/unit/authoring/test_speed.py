"""Thousands of steps: the work grows as they do. It is counted, not timed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from authoring_steps import double

import cloudml as ml
from cloudml import graph
from cloudml.spec import Pipeline
from cloudml.validation import validate

T = TypeVar("T")


def chain(length: int) -> Pipeline:
    @ml.pipeline
    def long() -> None:
        value = double.options(name="s0")(1.0)
        for position in range(1, length):
            value = double.options(name=f"s{position}", after=[f"s{position // 2}"])(value)

    return long.build()


def calls(work: Callable[[], T]) -> tuple[int, T]:
    """How many functions were called, and what came out: the same count on every machine, however busy."""
    counted = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        result = work()
    finally:
        sys.setprofile(before)
    return counted, result


def test_linear() -> None:
    chain(50)
    small_calls, small = calls(lambda: chain(200))
    big_calls, big = calls(lambda: chain(2000))
    assert big_calls < 11 * small_calls
    for work in (validate, graph.order, graph.dependencies):
        few, _ = calls(lambda: work(small))  # noqa: B023
        many, _ = calls(lambda: work(big))  # noqa: B023
        assert many < 12 * few + 100, work.__name__
    assert graph.order(big) == tuple(f"s{position}" for position in range(2000))
    assert len(graph.upstream(big, "s1999")) == 1999


def test_five_thousand_steps_are_built_and_checked() -> None:
    big = chain(5000)
    assert validate(big) == ()
    assert graph.order(big) == tuple(f"s{position}" for position in range(5000))


def test_deep_chains_need_no_recursion() -> None:
    assert validate(chain(3000)) == ()
