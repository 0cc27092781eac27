"""Tuning on spot machines by SageMaker's own search, and a group of small steps in one job."""

from __future__ import annotations

from typing import NamedTuple

import cloudml as ml


class Quality(ml.Metrics):
    loss: float


class Fit(NamedTuple):
    quality: Quality
    weights: dict[str, float]


@ml.training(cpu=4, memory="16Gi", spot=True, max_time="1h")
def fit(rate: float, depth: int) -> Fit:
    return Fit(Quality(loss=(rate - 0.1) ** 2 + depth), {"rate": rate})


@ml.processing
def shorten(weights: dict[str, float]) -> list[float]:
    return sorted(weights.values())


@ml.processing
def describe(values: list[float]) -> str:
    return ", ".join(map(str, values))


@ml.pipeline
def search() -> None:
    best = ml.tune(
        fit, minimize=Quality.loss, trials=12, parallel=3, seed=7,
        space={"rate": ml.log_uniform(0.001, 1.0), "depth": ml.ints(2, 8)},
    )  # fmt: skip
    with ml.group("words"):
        describe(shorten(best.weights))
