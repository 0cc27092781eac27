"""Batch prediction: the function behind a batch prediction step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cloudml.runtime.predictor import load_predictor
from cloudml.runtime.reporting import progress

PREDICTION = "prediction"
TABLE = "polars.DataFrame"


class Predictions(NamedTuple):
    """The one output of a batch prediction step: a polars frame with the kept columns and `prediction`."""

    predictions: Any


def batch_predict(
    model: Path, data: Any, predictor: str | None = None, batch_size: int = 10_000, keep: Sequence[str] = ()
) -> Predictions:
    """Answer every row of `data`, in its order, `batch_size` rows at a time.

    `model` is the artifact's path; `data` a polars frame, or the path of a Parquet file or of a saved `Dataset`.
    The project is already on the import path when this runs as a step.

    Raises:
        ValueError: a kept column or a feature is missing, or the batch size is not positive.
    """
    import polars as pl

    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be 1 or more")
    frame = _read_table(os.fspath(data)) if isinstance(data, os.PathLike) else data
    _check_kept(tuple(keep), frame.columns)
    answer = load_predictor(os.fspath(model), predictor)
    answers: list[Any] = []
    for piece in frame.iter_slices(batch_size):
        answers.extend(answer.predict_frame(piece))
        progress(len(answers), frame.height, "rows predicted")
    column = pl.Series(PREDICTION, answers, dtype=None if answers else pl.Float64)
    return Predictions(frame.select(list(keep)).with_columns(column) if keep else pl.DataFrame([column]))


def _check_kept(keep: tuple[str, ...], columns: Sequence[str]) -> None:
    missing = [name for name in keep if name not in columns]
    if missing:
        raise ValueError(f"the data has no columns {', '.join(missing)} to keep; it has {', '.join(columns)}")
    if PREDICTION in keep:
        raise ValueError(f"{PREDICTION!r} cannot be kept: it is the name of the column with the predictions")


def _read_table(path: str) -> Any:
    from cloudml.runtime.codecs.tables import read_table
    from cloudml.runtime.handles import Dataset

    return Dataset(path).load(TABLE) if os.path.isdir(path) else read_table(path, TABLE)
