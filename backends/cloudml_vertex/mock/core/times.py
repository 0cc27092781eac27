"""Times and durations as proto3 JSON writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from cloudml_vertex.mock.core.errors import invalid

_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)")
"""Google's own logging client writes its filters with `+0000`, which Cloud Logging takes."""
_DURATION = re.compile(r"(-?\d{1,12}(?:\.\d{1,9})?)s")


def stamp(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC, to the microsecond: `2026-11-23T10:15:30.123456Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="microseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")


def seconds(text: str) -> float:
    """The seconds since the epoch of an RFC 3339 text. Raises GoogleError (INVALID_ARGUMENT)."""
    found = _STAMP.fullmatch(text)
    if found is None:
        raise invalid(f"{text!r} is not a time in RFC 3339.")
    try:
        whole = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
    except ValueError:
        raise invalid(f"{text!r} is not a time in RFC 3339.") from None
    return (whole - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1) + float(found[2] or 0)


def duration(text: str) -> float:
    """The seconds of a duration, `10s` or `0.5s`. Raises GoogleError (INVALID_ARGUMENT)."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise invalid(f"{text!r} is not a duration; write it as '3.5s'.")
    return float(found[1])


def duration_text(value: float) -> str:
    """Seconds as a duration."""
    return f"{value:.9f}".rstrip("0").rstrip(".") + "s"
