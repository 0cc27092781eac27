"""Numbers, a model of them, a version of it, and an endpoint that a guarded canary brings it to."""

from __future__ import annotations

from typing import NamedTuple

import cloudml as ml

SERVICE = ml.Endpoint(
    "numbers",
    instances=2,
    rollout=ml.canary(
        [50, 100], bake="60s", guards=[ml.guard("error_rate", above=0.1, window="60s", min_samples=0, no_data="pass")]
    ),
)


class Fit(NamedTuple):
    model: dict[str, int]
    size: float


@ml.processing
def count(start: int) -> int:
    """Cheap, and another for each start."""
    return start + 1


@ml.training
def fit(first: int) -> Fit:
    return Fit({"first": first}, float(first))


@ml.pipeline(schedule=ml.cron("0 4 * * *"))
def numbers(start: ml.Param[int] = 1) -> None:
    made = fit(count(start))
    ml.deploy(ml.register(made.model, "numbers", metrics={"size": made.size}), SERVICE)


@ml.pipeline(description="The same, told otherwise and asked by nobody.", name="numbers")
def renewed(start: ml.Param[int] = 1) -> None:
    made = fit(count(start))
    ml.deploy(ml.register(made.model, "numbers", metrics={"size": made.size}), SERVICE)
