"""Watch: a monitor looks at the traffic of its window, judges it, reports, and acts on a breach as its author wants."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import Made, baseline
from cloudml.jobs.control.notify import headline, send
from cloudml.jobs.control.posting import Message
from cloudml.jobs.control.traffic import Traffic, parse_time
from cloudml.jobs.failure import Refused
from cloudml.jobs.platform import Store
from cloudml.runtime import drift, monitoring
from cloudml.runtime.monitoring import Check, Told

LISTED = 10
"""Breaches that a message names; the report has them all."""


@dataclass(frozen=True)
class Sight:
    """What is looked at: the standing baseline and the window."""

    standing: Document
    window: tuple[datetime, datetime]

    @property
    def endpoint(self) -> Document:
        """What the baseline was put for."""
        found: Document = self.standing["endpoint"]
        return found


class Watched(Protocol):
    """An endpoint of a cloud's, as its monitor sees it. Errors are the cloud's own, told by `Platform.told`."""

    def traffic(self, sight: Sight, profiles: Mapping[str, drift.Profile], order: Sequence[str]) -> Traffic:
        """All that was asked in the window, counted; `order`: the features as a request without names has them."""

    def service(self, sight: Sight, statistics: Sequence[str]) -> dict[str, Told]:
        """Those of the service's own statistics that are asked for, over the window."""

    def tell(self, checks: Sequence[Check], counts: Mapping[str, float], at: datetime) -> None:
        """Write the values that were found into the service's metrics."""

    def retrain(self, at: datetime) -> Document:
        """Start the pipeline for the window that ends then, or say why not: `started` or `held`."""

    def rollback(self, sight: Sight, reason: str) -> Document:
        """Back to what the endpoint served before, from the very deployment that the baseline was put for, or say why
        not: `serves` or `held`.
        """


def look(action: Document, context: Context, store: Store, endpoint: Watched) -> Made:
    """The report. Raises Refused: a reaction failed; the report says which, and all others were done."""
    watching = _Watching(action, context, store, endpoint)
    end = parse_time(context.values.json(action["time"]))
    standing = baseline.standing(store, action["folder"])
    if standing is None:
        report = {**watching.head(end, end), "verdict": "no_baseline", "checks": []}
        sys.stdout.write("cloudml: no run has put a baseline yet: nothing to compare with\n")
        return {"report": watching.keep(report, end)}
    begin = max(end - timedelta(seconds=action["window"]), parse_time(standing["at"]))
    sight = Sight(standing, (begin, end))
    checks, traffic = watching.judge(sight)
    report = {
        **watching.head(begin, end),
        "verdict": monitoring.verdict(checks),
        "endpoint": sight.endpoint,
        "baseline": standing["digest"],
        "checks": [check.to_dict() for check in checks],
        "traffic": traffic,
    }
    problems = watching.react(sight, checks, report)
    kept = watching.keep(report, end)
    sys.stdout.write(f"cloudml:monitor {json.dumps({key: report[key] for key in ('monitor', 'verdict', 'window')})}\n")
    if problems:
        raise Refused("; ".join(problems))
    return {"report": kept}


class _Watching:
    """One look."""

    def __init__(self, action: Document, context: Context, store: Store, endpoint: Watched) -> None:
        self._action = action
        self._context = context
        self._store = store
        self._endpoint = endpoint

    def head(self, begin: datetime, end: datetime) -> Document:
        """What every report begins with."""
        window = {"start": begin.isoformat(), "end": end.isoformat()}
        return {"version": 1, "monitor": self._action["monitor"], "window": window}

    def keep(self, report: Document, end: datetime) -> Document:
        """Write the report where reports lie, by the end of its window."""
        baseline.write(self._store, f"{self._action['folder']}/reports/{end:%Y%m%dT%H%M%SZ}.json", report)
        return report

    def judge(self, sight: Sight) -> tuple[list[Check], Document]:
        """The checks, and what was read for them."""
        thresholds = self._action["thresholds"]
        columns: dict[str, drift.Column] = {}
        traffic: Document = {}
        if any(one["statistic"] in drift.STATISTICS for one in thresholds):
            read = self._traffic(sight)
            columns, traffic = self._judged(read), read.document()
        asked = [one["statistic"] for one in thresholds if one["statistic"] in monitoring.SERVICE]
        return monitoring.judge(thresholds, columns, self._endpoint.service(sight, asked)), traffic

    def _traffic(self, sight: Sight) -> Traffic:
        try:
            profiles = baseline.profiles(self._store, sight.standing)
        except ValueError as error:
            raise Refused(str(error)) from None
        order = self._action.get("order", [])
        wanted = self._action.get("features") or order or list(profiles)
        watched = {name: profiles[name] for name in wanted if name in profiles}
        return self._endpoint.traffic(sight, watched, order or [name for name in profiles if name in watched])

    def _judged(self, read: Traffic) -> dict[str, drift.Column]:
        """The columns that count. Of a table that says more than requests do (a label), only what requests have."""
        if self._action.get("features") or self._action.get("order"):
            return read.columns
        return {name: one for name, one in read.columns.items() if name not in read.unseen}

    def react(self, sight: Sight, checks: Sequence[Check], report: Document) -> list[str]:
        """Metrics always; after a breach retrain and roll back, then say so. What went wrong, in words."""
        action, end = self._action, sight.window[1]
        broken = [check for check in checks if check.verdict == "breach"]
        counts = {"breaches": len(broken), "rows": report["traffic"].get("rows", 0)}
        problems = self._tried("metrics", lambda: self._endpoint.tell(checks, counts, end), report)
        if not broken:
            return problems
        if "retrain" in action:
            problems += self._tried("retrain", lambda: self._endpoint.retrain(end), report)
        if action.get("rollback"):
            reason = "; ".join(check.text() for check in broken[:LISTED])
            problems += self._tried("rollback", lambda: self._endpoint.rollback(sight, reason), report)
        wrong = send(action.get("alerts", []), self._message(report, broken), self._context)
        report["alerts"] = {"told": [one["name"] for one in action.get("alerts", [])], "problems": wrong}
        return problems + wrong

    def _tried(self, what: str, act: Callable[[], Any], report: Document) -> list[str]:
        """Do it and write what came of it into the report; what went wrong, in words."""
        try:
            found = act()
        except Exception as error:  # noqa: BLE001 - one reaction that fails must not keep the others from happening
            problem = str(error) if isinstance(error, Refused) else self._context.platform.told(error)
            report[what] = {"failed": problem}
            return [f"{what}: {problem}"]
        if found is not None:
            report[what] = found
        return []

    def _message(self, report: Document, broken: Sequence[Check]) -> Message:
        action = self._action
        lines = [check.text() for check in broken[:LISTED]]
        if len(broken) > LISTED:
            lines.append(f"and {len(broken) - LISTED} more")
        for what in ("retrain", "rollback"):
            lines += [f"{what}: {word} {value}" for word, value in report.get(what, {}).items()]
        served, window, dimensions = report["endpoint"], report["window"], action["dimensions"]
        about = f"Endpoint {served.get('name')} (model {served.get('model')}/{served.get('version')})"
        text = "\n".join([f"{about}, {window['start']} to {window['end']}:", *lines])
        title = f"cloudml: monitor {action['monitor']} of {dimensions['Pipeline']}: {len(broken)} limits broken"
        detail = {key: report[key] for key in ("monitor", "window", "verdict", "endpoint")}
        key = f"{dimensions['Project']}/{dimensions['Target']}/{dimensions['Pipeline']}/{action['monitor']}"
        return Message(headline(title), text, self._context.step.get("project") or "cloudml", key, detail)
