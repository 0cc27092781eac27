"""CacheConfig and RetryPolicies of a step."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Any

from cloudml_sagemaker.mock.pipelines.definition.kinds import EXCEPTIONS
from cloudml_sagemaker.mock.pipelines.definition.model import CachePolicy, RetryPolicy
from cloudml_sagemaker.mock.pipelines.definition.problems import Problems, shown

_DURATION = re.compile(
    r"P?(?:(?P<years>[0-9]{1,4})Y)?(?:(?P<months>[0-9]{1,5})M)?(?:(?P<weeks>[0-9]{1,5})W)?(?:(?P<days>[0-9]{1,6})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,7})H)?(?:(?P<minutes>[0-9]{1,8})M)?(?:(?P<seconds>[0-9]{1,9})S)?)?",
    re.IGNORECASE,
)
_DAYS = {"years": 365, "months": 30, "weeks": 7, "days": 1}

LONGEST_INTERVAL = 43_200
MOST_ATTEMPTS = 20
LONGEST_EXPIRY = 14_400
DEFAULT_ATTEMPTS = 5
"""Limits and default of retry policies (developer guide, pipelines-retry-policy); minutes for the expiry."""


def duration(text: str, *, strict: bool = False) -> timedelta | None:
    """An ISO 8601 duration; None when it is none.

    The developer guide (pipelines-caching-enabling) shows forms without the P and in lower case (`30dT5h`, `T16m`),
    which `strict` refuses. A year is 365 days and a month 30.
    """
    found = _DURATION.fullmatch(text)
    if found is None or (strict and (not text.startswith("P") or text != text.upper())):
        return None
    parts = {name: int(value) for name, value in found.groupdict().items() if value is not None}
    if not parts:
        return None
    days = sum(parts.get(name, 0) * length for name, length in _DAYS.items())
    clock = {name: parts.get(name, 0) for name in ("hours", "minutes", "seconds")}
    return timedelta(days=days, **clock)


def cache(raw: Any, where: str, problems: Problems) -> CachePolicy | None:
    """A step's CacheConfig; None when it has none."""
    if raw is None:
        return None
    if not isinstance(raw, dict) or not set(raw) <= {"Enabled", "ExpireAfter"}:
        problems.add(where, "CacheConfig takes Enabled and ExpireAfter")
        return None
    enabled, expiry = raw.get("Enabled"), raw.get("ExpireAfter")
    if not isinstance(enabled, bool):
        problems.add(where, "CacheConfig.Enabled must be a boolean")
        return None
    if expiry is None:
        if enabled and problems.choices["cache-without-expiry"] == "refuse":
            problems.add(where, "CacheConfig.ExpireAfter must be given when caching is enabled")
        return CachePolicy(enabled)
    strict = problems.choices["expire-after-forms"] == "iso-8601"
    after = duration(expiry, strict=strict) if isinstance(expiry, str) else None
    if after is None:
        problems.add(where, f"CacheConfig.ExpireAfter {shown(expiry)!r} is not an ISO 8601 duration")
    return CachePolicy(enabled, after)


def retries(raw: Any, where: str, problems: Problems) -> tuple[RetryPolicy, ...]:
    """A step's RetryPolicies, in order."""
    if raw is None:
        return ()
    if not isinstance(raw, list):
        problems.add(where, "RetryPolicies must be a list")
        return ()
    read = [_retry(item, f"{where}: RetryPolicies[{position}]", problems) for position, item in enumerate(raw)]
    return tuple(policy for policy in read if policy is not None)


def _retry(raw: Any, where: str, problems: Problems) -> RetryPolicy | None:
    known = {"ExceptionType", "IntervalSeconds", "BackoffRate", "MaxAttempts", "ExpireAfterMin"}
    if not isinstance(raw, dict) or not set(raw) <= known:
        problems.add(where, f"takes {', '.join(sorted(known))}")
        return None
    types = raw.get("ExceptionType")
    # The published schema has one string here, the developer guide and the SDK a list.
    types = [types] if isinstance(types, str) else types
    if not isinstance(types, list) or not types:
        problems.add(where, "ExceptionType must be a list of exception types")
        return None
    for name in types:
        if name not in EXCEPTIONS:
            problems.add(where, f"ExceptionType {shown(name)!r} must be one of {', '.join(EXCEPTIONS)}")
    interval = _number(raw, "IntervalSeconds", (0, LONGEST_INTERVAL), where, problems)
    backoff = _number(raw, "BackoffRate", (0, math.inf), where, problems, whole=False)
    attempts = _number(raw, "MaxAttempts", (1, MOST_ATTEMPTS), where, problems)
    minutes = _number(raw, "ExpireAfterMin", (1, LONGEST_EXPIRY), where, problems)
    if attempts is not None and minutes is not None:
        problems.add(where, "takes one of MaxAttempts and ExpireAfterMin, not both")
    if attempts is None and minutes is None:
        attempts = DEFAULT_ATTEMPTS
    return RetryPolicy(
        exceptions=tuple(map(str, types)),
        interval_seconds=1 if interval is None else interval,
        backoff_rate=2.0 if backoff is None else backoff,
        attempts=None if attempts is None else int(attempts),
        expire_after_minutes=minutes,
    )


def _number(
    raw: dict[str, Any],
    name: str,
    bounds: tuple[float, float],
    where: str,
    problems: Problems,
    *,
    whole: bool = True,
) -> float | None:
    value = raw.get(name)
    if value is None:
        return None
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not bounds[0] <= value <= bounds[1]:
        limit = f" to {bounds[1]}" if math.isfinite(bounds[1]) else " on"
        kind = "whole number" if whole else "number"
        problems.add(where, f"{name} {shown(value)!r} must be a {kind} from {bounds[0]}{limit}")
        return None
    return int(value) if whole else float(value)
