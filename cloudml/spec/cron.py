"""Reading of cron fields and time zones: what is wrong with them, in words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_MONTHS = {
    name: number
    for number, name in enumerate(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], start=1
    )
}
_DAYS = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])}


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: dict[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _DAYS),
)
_PART = re.compile(r"^(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?$")
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


def cron_problem(expression: str) -> str | None:
    """What is wrong with five cron fields (minute, hour, day of month, month, day of week); None when nothing is."""
    parts = expression.split() if isinstance(expression, str) else []
    if len(parts) != len(_FIELDS):
        return f"cron {expression!r} has {len(parts)} fields, and not five"
    for field, text in zip(_FIELDS, parts, strict=True):
        for part in text.split(","):
            problem = _part_problem(field, part)
            if problem:
                return f"cron {expression!r}: {problem}"
    return _never(expression, parts)


def _part_problem(field: _Field, text: str) -> str | None:
    match = _PART.match(text)
    if match is None or (match["first"] == "*" and match["last"]):
        return f"{text!r} is no {field.name}"
    bounds = [_number(field, word) for word in (match["first"], match["last"]) if word not in (None, "*")]
    if None in bounds:
        return f"{text!r} is no {field.name}; it goes from {field.low} to {field.high}"
    if len(bounds) == 2 and (bounds[0] or 0) > (bounds[1] or 0):
        return f"the range {text!r} of {field.name} runs backwards"
    if match["step"] is not None and int(match["step"]) == 0:
        return f"the step of {text!r} is zero"
    return None


def _number(field: _Field, word: str) -> int | None:
    number = int(word) if word.isdecimal() else field.names.get(word.upper())
    return number if number is not None and field.low <= number <= field.high else None


def _never(expression: str, parts: list[str]) -> str | None:
    """A day that no month has: `0 0 31 2 *`. A given day of week would run all the same."""
    day, month, weekday = parts[2], parts[3], parts[4]
    if weekday != "*" or not day.isdecimal() or "*" in month:
        return None
    months = {_number(_FIELDS[3], word) for word in re.split("[,-]", month.partition("/")[0])}
    if "-" in month or all(int(day) <= _LONGEST.get(number or 1, 31) for number in months):
        return None
    if any(int(day) <= _LONGEST.get(number or 1, 31) for number in months):
        return None
    return f"cron {expression!r} never comes: the month has no day {day}"


@lru_cache(maxsize=256)
def timezone_problem(timezone: str) -> str | None:
    """What is wrong with the name of a time zone; None when the IANA database has it."""
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError, TypeError):
        return f"{timezone!r} is no time zone of the IANA database (such as 'UTC' or 'Europe/Prague')"
    return None
