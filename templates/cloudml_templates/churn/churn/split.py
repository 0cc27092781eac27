"""Train, validation and test rows that cannot see one another's future."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import cloudml as ml
import polars as pl

from churn.features import FEATURES


class Parts(NamedTuple):
    """Rows to fit on, to tune on, and to judge with; and a few rows as a client would send them."""

    train: pl.DataFrame
    valid: pl.DataFrame
    test: pl.DataFrame
    sample: pl.DataFrame


@ml.processing
def split(table: pl.DataFrame, lead_weeks: int = 4, horizon_weeks: int = 4) -> Parts:
    """Split by time: test is the newest snapshot, and each part's labels end before the next part's snapshots begin.

    Data with fewer than three snapshots are split by customer instead: 60, 20 and 20 percent.
    """
    by_time = table["snapshot"].n_unique() >= 3
    train, valid, test = split_by_time(table, lead_weeks + horizon_weeks) if by_time else split_by_customer(table)
    for name, part in {"train": train, "validation": valid, "test": test}.items():
        if part["churned"].n_unique() < 2:
            raise ValueError(f"the {name} part has {part.height} rows and needs customers who left and who stayed")
    return Parts(train, valid, test, sample=test.select(FEATURES).head(50))


def split_by_time(table: pl.DataFrame, gap_weeks: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Snapshots closer than `gap_weeks` (the weeks a label looks ahead) to a later part are left out."""
    gap = timedelta(weeks=gap_weeks)
    days: list[date] = table["snapshot"].unique().sort().to_list()
    before_test = [day for day in days if day <= days[-1] - gap]
    train = [day for day in before_test if day <= before_test[-1] - gap]
    if not train:
        raise ValueError(f"{len(days)} snapshots are too few for three parts that lie {gap_weeks} weeks apart")
    snapshot = pl.col("snapshot")
    return (
        table.filter(snapshot.is_in(train)),
        table.filter(snapshot == before_test[-1]),
        table.filter(snapshot == days[-1]),
    )


def split_by_customer(table: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """A customer is always in the same part: it hangs on the id alone (Knuth's multiplicative hash), not on a draw."""
    place = (pl.col("customer_id") % 2**31 * 2_654_435_761) % 2**32 / 2**32
    return (
        table.filter(place < 0.6),
        table.filter(place.is_between(0.6, 0.8, closed="left")),
        table.filter(place >= 0.8),
    )
