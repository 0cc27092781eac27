"""A monitor as Vertex AI has it: v1, of an endpoint (setting `monitors = "native-v1"`), or v2, of a model's version.

Of the statistics they know two: `js`, the divergence of Jensen and Shannon, for numbers (v2 also for categories), and
`linf`, the largest difference of a category's share. Sources: Vertex AI, "Introduction to Model Monitoring"; docstrings
of google.cloud.aiplatform's v1 and v1beta1 messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cloudml import spec
from cloudml.errors import Diagnostic
from cloudml_vertex import names
from cloudml_vertex.compile.port import Compiling, Document

STATISTICS = ("js", "linf")
_ENGINES = {"portable": "", "native-v1": "v1", "native-v2": "v2"}
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_EVERY_HOURS = re.compile(r"0 (?:(\*)|(?:0|\*)/(\d{1,2})) \* \* \*")


def engine(context: Compiling, monitor: spec.Monitor) -> str:
    """`v1`, `v2`, or nothing for the portable engine. The target's setting wins over the monitor's own word."""
    found = _ENGINES.get(context.place.monitors, "")
    return found or ("v1" if monitor.engine == "native" else "")


def document(
    context: Compiling, step: str, monitor: spec.Monitor, endpoint: spec.Endpoint | None, folder: str
) -> Document:
    """The resource, as `hosting.native_monitor` makes it. `step`: whose findings (CML349, CML341) they are."""
    chosen = engine(context, monitor)
    place = context.place
    if endpoint is None:
        _note(context, Diagnostic(
            "CML349", f"step {step}", "a native monitor is made for one endpoint", "give it the output of a deploy step"
        ))  # fmt: skip
    _check(context, monitor, chosen)
    own = {**place.identity(context.pipeline.name), "cloudml-monitor": names.label(monitor.name)}
    found: Document = {
        "engine": chosen,
        "id": context.resource_name(f"{context.pipeline.name}/monitor/{monitor.name}"),
        "display_name": f"{place.project}/{place.target}/{context.pipeline.name}/{monitor.name}",
        "endpoint": context.resource_name(endpoint.name if endpoint is not None else "unknown"),
        "parent": place.parent,
        "labels": {**dict(place.labels), **own},
        "limits": {one.statistic: one.limit for one in monitor.thresholds if one.statistic in STATISTICS},
        "window": int(monitor.window),
        "sample": endpoint.capture.sample if endpoint is not None and endpoint.capture is not None else 1.0,
        "emails": _emails(context, monitor),
        "folder": folder,
    }
    if chosen == "v1":
        found["interval"] = _interval(context, monitor)
    else:
        found["cron"] = _cron(context, monitor)
    if place.kms:
        found["kms"] = place.kms
    more = [one.document for one in monitor.native if one.backend == "vertex"]
    if more:
        found["native"] = more
    return found


def _emails(context: Compiling, monitor: spec.Monitor) -> list[str]:
    """The addresses of the monitor's alerts, which Vertex AI mails to by itself."""
    found: list[str] = []
    for alert in context.pipeline.alerts:
        if alert.name in monitor.alerts and alert.channel == "email" and isinstance(alert.target, str):
            found += [one.strip() for one in alert.target.split(",") if one.strip()]
        elif alert.name in monitor.alerts and alert.channel != "log":
            message = f"Vertex AI's monitoring mails and logs; alert {alert.name} is neither a mail address nor the log"
            _refuse(context, monitor, message, "take the portable engine, or a mail address that is no secret")
    return list(dict.fromkeys(found))


def _interval(context: Compiling, monitor: spec.Monitor) -> int:
    """Seconds between two looks: full hours, counted from when the job was made."""
    schedule = monitor.schedule
    if isinstance(schedule, spec.Every):
        seconds = schedule.interval if schedule.interval % _HOUR == 0 else 0
    else:
        found = _EVERY_HOURS.fullmatch(" ".join(schedule.expression.split()))
        hours = 0 if found is None else 1 if found[1] else int(found[2])
        seconds = hours * _HOUR if hours and 24 % hours == 0 else 0
    if not seconds:
        message = "Vertex AI's monitoring v1 looks every so many full hours; this schedule does not"
        _refuse(context, monitor, message, 'write ml.every(hours=…), or take `monitors = "native-v2"`')
    return int(seconds) or _HOUR


def _cron(context: Compiling, monitor: spec.Monitor) -> str:
    """The schedule in the language of Vertex AI's schedules, which is cron's with a time zone before it."""
    found = cron(monitor.schedule)
    if found is None:
        message = "an interval must divide an hour or a day, in whole minutes: Vertex AI's schedules are cron's"
        finding = Diagnostic("CML341", f"monitor {monitor.name}", message, "write ml.every(hours=6), or a cron line")
        _note(context, finding)
    return found or "TZ=UTC 0 * * * *"


def cron(schedule: spec.Schedule) -> str | None:
    """`TZ=<zone> <five fields>`; None for an interval that cron cannot say."""
    if isinstance(schedule, spec.Cron):
        return f"TZ={schedule.timezone} {' '.join(schedule.expression.split())}"
    seconds = int(schedule.interval)
    if seconds != schedule.interval or seconds % _MINUTE:
        return None
    if seconds < _HOUR:
        return f"TZ=UTC */{seconds // _MINUTE} * * * *" if _HOUR % seconds == 0 else None
    if seconds % _HOUR or _DAY % seconds:
        return None
    hours = seconds // _HOUR
    return "TZ=UTC 0 * * * *" if hours == 1 else f"TZ=UTC 0 {'0' if hours == 24 else f'*/{hours}'} * * *"


def _check(context: Compiling, monitor: spec.Monitor, chosen: str) -> None:
    for rule in _RULES:
        found = rule(monitor, chosen)
        if found is not None:
            _refuse(context, monitor, *found)


Found = tuple[str, str] | None


def _statistics(monitor: spec.Monitor, chosen: str) -> Found:
    wrong = [one.statistic for one in monitor.thresholds if one.statistic not in STATISTICS]
    if not wrong:
        return None
    words = f"Vertex AI's monitoring has no statistic {', '.join(wrong)}; it has {', '.join(STATISTICS)}"
    return words, 'take the portable engine (`monitors = "portable"`)'


def _directions(monitor: spec.Monitor, chosen: str) -> Found:
    wrong = any(one.direction == "below" or one.field is not None for one in monitor.thresholds)
    return ("its limits are upper ones, for all features", "write above=, without field=") if wrong else None


def _limits(monitor: spec.Monitor, chosen: str) -> Found:
    wrong = [one.limit for one in monitor.thresholds if not 0 < one.limit <= 1]
    return (f"its limits are above 0, and 1 at most; one is {wrong[0]:g}", "both statistics are so") if wrong else None


def _samples(monitor: spec.Monitor, chosen: str) -> Found:
    usual = spec.Threshold.model_fields["min_samples"].default
    wrong = any(one.min_samples != usual for one in monitor.thresholds)
    return ("it judges however few rows there are", "leave min_samples out") if wrong else None


def _repeated(monitor: spec.Monitor, chosen: str) -> Found:
    seen = [one.statistic for one in monitor.thresholds]
    return ("it has one limit a statistic", "leave the others out") if len(set(seen)) != len(seen) else None


def _window(monitor: spec.Monitor, chosen: str) -> Found:
    whole = monitor.window % _HOUR == 0
    return None if whole else (f"its window is {monitor.window:g} s", "whole hours")


def _reactions(monitor: spec.Monitor, chosen: str) -> Found:
    if not (monitor.retrain or monitor.rollback):
        return None
    return "Vertex AI's monitoring reports and mails; retrain and rollback are the portable engine's", (
        'take the portable engine (`monitors = "portable"`)'
    )


_RULES: tuple[Callable[[spec.Monitor, str], Found], ...] = (
    _statistics, _directions, _limits, _samples, _repeated, _window, _reactions,
)  # fmt: skip


def _refuse(context: Compiling, monitor: spec.Monitor, message: str, hint: str) -> None:
    _note(context, Diagnostic("CML349", f"monitor {monitor.name}", message, hint))


def _note(context: Compiling, finding: Diagnostic) -> None:
    """Once: the step and the resource are made of the same document."""
    if finding not in context.findings:
        context.findings.append(finding)
