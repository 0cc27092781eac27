"""A number, a model of it, a version of that, and an endpoint that a guarded canary brings it to."""

from __future__ import annotations

from pathlib import Path

import cloudml as ml

SERVICE = ml.Endpoint(
    "numbers",
    instances=2,
    rollout=ml.canary(
        [50, 100], bake="60s", guards=[ml.guard("error_rate", above=0.1, window="60s", min_samples=0, no_data="pass")]
    ),
)


class Scores(ml.Metrics):
    size: float


@ml.processing(timeout="30s")
def count(start: int) -> int:
    """Cheap, and another for each start."""
    return start + 1


@ml.training(timeout="30s")
def fit(first: int, model: ml.Out[ml.Model]) -> Scores:
    Path(model.path).write_text(f"model of {first}", encoding="utf-8")
    return Scores(size=float(first))


@ml.pipeline(schedule=ml.cron("0 4 * * *"))
def numbers(start: ml.Param[int] = 1) -> None:
    """Made daily."""
    made = fit(count(start))
    ml.deploy(ml.register(made.model, "numbers", metrics=made.size), SERVICE)
