"""A customer database to practise on: an invented subscription service, written into SQLite.

It stands in for yours. When you have one, delete this file, `invent.py` and the `crm_database` step in `pipeline.py`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import cloudml as ml

SCHEMA = """
CREATE TABLE customers (
    customer_id INTEGER PRIMARY KEY, signup TEXT NOT NULL, region TEXT NOT NULL, segment TEXT NOT NULL,
    birth_year INTEGER
);
CREATE TABLE attributes (
    customer_id INTEGER NOT NULL REFERENCES customers, valid_from TEXT NOT NULL, plan TEXT NOT NULL,
    contract TEXT NOT NULL, payment TEXT NOT NULL, price_cents INTEGER NOT NULL, PRIMARY KEY (customer_id, valid_from)
);
CREATE TABLE activity (
    week TEXT NOT NULL, customer_id INTEGER NOT NULL REFERENCES customers, sessions INTEGER NOT NULL,
    minutes INTEGER NOT NULL, tickets INTEGER NOT NULL, paid_cents INTEGER NOT NULL, PRIMARY KEY (week, customer_id)
) WITHOUT ROWID;
"""

INSERTS = {
    "customers": "INSERT INTO customers VALUES (?, ?, ?, ?, ?)",
    "attributes": "INSERT INTO attributes VALUES (?, ?, ?, ?, ?, ?)",
    "activity": "INSERT INTO activity VALUES (?, ?, ?, ?, ?, ?)",
}


@ml.processing
def crm_database(database: ml.Out[ml.File], customers: int = 10_000, until: str = "2025-06-30", seed: int = 7) -> None:
    """Write `customers` customers and their last 78 weeks before `until`. The same arguments give the same file."""
    # A heavy import (here numpy) inside a step is paid for by that step alone: checking and planning stay quick.
    from churn.invent import WEEKS, invent

    last_day = date.fromisoformat(until)
    first_monday = last_day - timedelta(days=last_day.weekday(), weeks=WEEKS)
    write_database(database.path, invent(customers, first_monday, seed))


def write_database(path: Path, tables: dict[str, Iterable[tuple[Any, ...]]]) -> None:
    """Write a new file beside `path`, then put it in place: nobody ever sees half a database."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(unfinished)) as connection:
        connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {SCHEMA}")
        for table, rows in tables.items():
            connection.executemany(INSERTS[table], rows)
        connection.commit()
    os.replace(unfinished, path)
