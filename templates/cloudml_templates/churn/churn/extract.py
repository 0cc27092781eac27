"""Get the data out of the database. The only file that knows where it comes from: change it, and the rest follows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import cloudml as ml
import polars as pl

QUERIES = Path(__file__).parent / "sql"

# Money is in whole cents, use in whole minutes: integers add up exactly in any order, so results repeat to the bit.
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
    """What the rest of the pipeline works on. Each field becomes an artifact of its own."""

    customers: pl.DataFrame
    attributes: pl.DataFrame
    activity: pl.DataFrame


@ml.processing(memory="2Gi", files=("churn/sql/*.sql",))
def extract(database: ml.In[ml.File], as_of: str) -> Tables:
    """Everything that was known on the day `as_of`, so that a run for an old date sees what it would have seen then."""
    with closing(sqlite3.connect(f"{database.path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return Tables(*(query(connection, table, as_of) for table in Tables._fields))


def query(connection: sqlite3.Connection, table: str, as_of: str) -> pl.DataFrame:
    """The answer to `sql/<table>.sql`, with the types of `COLUMNS`."""
    sql = (QUERIES / f"{table}.sql").read_text(encoding="utf-8")
    columns = COLUMNS[table]
    rows = connection.execute(sql, {"as_of": as_of}).fetchall()
    days = [name for name, type_ in columns.items() if type_ is pl.Date]  # SQLite keeps days as text
    text = {name: pl.String if name in days else type_ for name, type_ in columns.items()}
    return pl.DataFrame(rows, schema=text, orient="row").with_columns(pl.col(days).str.to_date())
