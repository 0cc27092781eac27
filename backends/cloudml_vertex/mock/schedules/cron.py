"""When a schedule is due: cron expressions with a time zone (Schedule.cron).

Five fields, before them `TZ=ZONE ` or `CRON_TZ=ZONE ` with a zone of the IANA database, else UTC. When clocks change,
expressions behave as in Debian's cron: a fixed time runs once, one that is skipped runs right after, and what runs
every hour or minute follows elapsed time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from cloudml_vertex.mock.core.errors import invalid

_FORM = re.compile(r"\s*(?:(?:CRON_TZ|TZ)=(\S+)\s+)?(\S+(?:\s+\S+){4})\s*")


@dataclass(frozen=True)
class Cron:
    """A cron expression as understood."""

    fields: str
    zone: ZoneInfo

    def after(self, seconds: float) -> Iterator[float]:
        """The times that come after, in seconds since the epoch; they end when there are none for fifty years."""
        begin = datetime.fromtimestamp(seconds, UTC).astimezone(self.zone)
        for moment in CronSim(self.fields, begin):
            found = moment.timestamp()
            if found > seconds:
                yield found

    def next(self, seconds: float) -> float | None:
        """The first time after; None when there is none."""
        return next(self.after(seconds), None)

    def between(self, after: float, until: float) -> list[float]:
        """The times after `after` up to and with `until`."""
        return list(takewhile(lambda moment: moment <= until, self.after(after)))


def parse(text: str) -> Cron:
    """Raises INVALID_ARGUMENT."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise invalid(
            f"schedule.cron: {text!r} is not a cron expression of five fields, with TZ=ZONE before it or not."
        )
    try:
        zone = ZoneInfo(found[1] or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid(f"schedule.cron: {found[1]!r} is not a time zone of the IANA database.") from None
    try:
        CronSim(found[2], datetime(2000, 1, 1, tzinfo=UTC) - timedelta(seconds=1))
    except CronSimError as error:
        raise invalid(f"schedule.cron: {found[2]!r} is not a cron expression: {error}.") from None
    return Cron(found[2], zone)
