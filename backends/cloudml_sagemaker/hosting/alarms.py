"""The alarms that guard a deployment: whether they are there, whether they ring, and what they rang for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cloudml_sagemaker.hosting import Aws, Document, Failed

MOST_STORIES = 3
"""Changes of state that are told of one alarm."""


def states(aws: Aws, names: Sequence[str]) -> dict[str, Document]:
    """The alarms as DescribeAlarms tells them, by name; one that is not there is missing."""
    if not names:
        return {}
    found = aws.call(
        "cloudwatch", "DescribeAlarms", AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    every = [*(found.get("MetricAlarms") or []), *(found.get("CompositeAlarms") or [])]
    return {one["AlarmName"]: one for one in every}


def check(aws: Aws, endpoint: str, names: Sequence[str], *, quiet: bool = True) -> None:
    """Raises Failed: an alarm is not there, or rings already, so that SageMaker would go back at once.

    Without `quiet` they may ring: a first version has nothing that it could go back to.
    """
    found = states(aws, names)
    absent = [name for name in names if name not in found]
    if absent:
        raise Failed(f"the alarms {', '.join(absent)} that guard {endpoint} are not there: run `cloudml apply`")
    loud = [name for name in names if found[name].get("StateValue") == "ALARM"]
    if loud and quiet:
        told = "; ".join(f"{name}: {found[name].get('StateReason', '')}" for name in loud)
        raise Failed(
            f"nothing was changed: the endpoint {endpoint} is in alarm already, and SageMaker would take the new "
            f"version back at once ({told}). Go back to the version before (`cloudml rollback`), or wait until the "
            "alarm is over"
        )


def stories(aws: Aws, names: Sequence[str], since: datetime | None) -> list[str]:
    """What each alarm went through since then, in words; of those in ALARM now, when AWS keeps no history."""
    told: list[str] = []
    found = states(aws, names)
    for name in names:
        rung = _history(aws, name, since)
        if not rung and name in found and found[name].get("StateValue") == "ALARM":
            rung = [f"in ALARM: {found[name].get('StateReason', '')}"]
        told += [f"{name}: {one}" for one in rung]
    return told


def _history(aws: Aws, name: str, since: datetime | None) -> list[str]:
    """Its ways into ALARM, the newest first; nothing when the role may not see them, or AWS has none."""
    asked = {"StartDate": since} if since is not None else {}
    try:
        found = aws.call("cloudwatch", "DescribeAlarmHistory", AlarmName=name, HistoryItemType="StateUpdate", **asked)
    except Exception:  # noqa: BLE001 - a report of what happened must not fail on its own trimmings
        return []
    items = found.get("AlarmHistoryItems") or []
    texts = [f"{one.get('Timestamp', '')} {one.get('HistorySummary', '')}".strip() for one in items]
    return [text for text in texts if "to ALARM" in text][:MOST_STORIES]
