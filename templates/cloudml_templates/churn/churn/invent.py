"""The people of the invented customer database, and how they live: who signs up, what they use, why they leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import repeat
from typing import Any, TypeAlias

import numpy as np

WEEKS = 78
"""Weeks of activity: eighteen months."""

REGIONS = ("north", "south", "east", "west", "islands")
SEGMENTS = ("student", "private", "family", "business")
PLANS = ("basic", "plus", "pro")
PRICES = np.array([990, 1990, 3990])  # cents a month, by plan
CONTRACTS = ("monthly", "yearly")
PAYMENTS = ("card", "debit", "invoice")

Columns: TypeAlias = dict[str, Any]
Row: TypeAlias = tuple[Any, ...]
Day: TypeAlias = Callable[[int], str]


def invent(customers: int, first_monday: date, seed: int) -> dict[str, Iterable[Row]]:
    """The rows of each table. The same arguments give the same rows."""
    random = np.random.default_rng(seed)
    people = invent_customers(random, customers)
    contracts = invent_contracts(random, people)

    def day(week: int) -> str:
        return (first_monday + timedelta(weeks=int(week))).isoformat()

    return {
        "customers": customer_rows(people, day),
        "attributes": contract_rows(people, contracts, day),
        "activity": activity_rows(random, people, contracts, day),
    }


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


def activity_rows(random: np.random.Generator, people: Columns, contracts: Columns, day: Day) -> Iterator[Row]:
    """Let the weeks pass: what each customer did in each of them, until they left.

    The signal that a model can find: use that fades, tickets, a monthly contract, a yearly one that ends. The mood
    behind it is never written down, and many leave for reasons that no table shows.
    """
    count = len(people["week"])
    habit = random.normal(1.3, 0.6, count) + 0.1 * contracts["plan"]  # log of sessions a week
    trouble = random.gamma(1.0, 0.05, count)  # tickets a week
    fading = np.zeros(count)
    here = np.ones(count, dtype=bool)
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
            columns = (people["customer_id"], sessions, minutes, tickets, bill)
            yield from zip(repeat(day(week)), *(column[rows].tolist() for column in columns))
        leaves = random.random(count) < leave_probability(habit, tickets, age, people, contracts)
        here = here & ~(present & leaves)


def leave_probability(habit: Any, tickets: Any, age: Any, people: Columns, contracts: Columns) -> Any:
    """How likely each customer is to leave this week."""
    ending = contracts["yearly"] & (age % 52 > 48)
    pull = -4.4 - 0.9 * np.clip(habit, -3, 2) + 0.8 * tickets - 1.5 * contracts["yearly"] + 2.5 * ending
    pull = pull + 0.5 * (people["segment"] == 0) - 0.4 * (age > 52) + 0.3 * (contracts["payment"] == 2)
    return 1 / (1 + np.exp(-pull))


def customer_rows(people: Columns, day: Day) -> list[Row]:
    """Who signed up when; for some nobody asked the year of birth."""
    return [
        (int(key), day(week), REGIONS[region], SEGMENTS[segment], int(born) if known else None)
        for key, week, region, segment, born, known in zip(*people.values(), strict=True)
    ]


def contract_rows(people: Columns, contracts: Columns, day: Day) -> list[Row]:
    """The first contract of each customer, and what it changed to."""
    rows = []
    columns = (people["customer_id"], people["week"], *contracts.values())
    for key, signup, plan, new_plan, changed, yearly, payment in zip(*columns, strict=True):
        terms = (CONTRACTS[int(yearly)], PAYMENTS[payment])
        rows.append((int(key), day(signup), PLANS[plan], *terms, int(PRICES[plan])))
        if changed < WEEKS:
            rows.append((int(key), day(changed), PLANS[new_plan], *terms, int(PRICES[new_plan])))
    return rows
