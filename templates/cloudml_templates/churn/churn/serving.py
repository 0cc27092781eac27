"""What the endpoint runs. It computes nothing that training did not: it picks the columns and asks the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from churn.features import CATEGORIES, NUMBERS

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def predict(model: Pipeline, rows: pl.DataFrame) -> pl.Series:
    """For each row, how likely the customer is to leave (0 to 1). Values may be null, columns may not be absent."""
    typed = rows.select(pl.col(CATEGORIES).cast(pl.String), pl.col(NUMBERS).cast(pl.Float64))
    return pl.Series("churn", model.predict_proba(typed)[:, 1])


def check_answers(rows: list[dict[str, Any]], predictions: list[float]) -> None:
    """`ml.verify` calls this with what it sent to an endpoint and what came back. Raise when it is wrong."""
    if len(predictions) != len(rows):
        raise ValueError(f"{len(rows)} rows sent, {len(predictions)} answers")
    if not all(0 <= p <= 1 for p in predictions):
        raise ValueError(f"not probabilities: {predictions}")
    if len(set(predictions)) == 1 and any(row != rows[0] for row in rows):
        raise ValueError(f"every customer got the same answer, {predictions[0]}: do the rows reach the model?")
