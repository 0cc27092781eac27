"""Tuning: every strategy, trials that fail, trials that are pruned."""

from __future__ import annotations

from typing import NamedTuple

import cloudml as ml


class Loss(ml.Metrics):
    loss: float


class Fit(NamedTuple):
    scores: Loss
    weights: dict[str, float]


@ml.training
def parabola(base: float, x: float, y: int = 0) -> Fit:
    """Smallest, `base`, at x = 2 and y = 3."""
    return Fit(Loss(loss=base + (x - 2) ** 2 + (y - 3) ** 2), {"x": x, "y": float(y)})


@ml.training
def fussy(x: int) -> Fit:
    """Refuses odd numbers."""
    if x % 2:
        raise ValueError(f"{x} is odd")
    return Fit(Loss(loss=float(x)), {"x": float(x)})


@ml.training
def learner(rate: int) -> Fit:
    """Its loss is its rate at every epoch, so that the better half is known early."""
    for _ in range(5):
        ml.report(float(rate))
    return Fit(Loss(loss=float(rate)), {"rate": float(rate)})


@ml.processing
def use(weights: dict[str, float], best: float) -> float:
    return weights["x"] + best


@ml.pipeline
def grid() -> None:
    best = ml.tune(
        parabola, base=1.0, minimize=Loss.loss, strategy="grid", trials=50, parallel=2,
        space={"x": ml.uniform(0.0, 4.0, step=1.0), "y": ml.ints(2, 4)},
    )  # fmt: skip
    use(best.weights, best.best_value)


@ml.pipeline
def random() -> None:
    ml.tune(
        parabola, base=0.0, minimize=Loss.loss, strategy="random", trials=8, parallel=3, seed=11,
        space={"x": ml.uniform(0.0, 4.0), "y": ml.choice([1, 3, 5])},
    )  # fmt: skip


@ml.pipeline
def bayesian(seed_offset: ml.Param[float] = 0.0) -> None:
    ml.tune(
        parabola, base=seed_offset, minimize=Loss.loss, trials=14, parallel=2, seed=5,
        space={"x": ml.uniform(-10.0, 10.0)},
    )  # fmt: skip


@ml.pipeline
def forgiving() -> None:
    ml.tune(fussy, minimize=Loss.loss, strategy="grid", trials=6, space={"x": ml.ints(1, 6)}, max_failed=3)


@ml.pipeline
def unforgiving() -> None:
    ml.tune(fussy, minimize=Loss.loss, strategy="grid", trials=6, space={"x": ml.ints(1, 6)}, max_failed=1)


@ml.pipeline
def pruned() -> None:
    ml.tune(
        learner, minimize=Loss.loss, strategy="grid", trials=9, seed=1, space={"rate": ml.ints(1, 9)},
        prune=ml.pruning(startup_trials=3, warmup_reports=1),
    )  # fmt: skip
