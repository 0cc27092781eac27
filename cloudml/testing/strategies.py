"""Hypothesis strategies: random pipelines for properties that every reader of a spec must keep.

Hypothesis is imported here and nowhere else; `pip install hypothesis` to use this module.

    @given(pipelines())
    def test_compiles(pipeline):
        ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

import cloudml as ml
from cloudml.spec import Pipeline

Draw = Callable[[st.SearchStrategy[Any]], Any]


class Score(ml.Metrics):
    """What the steps below measure."""

    value: float


class Pair(NamedTuple):
    """Two outputs."""

    left: int
    items: list[int]


@ml.processing
def number(seed: int = 0) -> int:
    """A source."""
    return seed


@ml.processing(cpu=2, memory="512Mi", retries=2, cache="1d")
def add(first: int, second: int, bias: int = 1) -> int:
    """Two inputs, one output."""
    return first + second + bias


@ml.processing
def pair(value: int) -> Pair:
    """Several outputs."""
    return Pair(value, [value, value + 1])


@ml.processing
def total(values: list[int]) -> int:
    """What collects the outputs of a map."""
    return sum(values)


@ml.evaluation
def judge(value: int) -> Score:
    """A metric."""
    return Score(value=float(value))


@ml.training(checkpoint=True)
def fit(value: int, depth: int = 2, rate: float = 0.1) -> Score:
    """Something to tune."""
    return Score(value=value + depth * rate)


class _Author:
    """Writes a random pipeline with the verbs, as a person would; remembers which outputs are known where."""

    def __init__(self, draw: Draw, budget: int, depth: int) -> None:
        self.draw, self.budget, self.depth, self.count = draw, budget, depth, 0

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count}"

    def block(self, known: list[Any], depth: int) -> list[Any]:
        """A source and some steps. Returns the integers that are known after them in the same block."""
        known = [*known, *self.source(known, depth)]
        for _ in range(self.draw(st.integers(1, 4))):
            if self.budget <= 0:
                break
            self.budget -= 1
            nested = [self.branch, self.over, self.group] if depth < self.depth else []
            kind = self.choose([self.source, self.add, self.pair, self.tune, self.judge, *nested])
            known += kind(known, depth)
        return known

    def choose(self, options: list[Any]) -> Any:
        """One of several; what is drawn is its place, which means the same when the choices are replayed."""
        return options[self.draw(st.integers(0, len(options) - 1))]

    def pick(self, known: list[Any]) -> Any:
        return self.choose(known) if known else self.draw(st.integers(-5, 5))

    def source(self, _: list[Any], __: int) -> list[Any]:
        return [number.options(name=self.name("number"))(seed=self.draw(st.integers(0, 9)))]

    def add(self, known: list[Any], _: int) -> list[Any]:
        return [add.options(name=self.name("add"))(self.pick(known), self.pick(known))]

    def pair(self, known: list[Any], _: int) -> list[Any]:
        return [pair.options(name=self.name("pair"))(self.pick(known)).left]

    def tune(self, known: list[Any], _: int) -> list[Any]:
        space = {"depth": ml.ints(1, 9), "rate": ml.log_uniform(0.01, 1)}
        trials = self.draw(st.integers(1, 5))
        ml.tune(fit, value=self.pick(known), maximize=Score.value, trials=trials, space=space, name=self.name("tune"))
        return []

    def judge(self, known: list[Any], _: int) -> list[Any]:
        judge.options(name=self.name("judge"))(self.pick(known))
        return []

    def branch(self, known: list[Any], depth: int) -> list[Any]:
        score = judge.options(name=self.name("judge"))(self.pick(known))
        limit = self.draw(st.floats(-10, 10, allow_nan=False))
        conditions = [score.value >= limit, ~(score.value < limit), (score.value > limit) | (self.pick(known) == 3)]
        with ml.when(self.choose(conditions), name=self.name("when")) as gate:
            self.block(known, depth + 1)
        if self.draw(st.booleans()):
            with gate.otherwise():
                self.block(known, depth + 1)
        return []

    def over(self, known: list[Any], depth: int) -> list[Any]:
        items = pair.options(name=self.name("pair"))(self.pick(known)).items
        with ml.map(items, parallel=self.draw(st.none() | st.integers(1, 3)), name=self.name("map")) as item:
            one = add.options(name=self.name("add"))(item, self.pick(known))
            self.block([*known, item, one], depth + 1)
        return [total.options(name=self.name("total"))(ml.collect(one))]

    def group(self, known: list[Any], depth: int) -> list[Any]:
        with ml.group(name=self.name("group")):
            return self.block(known, depth + 1)


@st.composite
def pipeline_functions(draw: Draw, max_steps: int = 25, max_depth: int = 3) -> Any:
    """Pipelines as authored. Building one replays the same choices, so `.build()` is repeatable."""
    choices: list[Any] = []

    def recorded(strategy: st.SearchStrategy[Any]) -> Any:
        choices.append(draw(strategy))
        return choices[-1]

    def write(source: Draw, start: Any) -> None:
        author = _Author(source, max_steps, max_depth)
        author.block([start], 0)
        if source(st.booleans()):
            with ml.on_exit():
                number.options(name="farewell")()

    @ml.pipeline(name="random", schedule=draw(st.sampled_from([None, ml.every("1h"), ml.cron("0 2 * * MON")])))
    def first(start: ml.Param[int] = 1) -> None:
        write(recorded, start)

    first.build()
    kept = tuple(choices)

    @ml.pipeline(name="random", schedule=first.schedule)
    def replayed(start: ml.Param[int] = 1) -> None:
        following = iter(kept)
        write(lambda _: next(following), start)

    return replayed


def pipelines(max_steps: int = 25, max_depth: int = 3) -> st.SearchStrategy[Pipeline]:
    """Valid pipelines, with branches, maps, groups, tuning and a finally block."""
    return pipeline_functions(max_steps=max_steps, max_depth=max_depth).map(lambda function: function.build())
