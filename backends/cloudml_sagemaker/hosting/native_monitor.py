"""SageMaker Model Monitor: a data quality definition and the schedule that runs it, made, changed and removed.

The document is the resource's: `MonitoringScheduleName`, `definition` (a CreateDataQualityJobDefinition), the
`ScheduleExpression` and `Tags`. A definition cannot be changed; its name is of its content, so another content is
another definition, and the one before it is deleted. Sources: API reference, CreateMonitoringSchedule and its kin.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from cloudml_sagemaker.hosting import Aws, Document, Failed, labels_of

_TYPE = "DataQuality"
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
_WAITS = 60
"""Looks at something that changes, seconds apart at last."""


def schedule_of(aws: Aws, name: str) -> Document | None:
    """The schedule as AWS tells it; None when there is none."""
    return aws.find("sagemaker", "DescribeMonitoringSchedule", MonitoringScheduleName=name)


def read(aws: Aws, name: str) -> Document | None:
    """What there is, in the form of the document; None when there is no such schedule."""
    found = schedule_of(aws, name)
    if found is None:
        return None
    config = found["MonitoringScheduleConfig"]
    definition = _definition(aws, config.get("MonitoringJobDefinitionName", "")) or {}
    tags = labels_of(aws, found["MonitoringScheduleArn"])
    return {
        "MonitoringScheduleName": name,
        "definition": definition,
        "ScheduleExpression": config.get("ScheduleConfig", {}).get("ScheduleExpression", ""),
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())],
    }


def _definition(aws: Aws, name: str) -> Document | None:
    if not name:
        return None
    return aws.find("sagemaker", "DescribeDataQualityJobDefinition", JobDefinitionName=name)


def ensure(aws: Aws, document: Document, sleep: Callable[[float], None] = time.sleep) -> None:
    """Make it so; what is so already stays. Raises Failed: AWS did not come to an end, or gave it up."""
    name, wanted = document["MonitoringScheduleName"], document["definition"]["JobDefinitionName"]
    if _definition(aws, wanted) is None:
        aws.call("sagemaker", "CreateDataQualityJobDefinition", **document["definition"], Tags=document["Tags"])
    config = {
        "ScheduleConfig": {"ScheduleExpression": document["ScheduleExpression"]},
        "MonitoringJobDefinitionName": wanted,
        "MonitoringType": _TYPE,
    }
    found = _settled(aws, name, sleep)
    if found is None:
        aws.call(
            "sagemaker", "CreateMonitoringSchedule", MonitoringScheduleName=name, MonitoringScheduleConfig=config,
            Tags=document["Tags"],
        )  # fmt: skip
    elif not _agrees(found["MonitoringScheduleConfig"], config) or found["MonitoringScheduleStatus"] == "Failed":
        aws.call("sagemaker", "UpdateMonitoringSchedule", MonitoringScheduleName=name, MonitoringScheduleConfig=config)
    after = _settled(aws, name, sleep)
    if after is None or after["MonitoringScheduleStatus"] == "Failed":
        reason = "it is gone" if after is None else after.get("FailureReason") or "SageMaker gives no reason"
        raise Failed(f"the monitoring schedule {name} could not be made: {reason}")
    if found is not None:
        aws.call("sagemaker", "AddTags", ResourceArn=after["MonitoringScheduleArn"], Tags=document["Tags"])
        _drop(aws, found["MonitoringScheduleConfig"].get("MonitoringJobDefinitionName", ""), wanted)


def _agrees(found: Document, wanted: Document) -> bool:
    return all(
        found.get(key) == value
        if key != "ScheduleConfig"
        else found.get(key, {}).get("ScheduleExpression") == value["ScheduleExpression"]
        for key, value in wanted.items()
    )


def _drop(aws: Aws, name: str, kept: str = "") -> None:
    """Delete a definition that no schedule uses any more."""
    if name and name != kept and _definition(aws, name) is not None:
        aws.call("sagemaker", "DeleteDataQualityJobDefinition", JobDefinitionName=name)


def remove(aws: Aws, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Delete the schedule and its definition; what is gone already is no error. Raises Failed: it does not go."""
    found = _settled(aws, name, sleep)
    if found is None:
        return
    if found["MonitoringScheduleStatus"] == "Scheduled":
        aws.call("sagemaker", "StopMonitoringSchedule", MonitoringScheduleName=name)
        _settled(aws, name, sleep)
    aws.call("sagemaker", "DeleteMonitoringSchedule", MonitoringScheduleName=name)
    for turn in range(_WAITS):
        if schedule_of(aws, name) is None:
            break
        _pause(turn, sleep)
    else:
        raise Failed(f"the monitoring schedule {name} is still being deleted; the same command again goes on")
    _drop(aws, found["MonitoringScheduleConfig"].get("MonitoringJobDefinitionName", ""))


def _settled(aws: Aws, name: str, sleep: Callable[[float], None]) -> Document | None:
    """The schedule when it is Pending no more; None when there is none. Raises Failed: it stays so."""
    for turn in range(_WAITS):
        found = schedule_of(aws, name)
        if found is None or found["MonitoringScheduleStatus"] != "Pending":
            return found
        _pause(turn, sleep)
    raise Failed(f"the monitoring schedule {name} is still Pending; the same command again goes on waiting")


def _pause(turn: int, sleep: Callable[[float], None]) -> None:
    sleep(PAUSES[min(turn, len(PAUSES) - 1)])
