"""How often a schedule fires in a month, from EventBridge's own language: rate(...) and cron(...).

Fields and their ranges: EventBridge Scheduler user guide, "Schedule types". A month has 30.44 days.
"""

from __future__ import annotations

import re

MONTH = 30.44
"""Days."""

_UNITS = {"minute": 60, "hour": 3_600, "day": 86_400}
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_MONTHS = {
    "JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6,
    "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11, "DEC": 12,
}  # fmt: skip
_DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EVERY = frozenset({"*", "?"})


def monthly(expression: str) -> float | None:
    """The times in an average month; None for what is not understood, such as the last Friday (`6L`)."""
    rate = _RATE.fullmatch(expression)
    if rate is not None:
        return MONTH * 86_400 / (int(rate[1]) * _UNITS[rate[2]])
    fields = expression.removeprefix("cron(").removesuffix(")").split()
    if len(fields) != 6 or not expression.startswith("cron("):
        return None
    try:
        minutes, hours = _numbers(fields[0], 0, 59), _numbers(fields[1], 0, 23)
        return len(minutes) * len(hours) * _days(fields[2], fields[3], fields[4])
    except ValueError:
        return None


def _days(day: str, month: str, weekday: str) -> float:
    """Days in an average month that a schedule is for."""
    months = _numbers(month, 1, 12, _MONTHS)
    share = len(months) / 12
    if weekday not in _EVERY:
        return MONTH * share * len(_numbers(weekday, 1, 7, _DAYS)) / 7
    if day in _EVERY:
        return MONTH * share
    days = _numbers(day, 1, 31)
    return sum(number <= _LENGTHS[one - 1] for one in months for number in days) / 12


def _numbers(field: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    """What a field stands for. Raises ValueError for what it does not know."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if first in _EVERY:
            begin, end = low, high
        else:
            begin = _number(first, names)
            end = _number(last, names) if last else (high if step else begin)
        if not (low <= begin <= high and low <= end <= high):
            raise ValueError(f"{part} is not between {low} and {high}")
        if end < begin:  # FRI-MON goes over the end of the week
            found.update(range(begin, high + 1, int(step or 1)))
            begin = low
        found.update(range(begin, end + 1, int(step or 1)))
    return found


def _number(text: str, names: dict[str, int] | None) -> int:
    return (names or {}).get(text.upper()) or int(text)
