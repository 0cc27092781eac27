"""The churn template's extract step for the CDNOW purchase log: the same tables, from other data.

The log has a line for each purchase: customer, day (YYYYMMDD), number of CDs, amount in dollars. A purchase counts as
a session and a CD as a minute. The shop had no contracts, regions or tickets: those columns say so.
"""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path
from typing import NamedTuple

import cloudml as ml
import polars as pl

COLUMNS: dict[str, dict[str, type[pl.DataType]]] = {
    "customers": {
        "customer_id": pl.Int64,
        "signup": pl.Date,
        "region": pl.String,
        "segment": pl.String,
        "birth_year": pl.Int64,
    },
    "attributes": {
        "customer_id": pl.Int64,
        "valid_from": pl.Date,
        "plan": pl.String,
        "contract": pl.String,
        "payment": pl.String,
        "price_cents": pl.Int64,
    },
    "activity": {
        "customer_id": pl.Int64,
        "week": pl.Date,
        "sessions": pl.Int64,
        "minutes": pl.Int64,
        "tickets": pl.Int64,
        "paid_cents": pl.Int64,
    },
}


class Tables(NamedTuple):
    """What the rest of the pipeline works on."""

    customers: pl.DataFrame
    attributes: pl.DataFrame
    activity: pl.DataFrame


@ml.processing(memory="2Gi")
def extract(database: Path, as_of: str) -> Tables:
    """The purchases before `as_of`, in weeks counted back from that day; the segment is the month of the first one."""
    log = purchases(database).filter(pl.col("day") < date.fromisoformat(as_of))
    first = log.group_by("customer_id").agg(signup=pl.col("day").min()).sort("customer_id")
    customers = first.with_columns(
        region=pl.lit("unknown"), segment=pl.col("signup").dt.strftime("%Y-%m"), birth_year=pl.lit(None, pl.Int64)
    )
    attributes = first.select(
        "customer_id",
        valid_from="signup",
        plan=pl.lit("none"),
        contract=pl.lit("none"),
        payment=pl.lit("unknown"),
        price_cents=pl.lit(0, pl.Int64),
    )
    end = pl.lit(date.fromisoformat(as_of))
    weeks_ago = (end - pl.col("day") - pl.duration(days=1)).dt.total_days() // 7 + 1
    activity = (
        log.group_by("customer_id", week=end - weeks_ago * pl.duration(weeks=1))
        .agg(
            sessions=pl.len().cast(pl.Int64),
            minutes=pl.col("discs").sum(),
            tickets=pl.lit(0, pl.Int64),
            paid_cents=pl.col("cents").sum(),
        )
        .sort("week", "customer_id")
    )
    return Tables(customers, attributes, activity.select(list(COLUMNS["activity"])))


def purchases(path: Path) -> pl.DataFrame:
    """The log as it is, amounts in whole cents."""
    with gzip.open(path, "rt", encoding="ascii") as lines:
        fields = [line.split() for line in lines if line.strip()]
    return pl.DataFrame(fields, schema=["customer_id", "day", "discs", "amount"], orient="row").select(
        pl.col("customer_id").cast(pl.Int64),
        pl.col("day").str.to_date("%Y%m%d"),
        pl.col("discs").cast(pl.Int64),
        cents=(pl.col("amount").cast(pl.Float64) * 100).round().cast(pl.Int64),
    )
