"""Refuse bad data before it becomes a bad model: every violation at once, in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import cloudml as ml
import polars as pl

from churn.extract import COLUMNS

KEYS = {"customers": ["customer_id"], "attributes": ["customer_id", "valid_from"], "activity": ["customer_id", "week"]}

RANGES = {  # table, column -> least and greatest value
    ("customers", "birth_year"): (1900, 2020),
    ("attributes", "price_cents"): (0, 100_000),
    ("activity", "sessions"): (0, 10_000),
    ("activity", "minutes"): (0, 7 * 24 * 60),
    ("activity", "tickets"): (0, 1_000),
    ("activity", "paid_cents"): (0, 10_000_000),
}

MAY_BE_MISSING = {("customers", "birth_year")}

FRESH_DAYS = 14
"""The newest week must have begun at most this many days before the date of the run."""


class BadData(ValueError):
    """The data break the rules above; the message lists how."""


@ml.processing
def validate(customers: pl.DataFrame, attributes: pl.DataFrame, activity: pl.DataFrame, as_of: str) -> dict[str, int]:
    """The number of rows of each table, if all is well. Raises `BadData` with the full list otherwise."""
    tables = {"customers": customers, "attributes": attributes, "activity": activity}
    violations = [line for name, table in tables.items() for line in table_violations(name, table)]
    if not violations:  # the rules between tables need tables that are sound
        violations = [*strangers(tables), *staleness(activity, date.fromisoformat(as_of))]
    if violations:
        raise BadData(f"{len(violations)} violations:\n" + "\n".join(f"- {line}" for line in violations))
    return {name: table.height for name, table in tables.items()}


def table_violations(name: str, table: pl.DataFrame) -> Iterator[str]:
    """Schema, emptiness, missing values, ranges and uniqueness of one table."""
    wrong = {column: type_ for column, type_ in COLUMNS[name].items() if table.schema.get(column) != type_}
    if wrong:  # the other rules would stumble over it
        yield from (f"{name}: {c} should be {t}, is {table.schema.get(c, 'absent')}" for c, t in wrong.items())
        return
    if table.is_empty():
        yield f"{name}: no rows"
    for column in COLUMNS[name]:
        missing = table[column].null_count()
        if missing and (name, column) not in MAY_BE_MISSING:
            yield f"{name}: {missing} rows without {column}"
    for (owner, column), (low, high) in RANGES.items():
        if owner == name and (outside := table.filter(~pl.col(column).is_between(low, high)).height):
            yield f"{name}: {outside} rows with {column} outside {low}..{high}"
    if repeated := table.height - table.select(KEYS[name]).n_unique():
        yield f"{name}: {repeated} rows repeat the key {', '.join(KEYS[name])}"


def strangers(tables: dict[str, pl.DataFrame]) -> Iterator[str]:
    """Rows that belong to no customer, and customers without a contract."""
    customers = tables["customers"]
    for name in ("attributes", "activity"):
        if lost := tables[name].join(customers, on="customer_id", how="anti").height:
            yield f"{name}: {lost} rows of unknown customers"
    if lost := customers.join(tables["attributes"], on="customer_id", how="anti").height:
        yield f"customers: {lost} without attributes"


def staleness(activity: pl.DataFrame, as_of: date) -> Iterator[str]:
    """Whether the newest week is too old for a run on the day `as_of`."""
    newest = activity["week"].max()
    if isinstance(newest, date) and newest < as_of - timedelta(days=FRESH_DAYS):
        yield f"activity: the newest week is {newest}, more than {FRESH_DAYS} days before {as_of}: was a load skipped?"
