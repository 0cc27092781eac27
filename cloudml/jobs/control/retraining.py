"""A monitor starts its pipeline again: once for a window, and not more often than the author allows.

What it did before is read from the service's own list of runs, by the names that the monitor gives them; so no memory
of ours can be lost.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

_STEM = 40


@dataclass(frozen=True)
class Started:
    """A run that the monitor has started. `at` in UTC; `runs`: whether it goes on; `id`: as the service names it."""

    name: str
    at: datetime
    runs: bool
    id: str


def prefix(monitor: str) -> str:
    """How the names of its runs begin: letters, digits and `-`, 57 characters at most."""
    mark = hashlib.sha256(monitor.encode()).hexdigest()[:8]
    return f"retrain-{re.sub(r'[^A-Za-z0-9-]', '-', monitor)[:_STEM]}-{mark}-"


def run_name(monitor: str, at: datetime) -> str:
    """The name of the run for the window that ends then."""
    return f"{prefix(monitor)}{at:%Y%m%dT%H%M%SZ}"


def why(monitor: str, at: datetime) -> str:
    """In words, for the run."""
    return f"started by monitor {monitor}, whose limits were broken before {at:%Y-%m-%d %H:%M} UTC"


def horizon(rules: Mapping[str, Any], at: datetime) -> datetime | None:
    """Since when the monitor's earlier runs matter; None: all of them do. `rules`: a `spec.Retrain` as a document."""
    if rules.get("limit") is not None and rules.get("period") is None:
        return None
    return at - timedelta(seconds=max(rules["cooldown"], rules.get("period") or 0.0)) - timedelta(days=1)


def same(earlier: Iterable[Started], name: str) -> Started | None:
    """The run that was started for this very window."""
    return next((one for one in earlier if one.name == name), None)


def held(earlier: Sequence[Started], rules: Mapping[str, Any], at: datetime) -> str:
    """Why not to start; empty when nothing speaks against it. `earlier`: its runs, newest first."""
    if not earlier:
        return ""
    last = earlier[0]
    if last.runs:
        return f"the run that it started at {last.at:%Y-%m-%d %H:%M} UTC goes on"
    ready = last.at + timedelta(seconds=rules["cooldown"])
    if at < ready:
        return f"it started one at {last.at:%Y-%m-%d %H:%M} UTC, and waits until {ready:%Y-%m-%d %H:%M} UTC"
    if rules.get("limit") is None:
        return ""
    since = None if rules.get("period") is None else at - timedelta(seconds=rules["period"])
    count = sum(1 for one in earlier if since is None or one.at > since)
    if count < rules["limit"]:
        return ""
    span = "in all" if since is None else f"since {since:%Y-%m-%d %H:%M} UTC"
    return f"it has started {count} {span}, and {rules['limit']} are allowed"
