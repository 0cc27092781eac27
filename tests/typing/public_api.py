"""The public API as a user would write it: `mypy --strict` must accept this file, and `reveal` what it claims."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, assert_type

import cloudml as ml

if TYPE_CHECKING:
    import polars as pl


class Fit(ml.Metrics):
    valid_auc: float


class Scores(ml.Metrics):
    auc: float
    worst_group_gap: float


class Parts(NamedTuple):
    train: pl.DataFrame
    test: pl.DataFrame


CHURN = ml.Endpoint("churn", cpu=2, instances=(1, 3), rollout=ml.canary([10, 100], bake="10m"))
TEAM = ml.slack("team", ml.secret("SLACK_URL"))


@ml.processing
def extract(database: Path, weeks: int = 4) -> pl.DataFrame:
    raise NotImplementedError


@ml.processing(cpu=4, memory="16Gi", retries=ml.retry(3, on=(ConnectionError, "memory")), cache="14d")
def split(rows: pl.DataFrame) -> Parts:
    raise NotImplementedError


@ml.training(cpu=8, spot=True, max_time="1h")
def fit(train: pl.DataFrame, model: ml.Out[ml.Model], depth: int = 6, eta: float = 0.1) -> Fit:
    model.save(object())
    ml.report(0.5)
    return Fit(valid_auc=0.8)


@ml.evaluation
def evaluate(model: ml.In[ml.Model], test: pl.DataFrame) -> Scores:
    return Scores(auc=0.9, worst_group_gap=0.1)


@ml.processing
def regions() -> list[str]:
    return ["eu"]


@ml.processing
def count(region: str) -> int:
    return len(region)


@ml.processing
def add(counts: list[int]) -> int:
    return sum(counts)


def predict(model: object, rows: pl.DataFrame) -> pl.Series:
    raise NotImplementedError


@ml.pipeline(schedule=ml.cron("0 2 * * MON", tz="Europe/Prague"), max_parallel=4, alerts=[TEAM])
def churn(
    database: ml.Param[Path] = Path("crm.db"),
    min_auc: ml.Param[float] = 0.82,
    weeks: ml.Param[int] = ml.param(4, minimum=1),  # noqa: B008
) -> None:
    """Weekly churn."""
    part = split(extract(database, weeks=weeks))
    best = ml.tune(
        fit,
        train=part.train,
        maximize=Fit.valid_auc,
        trials=24,
        parallel=4,
        space={"eta": ml.log_uniform(0.01, 0.3), "depth": ml.ints(2, 10)},
        prune=True,
    )
    score = evaluate(best.model, part.test)
    with ml.map(regions()) as region:
        number = count(region)
    add(ml.collect(number))
    with ml.when(score.auc >= min_auc, score.auc >= ml.champion("churn").auc - 0.002) as gate:
        version = ml.register(best.model, "churn", metrics=score, predictor=predict, sample=part.test)
        live = ml.deploy(version, CHURN, alias="champion")
        ml.verify(live, sample=part.test, p95="200ms")
    with gate.otherwise():
        ml.notify(TEAM, "AUC {auc}", auc=score.auc)
    with ml.on_exit():
        ml.notify(TEAM, "run {id} ended", id=ml.run_id())


def plain_functions_keep_their_types(rows: pl.DataFrame) -> None:
    assert_type(split(rows), Parts)
    assert_type(extract(Path("crm.db")), "pl.DataFrame")
    assert_type(extract.options(name="again")(Path("crm.db"), weeks=3), "pl.DataFrame")
    assert_type(Scores(auc=0.5, worst_group_gap=0.1).auc, float)


def the_spec_is_typed() -> str:
    pipeline = churn.build()
    return pipeline.name
