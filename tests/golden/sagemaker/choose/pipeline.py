"""A choice that SageMaker makes by itself: both sides are numbers it can read."""

from __future__ import annotations

import cloudml as ml


@ml.processing
def measure(rows: int) -> float:
    return rows / 100


@ml.processing
def publish(quality: float) -> str:
    return f"published at {quality}"


@ml.pipeline
def choose(rows: ml.Param[int] = 90, least: ml.Param[float] = 0.8) -> None:
    quality = measure(rows)
    with ml.when((quality >= least) | (rows == 0), name="good") as good:
        publish(quality)
    with good.otherwise():
        ml.fail("the quality is only {quality}", quality=quality, name="stop")
