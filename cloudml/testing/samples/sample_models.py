"""A model's life: trained, registered, judged against the champion, approved, served, asked in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cloudml as ml

if TYPE_CHECKING:
    import polars as pl
    from sklearn.base import BaseEstimator

SERVICE = ml.Endpoint("sample-service")


class Scores(ml.Metrics):
    r2: float


class Fit(NamedTuple):
    model: BaseEstimator
    scores: Scores


@ml.processing
def line(rows: int, slope: float) -> pl.DataFrame:
    """Points on y = slope * x + 1."""
    import polars as pl

    return pl.DataFrame({"x": [float(x) for x in range(rows)], "y": [slope * x + 1 for x in range(rows)]})


@ml.training
def fit(data: pl.DataFrame, quality: float) -> Fit:
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(data.select("x").to_pandas(), data["y"].to_numpy())
    return Fit(model, Scores(r2=quality))


def rounded(model: Any, rows: list[dict[str, Any]]) -> list[float]:
    """A predictor of the project's own."""
    return [round(float(model.predict([[row["x"]]])[0]), 6) for row in rows]


def exact(rows: list[dict[str, Any]], predictions: list[float]) -> None:
    """What `verify` asks of the answers."""
    for row, answer in zip(rows, predictions, strict=True):
        assert abs(answer - row["y"]) < 1e-3, (row, answer)


@ml.pipeline
def registered(slope: ml.Param[float] = 2.0, quality: ml.Param[float] = 0.9) -> None:
    best = fit(line(8, slope), quality)
    ml.register(best.model, "sample-line", metrics=best.scores)


@ml.pipeline
def gated(quality: ml.Param[float] = 0.9) -> None:
    best = fit(line(8, 2.0), quality)
    with ml.when(best.scores.r2 > ml.champion("sample-line").r2, name="better"):
        ml.register(best.model, "sample-line", metrics=best.scores)


@ml.pipeline
def demanding() -> None:
    best = fit(line(8, 2.0), 0.5)
    with ml.when(best.scores.r2 > ml.champion("sample-line", missing="fail").r2, name="better"):
        ml.register(best.model, "sample-line", metrics=best.scores)


@ml.pipeline
def approved() -> None:
    best = fit(line(8, 2.0), 0.9)
    version = ml.register(best.model, "sample-line", metrics=best.scores, approval="pending")
    ml.approve("may it serve?", subject=version, approvers=["ada", "grace"], name="gate")
    line.options(name="behind", after=["gate"])(2, 1.0)


@ml.pipeline
def expiring() -> None:
    ml.approve("quick!", expires=0.2, name="gate")


@ml.pipeline
def batch() -> None:
    data = line(25, 2.0)
    best = fit(data, 0.9)
    asked = ml.batch_predict(best.model, data, predictor=rounded, batch_size=10, keep=("x",), name="ask")
    look(asked)


@ml.processing
def look(answers: pl.DataFrame) -> list[float]:
    assert answers["x"].to_list() == [float(x) for x in range(25)], "the order of the rows is kept"
    return [float(value) for value in answers["prediction"]]


@ml.pipeline
def served() -> None:
    data = line(12, 2.0)
    best = fit(data, 0.9)
    version = ml.register(best.model, "sample-line", metrics=best.scores, predictor=rounded, sample=data)
    live = ml.deploy(version, SERVICE, alias="champion")
    ml.verify(live, sample=data, function=exact, rows=5, requests=5)
