"""Step functions for the tests of authoring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cloudml as ml

if TYPE_CHECKING:
    import polars as pl


class Fit(ml.Metrics):
    valid_auc: float
    rounds: int


class Scores(ml.Metrics):
    auc: float
    gap: float


class Split(NamedTuple):
    train: pl.DataFrame
    test: pl.DataFrame
    scores: Scores


@ml.processing
def extract(path: Path, weeks: int = 4) -> pl.DataFrame:
    raise NotImplementedError


@ml.processing
def split(rows: pl.DataFrame, share: float = 0.5) -> Split:
    raise NotImplementedError


@ml.training(spot=True, max_time="1h")
def fit(train: pl.DataFrame, model: ml.Out[ml.Model], depth: int = 6, eta: float = 0.1, kind: str = "a") -> Fit:
    raise NotImplementedError


@ml.evaluation
def evaluate(model: ml.In[ml.Model], test: pl.DataFrame) -> Scores:
    raise NotImplementedError


@ml.processing
def regions() -> list[str]:
    return ["eu", "us"]


@ml.processing
def facts() -> dict[str, float]:
    return {"rows": 1.0}


@ml.processing
def count(region: str) -> int:
    return len(region)


@ml.processing
def add(numbers: list[int]) -> int:
    return sum(numbers)


@ml.processing
def double(number: float) -> float:
    return 2 * number


@ml.processing
def nothing(wait: bool = False) -> None:
    return None


@ml.processing
def uses_secret(password: str, maybe: int | None = None) -> None:
    return None


def predict(model: object, rows: object) -> list[float]:
    raise NotImplementedError
