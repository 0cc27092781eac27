"""Watch: a monitor looks at the traffic of its window, judges it, reports, and acts on a breach as its author wants."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudml.runtime import drift, monitoring
from cloudml.runtime.monitoring import Check
from cloudml_sagemaker.container.context import Context, Document
from cloudml_sagemaker.container.control import Made, baseline, captured, retraining, telling
from cloudml_sagemaker.container.control.aws import Asking, told
from cloudml_sagemaker.container.control.notify import headline, send
from cloudml_sagemaker.container.control.posting import Message
from cloudml_sagemaker.container.failure import Refused
from cloudml_sagemaker.hosting import Aws, Failed

LISTED = 10
"""Breaches that a message names; the report has them all."""
ROLLBACK_SECONDS = 5400.0


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


def watch(action: Document, context: Context) -> Made:
    """The report. Raises Refused: a reaction failed; the report says which, and all others were done."""
    aws = Asking()
    end = captured.parse_time(context.values.json(action["time"]))
    standing = baseline.standing(action["folder"])
    if standing is None:
        report = {**_head(action, end, end), "verdict": "no_baseline", "checks": []}
        sys.stdout.write("cloudml: no run has put a baseline yet: nothing to compare with\n")
        return {"report": _keep(action, report, end)}
    begin = max(end - timedelta(seconds=action["window"]), captured.parse_time(standing["at"]))
    sight = Sight(standing, (begin, end))
    checks, traffic = _look(action, sight, aws)
    verdict = monitoring.verdict(checks)
    report = {
        **_head(action, begin, end),
        "verdict": verdict,
        "endpoint": sight.endpoint,
        "baseline": standing["digest"],
        "checks": [check.to_dict() for check in checks],
        "traffic": traffic,
    }
    problems = _react(action, context, sight, checks, report, aws)
    kept = _keep(action, report, end)
    sys.stdout.write(f"cloudml:monitor {json.dumps({key: report[key] for key in ('monitor', 'verdict', 'window')})}\n")
    if problems:
        raise Refused("; ".join(problems))
    return {"report": kept}


def _head(action: Document, begin: datetime, end: datetime) -> Document:
    window = {"start": begin.isoformat(), "end": end.isoformat()}
    return {"version": 1, "monitor": action["monitor"], "window": window}


def _keep(action: Document, report: Document, end: datetime) -> Document:
    baseline.write(f"{action['folder']}/reports/{end:%Y%m%dT%H%M%SZ}.json", report)
    return report


def _look(action: Document, sight: Sight, aws: Aws) -> tuple[list[Check], Document]:
    """The checks, and what was read for them."""
    thresholds = action["thresholds"]
    columns: dict[str, drift.Column] = {}
    traffic: Document = {}
    if any(one["statistic"] in drift.STATISTICS for one in thresholds):
        read = _traffic(action, sight)
        columns, traffic = _judged(action, read), read.document()
    asked = [one["statistic"] for one in thresholds if one["statistic"] in monitoring.SERVICE]
    service = telling.told(aws, sight.endpoint["EndpointName"], action["variant"], sight.window, asked)
    return monitoring.judge(thresholds, columns, service), traffic


def _traffic(action: Document, sight: Sight) -> captured.Traffic:
    try:
        profiles = baseline.profiles(sight.standing)
    except ValueError as error:
        raise Refused(str(error)) from None
    order = action.get("order", [])
    wanted = action.get("features") or order or list(profiles)
    watched = {name: profiles[name] for name in wanted if name in profiles}
    base = f"{action['capture']}/{sight.endpoint['EndpointName']}/{action['variant']}"
    return captured.read(base, sight.window, watched, order or [name for name in profiles if name in watched])


def _judged(action: Document, read: captured.Traffic) -> dict[str, drift.Column]:
    """The columns that count. Of a table that says more than requests do (a label), only what requests have."""
    if action.get("features") or action.get("order"):
        return read.columns
    return {name: one for name, one in read.columns.items() if name not in read.unseen}


def _react(
    action: Document, context: Context, sight: Sight, checks: Sequence[Check], report: Document, aws: Aws
) -> list[str]:
    """Metrics always; after a breach retrain and roll back, then say so. What went wrong, in words."""
    broken = [check for check in checks if check.verdict == "breach"]
    counts = {"breaches": len(broken), "rows": report["traffic"].get("rows", 0)}
    problems = _tried(
        "metrics", lambda: telling.tell(aws, action["dimensions"], checks, counts, sight.window[1]), report
    )
    if not broken:
        return problems
    if "retrain" in action:
        rules, pipeline = action["retrain"], action["pipeline"]
        problems += _tried(
            "retrain",
            lambda: retraining.retrain(aws, pipeline, action["monitor"], rules, sight.window[1]),
            report,
        )
    if action.get("rollback"):
        problems += _tried("rollback", lambda: _rollback(action, sight, broken, aws), report)
    wrong = send(action.get("alerts", []), _message(action, context, report, broken), context.step.get("project", ""))
    report["alerts"] = {"told": [one["name"] for one in action.get("alerts", [])], "problems": wrong}
    return problems + wrong


def _tried(what: str, act: Callable[[], Any], report: Document) -> list[str]:
    """Do it and write what came of it into the report; what went wrong, in words."""
    try:
        found = act()
    except Exception as error:  # noqa: BLE001 - one reaction that fails must not keep the others from happening
        problem = str(error) if isinstance(error, Failed) else told(error)
        report[what] = {"failed": problem}
        return [f"{what}: {problem}"]
    if found is not None:
        report[what] = found
    return []


def _rollback(action: Document, sight: Sight, broken: Sequence[Check], aws: Aws) -> Document:
    """Back to what the endpoint served before; but only from the very deployment that the baseline was put for."""
    from cloudml_sagemaker.hosting.rollback import rollback
    from cloudml_sagemaker.hosting.watch import Patience

    name = sight.endpoint["EndpointName"]
    live = aws.find("sagemaker", "DescribeEndpoint", EndpointName=name)
    if live is None or live["EndpointConfigName"] != sight.endpoint["deployment"]:
        return {"held": "the endpoint serves something else by now"}
    reason = "; ".join(check.text() for check in broken[:LISTED])
    after = rollback(aws, name, f"monitor {action['monitor']}", reason, Patience(ROLLBACK_SECONDS))
    return {"serves": after["EndpointConfigName"]}


def _message(action: Document, context: Context, report: Document, broken: Sequence[Check]) -> Message:
    lines = [check.text() for check in broken[:LISTED]]
    if len(broken) > LISTED:
        lines.append(f"and {len(broken) - LISTED} more")
    for what in ("retrain", "rollback"):
        lines += [f"{what}: {word} {value}" for word, value in report.get(what, {}).items()]
    served = report["endpoint"]
    window = report["window"]
    about = f"Endpoint {served.get('name')} (model {served.get('model')}/{served.get('version')})"
    text = "\n".join([f"{about}, {window['start']} to {window['end']}:", *lines])
    dimensions = action["dimensions"]
    title = f"cloudml: monitor {action['monitor']} of {dimensions['Pipeline']}: {len(broken)} limits broken"
    detail = {key: report[key] for key in ("monitor", "window", "verdict", "endpoint")}
    key = f"{dimensions['Project']}/{dimensions['Target']}/{dimensions['Pipeline']}/{action['monitor']}"
    return Message(headline(title), text, context.step.get("project") or "cloudml", key, detail)
