"""A model that is served and watched: drift is told to a team, starts the pipeline again, takes the version back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cloudml as ml

if TYPE_CHECKING:
    import polars as pl
    from sklearn.base import BaseEstimator

SCORES = ml.Endpoint("scores", capture=True)
TEAM = ml.email("team", "ml@example.com")
CALL = ml.pagerduty("call", ml.secret("PAGERDUTY_KEY"))
DRIFT = ml.Monitor(
    "drift",
    schedule=ml.cron("15 * * * *", tz="Europe/Berlin"),
    thresholds=[ml.threshold("psi", above=0.2), ml.threshold("error_rate", above=0.02)],
    features=["age"],
    window="6h",
    alerts=[TEAM, CALL],
    retrain=ml.retrain(cooldown="1d", limit=3, period="7d"),
    rollback=True,
)


@ml.processing
def load() -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame({"age": [20, 30, 40], "y": [1, 2, 3]})


@ml.training
def fit(data: pl.DataFrame) -> BaseEstimator:
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit(data.select("age").to_numpy(), data["y"].to_numpy())


@ml.pipeline(alerts=[TEAM, CALL])
def watched() -> None:
    data = load()
    live = ml.deploy(ml.register(fit(data), "ages"), SCORES)
    ml.monitor(live, DRIFT, baseline=data)
