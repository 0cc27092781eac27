"""AWS's cron expressions: six fields (minutes hours day-of-month month day-of-week year), with `?`, `L`, `W` and `#`.

Source: EventBridge user guide, "Setting a schedule pattern for rules"; EventBridge Scheduler user guide, "Schedule
types". Days of the week count from Sunday = 1.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if number}
_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}

FIRST_YEAR, LAST_YEAR = 1970, 2199


class BadCron(ValueError):
    """The expression is not one of AWS's; the text says why."""


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    names: dict[str, int]


_MINUTE = _Field("minutes", 0, 59, {})
_HOUR = _Field("hours", 0, 23, {})
_DOM = _Field("day-of-month", 1, 31, {})
_MONTH = _Field("month", 1, 12, _MONTHS)
_DOW = _Field("day-of-week", 1, 7, _DAYS)
_YEAR = _Field("year", FIRST_YEAR, LAST_YEAR, {})


@dataclass(frozen=True)
class Cron:
    """A parsed expression; times are wall-clock times without a zone."""

    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    years: frozenset[int]
    days: tuple[str, ...] | None
    """Items of day-of-month; None when that field is `?`."""
    weekdays: tuple[str, ...] | None
    """Items of day-of-week; None when that field is `?`."""

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The wall-clock times later than `moment`, in order, up to the expression's last year."""
        start = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        hours, minutes = sorted(self.hours), sorted(self.minutes)
        for day in self._days(start.date()):
            for hour in hours:
                for minute in minutes:
                    found = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - wall-clock time
                    if found >= start:
                        yield found

    def _days(self, start: date) -> Iterator[date]:
        for year in range(start.year, LAST_YEAR + 1):
            if year not in self.years:
                continue
            for month in sorted(self.months):
                if (year, month) < (start.year, start.month):
                    continue
                for day in sorted(self._of_month(year, month)):
                    found = date(year, month, day)
                    if found >= start:
                        yield found

    def _of_month(self, year: int, month: int) -> set[int]:
        last = calendar.monthrange(year, month)[1]
        found: set[int] = set()
        for item in self.days or ():
            found |= _month_days(item, year, month, last)
        for item in self.weekdays or ():
            found |= _week_days(item, year, month, last)
        return found


def parse(text: str) -> Cron:
    """Read what stands between `cron(` and `)`. Raises BadCron."""
    parts = text.upper().split()
    if len(parts) != 6:
        raise BadCron(f"a cron expression has six fields, this has {len(parts)}")
    minute, hour, day, month, weekday, year = parts
    if (day == "?") == (weekday == "?"):
        raise BadCron("one of day-of-month and day-of-week must be ?, and only one")
    return Cron(
        minutes=_numbers(_MINUTE, minute),
        hours=_numbers(_HOUR, hour),
        months=_numbers(_MONTH, month),
        years=_numbers(_YEAR, year),
        days=None if day == "?" else _items(_DOM, day, _DOM_FORM),
        weekdays=None if weekday == "?" else _items(_DOW, weekday, _DOW_FORM),
    )


_DOM_FORM = re.compile(r"L|LW|(?P<near>\d{1,2})W|L-\d{1,2}")
_DOW_FORM = re.compile(r"L|(?P<last>[A-Z0-9]{1,3})L|(?P<day>[A-Z0-9]{1,3})#[1-5]")


def _items(field: _Field, text: str, special: re.Pattern[str]) -> tuple[str, ...]:
    """The items of a day field, checked; ranges and steps stay as they are written."""
    items = tuple(text.split(","))
    for item in items:
        found = special.fullmatch(item)
        if found is None:
            _numbers(field, item)
            continue
        for value in found.groupdict().values():
            if value is not None:
                _number(field, value)
    return items


def _numbers(field: _Field, text: str) -> frozenset[int]:
    found: set[int] = set()
    for item in text.split(","):
        base, slash, step = item.partition("/")
        if slash and not (step.isdigit() and int(step) > 0):
            raise BadCron(f"{item!r} in {field.name}: the step is not a positive number")
        found.update(_span(field, base, item, open_ended=bool(slash))[:: int(step) if slash else 1])
    return frozenset(found)


def _span(field: _Field, base: str, item: str, *, open_ended: bool) -> list[int]:
    """The values of an item before its step. A range may run over the end: AWS shows `20-2` for hours of a night."""
    if base == "*":
        return list(range(field.low, field.high + 1))
    first, dash, last = base.partition("-")
    low = _number(field, first)
    if not dash:
        return list(range(low, field.high + 1)) if open_ended else [low]
    high = _number(field, last)
    if high >= low:
        return list(range(low, high + 1))
    if field is _YEAR:
        raise BadCron(f"{item!r} in {field.name}: the range runs backwards")
    return [*range(low, field.high + 1), *range(field.low, high + 1)]


def _number(field: _Field, text: str) -> int:
    value = field.names.get(text)
    if value is None and text.isascii() and text.isdigit():
        value = int(text)
    if value is None or not field.low <= value <= field.high:
        raise BadCron(f"{text!r} is no value of {field.name} ({field.low}-{field.high})")
    return value


def _month_days(item: str, year: int, month: int, last: int) -> set[int]:
    if item == "L":
        return {last}
    if item.startswith("L-"):
        return {last - int(item[2:])} if last > int(item[2:]) else set()
    if item == "LW":
        return {_nearest_weekday(year, month, last, last)}
    if item.endswith("W"):
        wanted = int(item[:-1])
        return {_nearest_weekday(year, month, wanted, last)} if wanted <= last else set()
    return {day for day in _numbers(_DOM, item) if day <= last}


def _nearest_weekday(year: int, month: int, day: int, last: int) -> int:
    """The weekday (Monday to Friday) nearest to `day` within the same month."""
    position = date(year, month, day).weekday()
    if position == 5:
        return day - 1 if day > 1 else day + 2
    if position == 6:
        return day + 1 if day < last else day - 2
    return day


def _week_days(item: str, year: int, month: int, last: int) -> set[int]:
    if item == "L":
        return _matching({7}, year, month, last)
    if "#" in item:
        name, _, count = item.partition("#")
        days = sorted(_matching({_number(_DOW, name)}, year, month, last))
        return set(days[int(count) - 1 : int(count)])
    if item.endswith("L"):
        return {max(_matching({_number(_DOW, item[:-1])}, year, month, last))}
    return _matching(_numbers(_DOW, item), year, month, last)


def _matching(wanted: set[int] | frozenset[int], year: int, month: int, last: int) -> set[int]:
    first = date(year, month, 1).isoweekday() % 7 + 1
    return {day for day in range(1, last + 1) if (first + day - 2) % 7 + 1 in wanted}
