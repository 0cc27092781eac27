"""5,000 steps: everything stays linear, and each part takes seconds at most."""

from __future__ import annotations

import time
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


def seconds(work: Callable[[], T]) -> tuple[float, T]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def test_linear() -> None:
    chain(50)
    small_build, small = min((seconds(lambda: chain(500)) for _ in range(3)), key=lambda pair: pair[0])
    big_build, big = seconds(lambda: chain(5000))
    assert big_build < 14 * small_build + 0.5
    assert big_build < 8
    for work in (validate, graph.order, graph.dependencies):
        small_time = min(seconds(lambda: work(small))[0] for _ in range(3))  # noqa: B023
        big_time, _ = seconds(lambda: work(big))  # noqa: B023
        assert big_time < 14 * small_time + 0.3, work.__name__
        assert big_time < 4, work.__name__
    assert graph.order(big) == tuple(f"s{position}" for position in range(5000))
    assert len(graph.upstream(big, "s4999")) == 4999


def test_deep_chains_need_no_recursion() -> None:
    assert validate(chain(3000)) == ()
