"""A customer database to practise on: an invented subscription service, written into SQLite.

It stands in for yours. When you have one, delete this file and the `crm_database` step (see `pipeline.py`).
"""

from __future__ import annotations

import os
import sqlite3
from datetime import date, timedelta
from itertools import repeat
from pathlib import Path
from typing import Any, TypeAlias

import cloudml as ml
import numpy as np

WEEKS = 78
"""Weeks of activity in the database: eighteen months."""

REGIONS = ("north", "south", "east", "west", "islands")
SEGMENTS = ("student", "private", "family", "business")
PLANS = ("basic", "plus", "pro")
PRICES = np.array([990, 1990, 3990])  # cents a month, by plan
CONTRACTS = ("monthly", "yearly")
PAYMENTS = ("card", "debit", "invoice")

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

Columns: TypeAlias = dict[str, Any]


@ml.processing
def crm_database(database: ml.Out[ml.File], customers: int = 10_000, until: str = "2025-06-30", seed: int = 7) -> None:
    """Write `customers` customers and their last 78 weeks before `until`. The same arguments give the same file."""
    random = np.random.default_rng(seed)
    last_day = date.fromisoformat(until)
    first_monday = last_day - timedelta(days=last_day.weekday(), weeks=WEEKS)
    people = invent_customers(random, customers)
    contracts = invent_contracts(random, people)
    activity = live(random, people, contracts)
    write_database(database.path, first_monday, people, contracts, activity)


def invent_customers(random: np.random.Generator, count: int) -> Columns:
    """Who they are. `week` is the week of their sign-up; negative weeks lie before the activity begins."""
    return {
        "customer_id": np.arange(1, count + 1),
        "week": np.sort(random.integers(-70, WEEKS - 2, count)),
        "region": random.choice(len(REGIONS), count, p=[0.3, 0.25, 0.2, 0.2, 0.05]),
        "segment": random.choice(len(SEGMENTS), count, p=[0.2, 0.4, 0.25, 0.15]),
        "birth_year": random.integers(1945, 2006, count),
        "age_known": random.random(count) > 0.04,
    }


def invent_contracts(random: np.random.Generator, people: Columns) -> Columns:
    """What they signed. One in five takes another plan later: in the week `changed`, which is `WEEKS` for never."""
    count = len(people["week"])
    plan = random.choice(3, count, p=[0.5, 0.35, 0.15])
    changed = people["week"] + random.integers(8, 60, count)
    return {
        "plan": plan,
        "new_plan": np.where(random.random(count) < 0.6, np.minimum(plan + 1, 2), np.maximum(plan - 1, 0)),
        "changed": np.where(random.random(count) < 0.2, np.minimum(changed, WEEKS), WEEKS),
        "yearly": random.random(count) < 0.3 + 0.1 * (people["segment"] == 3),
        "payment": random.choice(3, count, p=[0.6, 0.25, 0.15]),
    }


def live(random: np.random.Generator, people: Columns, contracts: Columns) -> list[tuple[int, Columns]]:
    """Let the weeks pass: what each customer did in each of them, until they left.

    The signal that a model can find: use that fades, tickets, a monthly contract, a yearly one that ends. The mood
    behind it is never written down, and many leave for reasons that no table shows.
    """
    count = len(people["week"])
    habit = random.normal(1.3, 0.6, count) + 0.1 * contracts["plan"]  # log of sessions a week
    trouble = random.gamma(1.0, 0.05, count)  # tickets a week
    fading = np.zeros(count)
    here = np.ones(count, dtype=bool)
    weeks: list[tuple[int, Columns]] = []
    for week in range(-30, WEEKS):  # a run-up, so that the first week written is like any other
        age = week - people["week"]
        present = here & (age >= 0)
        fading = np.where(random.random(count) < 0.02, fading + 0.12, fading)  # interest starts to fade ...
        fading = np.where(random.random(count) < 0.03, 0.0, fading)  # ... or comes back
        habit = habit - fading + 0.02 * (1.4 - habit) * (fading == 0) + random.normal(0, 0.08, count)
        sessions = random.poisson(np.exp(np.clip(habit, -4, 3.5)))
        tickets = random.poisson(trouble * (1 + 2 * (fading > 0)))
        minutes = random.poisson(sessions * np.exp(2.2 + 0.3 * np.clip(habit, -3, 3)))
        plan = np.where(week >= contracts["changed"], contracts["new_plan"], contracts["plan"])
        bill = np.where(contracts["yearly"], (age % 52 == 0) * 10, age % 4 == 0) * PRICES[plan]
        if week >= 0:
            rows = np.flatnonzero(present & (sessions + tickets + bill > 0))
            values = {"customer": rows, "sessions": sessions, "minutes": minutes, "tickets": tickets, "paid": bill}
            weeks.append((week, {name: v if name == "customer" else v[rows] for name, v in values.items()}))
        leaves = random.random(count) < leave_probability(habit, tickets, age, people, contracts)
        here = here & ~(present & leaves)
    return weeks


def leave_probability(habit: Any, tickets: Any, age: Any, people: Columns, contracts: Columns) -> Any:
    """How likely each customer is to leave this week."""
    ending = contracts["yearly"] & (age % 52 > 48)
    pull = -4.4 - 0.9 * np.clip(habit, -3, 2) + 0.8 * tickets - 1.5 * contracts["yearly"] + 2.5 * ending
    pull = pull + 0.5 * (people["segment"] == 0) - 0.4 * (age > 52) + 0.3 * (contracts["payment"] == 2)
    return 1 / (1 + np.exp(-pull))


def write_database(
    path: Path, first_monday: date, people: Columns, contracts: Columns, activity: list[tuple[int, Columns]]
) -> None:
    """Write a new file beside `path`, then put it in place: nobody ever sees half a database."""

    def day(week: Any) -> str:
        return (first_monday + timedelta(weeks=int(week))).isoformat()

    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(unfinished)
    connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {SCHEMA}")
    connection.executemany("INSERT INTO customers VALUES (?, ?, ?, ?, ?)", customer_rows(people, day))
    connection.executemany("INSERT INTO attributes VALUES (?, ?, ?, ?, ?, ?)", contract_rows(people, contracts, day))
    for week, columns in activity:
        columns = {**columns, "customer": people["customer_id"][columns["customer"]]}
        rows = zip(repeat(day(week)), *(values.tolist() for values in columns.values()))
        connection.executemany("INSERT INTO activity VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    os.replace(unfinished, path)


def customer_rows(people: Columns, day: Any) -> list[tuple[Any, ...]]:
    """The rows of `customers`."""
    return [
        (int(key), day(week), REGIONS[region], SEGMENTS[segment], int(born) if known else None)
        for key, week, region, segment, born, known in zip(*people.values(), strict=True)
    ]


def contract_rows(people: Columns, contracts: Columns, day: Any) -> list[tuple[Any, ...]]:
    """The rows of `attributes`: the first contract of each customer, and what it changed to."""
    rows = []
    columns = (people["customer_id"], people["week"], *contracts.values())
    for key, signup, plan, new_plan, changed, yearly, payment in zip(*columns, strict=True):
        terms = (CONTRACTS[int(yearly)], PAYMENTS[payment])
        rows.append((int(key), day(signup), PLANS[plan], *terms, int(PRICES[plan])))
        if changed < WEEKS:
            rows.append((int(key), day(changed), PLANS[new_plan], *terms, int(PRICES[new_plan])))
    return rows
