"""Schedule expressions of EventBridge rules and EventBridge Scheduler: `at(...)`, `rate(...)`, `cron(...)`.

Sources: EventBridge user guide ("Schedule patterns"), EventBridge Scheduler user guide ("Schedule types"). Where clocks
go forward, a wall-clock time that does not exist is skipped; where they go back, the repeated hour counts once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cloudml_sagemaker.mock.events import cron

_FORM = re.compile(r"(at|rate|cron)\((.*)\)")
_RATE = re.compile(r"(\d+) (minute|minutes|hour|hours|day|days)")
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


class BadExpression(ValueError):
    """AWS would refuse the expression; the text says why."""


@dataclass(frozen=True)
class Expression:
    """When something is due: `once` at a time, `every` so often, or by a cron expression in a time zone."""

    zone: ZoneInfo
    once: datetime | None = None
    every: timedelta | None = None
    pattern: cron.Cron | None = None

    def next(self, after: datetime, anchor: datetime) -> datetime | None:
        """The first due time (UTC) later than `after`; None when there is none any more.

        A rate counts from `anchor`, which is itself a due time.
        """
        if self.once is not None:
            moment = _utc(self.once, self.zone)
            return moment if moment is not None and moment > after else None
        if self.every is not None:
            return anchor if anchor > after else anchor + self.every * ((after - anchor) // self.every + 1)
        assert self.pattern is not None
        wall = after.astimezone(self.zone).replace(tzinfo=None)
        # In the repeated hour of autumn a wall-clock time means its first pass: compare in UTC.
        return next((moment for moment in self._moments(wall) if moment > after), None)

    def _moments(self, wall: datetime) -> Iterator[datetime]:
        assert self.pattern is not None
        for local in self.pattern.after(wall):
            moment = _utc(local, self.zone)
            if moment is not None:
                yield moment


def _utc(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """A wall-clock time in UTC: the first of two where clocks went back, None where they went forward over it."""
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return moment if moment.astimezone(zone).replace(tzinfo=None) == wall else None


def parse(text: str, zone: str | None = None) -> Expression:
    """Read an expression. Raises BadExpression."""
    try:
        where = ZoneInfo(zone or "UTC")
    except (OSError, ValueError, KeyError):
        raise BadExpression(f"{zone!r} is no time zone") from None
    found = _FORM.fullmatch(text)
    if found is None:
        raise BadExpression("it is none of at(...), rate(...) and cron(...)")
    kind, inside = found.groups()
    if kind == "at":
        return Expression(where, once=_at(inside))
    if kind == "rate":
        return Expression(where, every=_rate(inside))
    try:
        return Expression(where, pattern=cron.parse(inside))
    except cron.BadCron as error:
        raise BadExpression(str(error)) from None


def _at(inside: str) -> datetime:
    try:
        return datetime.strptime(inside, "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 - wall-clock time of the schedule's zone
    except ValueError:
        raise BadExpression("a one-time schedule is at(yyyy-mm-ddThh:mm:ss)") from None


def _rate(inside: str) -> timedelta:
    found = _RATE.fullmatch(inside)
    if found is None or int(found[1]) < 1:
        raise BadExpression("a rate is a positive number and minute(s), hour(s) or day(s)")
    if (int(found[1]) == 1) == found[2].endswith("s"):
        raise BadExpression("a rate of 1 takes the unit in the singular, any other in the plural")
    return int(found[1]) * _UNITS[found[2].rstrip("s")]
