"""SageMaker's own events, made from changes of state as the developer guide shows them.

Source: SageMaker developer guide, "Events that Amazon SageMaker AI sends to Amazon EventBridge". The times in the
examples differ by kind: milliseconds as text (training, tuning), milliseconds (endpoints, processing), ISO (transform,
model packages, model cards, pipelines). EventBridge's reference of events also names monitoring schedules, without an
example. Monitoring executions have no event of their own: their processing jobs have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudml.mocks.bus import Change
from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.core.world import iso as iso_milliseconds
from cloudml_sagemaker.service.model import output_shape
from cloudml_sagemaker.service.shapes import prune

Detail = dict[str, Any]
Clockface = Callable[[float], Any]


@dataclass(frozen=True)
class Message:
    """One event: its detail-type, the ARNs it is about, and its detail."""

    detail_type: str
    resources: list[str]
    detail: Detail


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _millisecond_text(seconds: float) -> str:
    return str(_milliseconds(seconds))


def iso(seconds: float) -> str:
    """A time as these events write it: to the second, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class _Kind:
    """A kind whose event carries its Describe response: `status` is the field that changed, `hidden` is left out."""

    detail_type: str
    describe: str
    arn: str
    status: str
    clockface: Clockface
    tagged: bool = True
    hidden: frozenset[str] = frozenset()


KINDS = {
    "TrainingJob": _Kind(
        "SageMaker Training Job State Change",
        "DescribeTrainingJob",
        "TrainingJobArn",
        "TrainingJobStatus",
        _millisecond_text,
    ),
    "HyperParameterTuningJob": _Kind(
        "SageMaker HyperParameter Tuning Job State Change",
        "DescribeHyperParameterTuningJob",
        "HyperParameterTuningJobArn",
        "HyperParameterTuningJobStatus",
        _millisecond_text,
    ),
    "TransformJob": _Kind(
        "SageMaker Transform Job State Change", "DescribeTransformJob", "TransformJobArn", "TransformJobStatus", iso
    ),
    "ProcessingJob": _Kind(
        "SageMaker Processing Job State Change",
        "DescribeProcessingJob",
        "ProcessingJobArn",
        "ProcessingJobStatus",
        _milliseconds,
    ),
    "Endpoint": _Kind(
        "SageMaker Endpoint State Change", "DescribeEndpoint", "EndpointArn", "EndpointStatus", _milliseconds
    ),
    "Model": _Kind("SageMaker Model State Change", "DescribeModel", "ModelArn", "", _milliseconds),
    "ModelPackage": _Kind(
        "SageMaker Model Package State Change",
        "DescribeModelPackage",
        "ModelPackageArn",
        "ModelPackageStatus",
        iso,
        tagged=False,
    ),
    "ModelCard": _Kind(
        "SageMaker Model Card State Change",
        "DescribeModelCard",
        "ModelCardArn",
        "ModelCardStatus",
        iso_milliseconds,
        tagged=False,
        hidden=frozenset({"ModelCardArn", "Content"}),
    ),
    "MonitoringSchedule": _Kind(
        "SageMaker Monitoring Schedule State Change",
        "DescribeMonitoringSchedule",
        "MonitoringScheduleArn",
        "MonitoringScheduleStatus",
        _milliseconds,
    ),
}

_DEPLOYING = frozenset({"Updating", "RollingBack"})
_DEPLOYMENT = "SageMaker Endpoint Deployment State Change"


def messages(world: World, change: Change) -> Iterator[Message]:
    """The events that AWS sends for a change of state; none for kinds that it does not tell of."""
    if change.kind == "PipelineExecution":
        yield _execution(change)
    elif change.kind == "PipelineExecutionStep":
        yield _step(change)
    elif change.kind in KINDS and not (
        change.kind == "MonitoringSchedule" and world.switches["monitor-schedule-events"] == "none"
    ):
        kind = KINDS[change.kind]
        detail = _described(world, change, kind)
        resources = [str(change.document.get(kind.arn, ""))]
        if change.kind != "Endpoint" or change.before != change.after:
            yield Message(kind.detail_type, resources, detail)
        if change.kind == "Endpoint" and {change.before, change.after} & _DEPLOYING:
            yield Message(_DEPLOYMENT, resources, detail)


def _described(world: World, change: Change, kind: _Kind) -> Detail:
    shape = output_shape(kind.describe)
    with world.lock:
        pruned = prune(shape, change.document)
        tags = world.table("_tags", change.scope).get(str(change.document.get(kind.arn, ""))) or {}
        detail: Detail = _timed(shape, pruned, kind.clockface)
    if kind.status:
        detail[kind.status] = _SPELT.get(change.kind, str)(change.after)
    if kind.tagged:
        detail["Tags"] = dict(tags)
    detail = {name: value for name, value in detail.items() if name not in kind.hidden}
    return {**detail, **_added(change)}


def _added(change: Change) -> Detail:
    """What these events tell beside the Describe response."""
    if change.kind == "ModelPackage" and change.details.get("updated"):
        updated = [_FIELDS.get(name, name) for name in change.details["updated"]]
        return {"UpdatedModelPackageFields": updated}
    if change.kind == "ModelCard":
        return {"AccountId": change.scope.account, "SecurityConfig": change.document.get("SecurityConfig") or {}}
    return {}


_FIELDS = {"SourceUri": "sourceUri"}
"""Members of a model package that its events spell in another way."""


def _upper(status: str) -> str:
    """InService as endpoint events write it: IN_SERVICE."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", status).upper()


_SPELT: dict[str, Callable[[str], str]] = {"Endpoint": _upper}


def _timed(shape: Any, value: Any, clockface: Clockface) -> Any:
    """A copy of `value` with every timestamp of the shape written as that kind's events write it."""
    if shape.type_name == "timestamp" and isinstance(value, int | float):
        return clockface(value)
    if shape.type_name == "structure" and isinstance(value, dict):
        return {name: _timed(shape.members[name], item, clockface) for name, item in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_timed(shape.member, item, clockface) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {name: _timed(shape.value, item, clockface) for name, item in value.items()}
    return value


_EXECUTION_ENDED = frozenset({"Succeeded", "Failed", "Stopped", "CompletedWithFailures"})


def _execution(change: Change) -> Message:
    document = change.document
    arn = str(document["PipelineExecutionArn"])
    pipeline = arn.partition("/execution/")[0]
    detail: Detail = {
        "pipelineExecutionDisplayName": document.get("PipelineExecutionDisplayName"),
        "currentPipelineExecutionStatus": change.after,
        "previousPipelineExecutionStatus": change.before or None,
        "executionStartTime": _when(document, "CreationTime"),
        "executionEndTime": _when(document, "LastModifiedTime") if change.after in _EXECUTION_ENDED else None,
        "pipelineExecutionDescription": document.get("PipelineExecutionDescription"),
        "pipelineArn": pipeline,
        "pipelineExecutionArn": arn,
    }
    return Message("SageMaker Model Building Pipeline Execution Status Change", [pipeline, arn], _present(detail))


def _step(change: Change) -> Message:
    told = change.details
    pipeline, arn = str(told["pipeline"]), str(told["execution"])
    detail: Detail = {
        "metadata": {_lower(name): _lowered(item) for name, item in (told.get("metadata") or {}).items()},
        "stepStartTime": iso(told["startTime"]) if told.get("startTime") is not None else None,
        "stepEndTime": iso(told["endTime"]) if told.get("endTime") is not None else None,
        "stepName": told["step"],
        "stepType": told.get("stepType"),
        "previousStepStatus": change.before or None,
        "currentStepStatus": change.after,
        "pipelineArn": pipeline,
        "pipelineExecutionArn": arn,
        "cacheHitResult": _lowered(told["cacheHitResult"]) if told.get("cacheHitResult") else None,
        "failureReason": told.get("failureReason") or None,
    }
    return Message("SageMaker Model Building Pipeline Execution Step Status Change", [pipeline, arn], _present(detail))


def _present(detail: Detail) -> Detail:
    return {name: value for name, value in detail.items() if value is not None}


def _when(document: Document, name: str) -> str | None:
    value = document.get(name)
    return iso(value) if isinstance(value, int | float) else None


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _lowered(value: Any) -> Any:
    """Member names as these events spell them: with a small first letter."""
    if isinstance(value, dict):
        return {_lower(name): _lowered(item) for name, item in value.items()}
    return [_lowered(item) for item in value] if isinstance(value, list) else value
