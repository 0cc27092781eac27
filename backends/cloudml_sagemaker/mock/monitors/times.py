"""When monitoring runs and which time it looks at.

Sources: developer guide, "The cron expression for monitoring schedule"; API reference, ScheduleConfig and
EndpointInput (offsets).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR = 3600.0
DAY = 24 * HOUR

_CRON = re.compile(r"cron\(0 (?:(?P<every>\*)|(?P<hour>\d{1,2})(?:/(?P<step>\d{1,2}))?) \? \* \* \*\)")
_OFFSET = re.compile(r"(-?)P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})S)?)?")
_DAILY = "cron(0 0 ? * * *)"

SUPPORTED = "cron(0 * ? * * *), cron(0 [00-23] ? * * *), cron(0 [00-23]/[01-24] ? * * *) and NOW"


class BadTime(ValueError):
    """No expression or offset that Model Monitor knows; the text says which ones it does."""


@dataclass(frozen=True)
class Rhythm:
    """Every `hours` hours, so that `hour` o'clock UTC is one of them (None: any); `hours` 0: once, now."""

    hour: int | None
    hours: int

    @property
    def period(self) -> float:
        """Seconds from one execution to the next."""
        return (self.hours or 1) * HOUR

    def anchor(self, created: float) -> float:
        """The first execution of a schedule made at `created`."""
        if self.hours == 0:
            return created
        if self.hour is None:
            return (created // HOUR + 1) * HOUR
        start = created // DAY * DAY + self.hour * HOUR
        return start + self.period * -((start - created) // self.period)

    def next(self, anchor: float, after: float) -> float | None:
        """The first execution later than `after`; None when there is none."""
        if after < anchor:
            return anchor
        if self.hours == 0:
            return None
        return anchor + self.period * ((after - anchor) // self.period + 1)


def rhythm(expression: str | None) -> Rhythm:
    """Read a ScheduleExpression; without one AWS picks an hour of each day, here midnight. Raises BadTime."""
    if expression == "NOW":
        return Rhythm(None, 0)
    found = _CRON.fullmatch(expression or _DAILY)
    if found is None:
        raise BadTime(f"The schedule expression {expression} is not supported. Supported are {SUPPORTED}.")
    if found["every"]:
        return Rhythm(None, 1)
    hour, step = int(found["hour"]), int(found["step"] or 24)
    if hour > 23 or not 1 <= step <= 24:
        raise BadTime(f"The schedule expression {expression} is not supported. Supported are {SUPPORTED}.")
    return Rhythm(hour, step)


def offset(text: str) -> float:
    """Seconds of an ISO 8601 offset such as -PT1H or -P7D. Raises BadTime."""
    found = _OFFSET.fullmatch(text)
    if found is None or not any(found.groups()[1:]) or text.endswith("T"):
        raise BadTime(f"The offset {text} is not an ISO 8601 duration such as -PT1H.")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
    return -length if found[1] else length


def window(scheduled: float, rhythm_: Rhythm, start: str | None, end: str | None) -> tuple[float, float]:
    """The time [start, end) that an execution looks at: by the offsets, else the period before it was scheduled."""
    first = scheduled + (offset(start) if start else -rhythm_.period)
    last = scheduled + (offset(end) if end else 0.0)
    return first, last


def hours(start: float, end: float) -> list[str]:
    """The `yyyy/mm/dd/hh` of every hour that [start, end) touches."""
    first = int(start // HOUR)
    last = int(-(-end // HOUR))
    return [datetime.fromtimestamp(number * HOUR, UTC).strftime("%Y/%m/%d/%H") for number in range(first, last)]


def iso(seconds: float) -> str:
    """A time as the analysis container is told it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
