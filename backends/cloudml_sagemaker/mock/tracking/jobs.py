"""Trial components of jobs: a job with an ExperimentConfig is followed as a component of its trial.

Source: developer guide, "Amazon SageMaker Experiments" (the component is named after the job: `NAME-aws-training-job`).
Jobs without an ExperimentConfig get none here; AWS keeps unassigned components for them.
"""

from __future__ import annotations

import logging

from cloudml.mocks.bus import Change
from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.tracking.records import COMPONENT

log = logging.getLogger(__name__)

KINDS = {
    "TrainingJob": ("training", "SageMakerTrainingJob", "TrainingStartTime", "TrainingEndTime"),
    "ProcessingJob": ("processing", "SageMakerProcessingJob", "ProcessingStartTime", "ProcessingEndTime"),
    "TransformJob": ("transform", "SageMakerTransformJob", "TransformStartTime", "TransformEndTime"),
}
_NAME_LENGTH = 120
_VALUE_LENGTH = 2500


def follow(world: World, change: Change) -> None:
    """On the bus: make the component when the job begins, and keep its status after that."""
    config = change.document.get("ExperimentConfig")
    if not config:
        return
    word, source, began, ended = KINDS[change.kind]
    name = f"{change.name}-aws-{word}-job"[:_NAME_LENGTH]
    document = change.document
    with world.lock:
        table = world.table(COMPONENT.name, change.scope)
        if name not in table and not _make(world, change, name, config):
            return
        record = table[name]
        record.update(
            Status={"PrimaryStatus": change.after, "Message": document.get("FailureReason", "")},
            Source={"SourceArn": document[f"{change.kind}Arn"], "SourceType": source},
            LastModifiedTime=world.now(),
            **{own: document[job] for own, job in (("StartTime", began), ("EndTime", ended)) if job in document},
        )
        if change.kind == "TrainingJob":
            record["Metrics"] = [_metric(item) for item in document.get("FinalMetricDataList") or []]
        table.put(name, record)


def _make(world: World, change: Change, name: str, config: Document) -> bool:
    given: Document = {
        "TrialComponentName": name,
        "DisplayName": config.get("TrialComponentDisplayName", name),
        "Parameters": {
            key: {"StringValue": value[:_VALUE_LENGTH]}
            for key, value in (change.document.get("HyperParameters") or {}).items()
        },
    }
    try:
        world.call(change.scope, "CreateTrialComponent", given)
        if config.get("TrialName"):
            both = {"TrialComponentName": name, "TrialName": config["TrialName"]}
            world.call(change.scope, "AssociateTrialComponent", both)
    except AwsError as error:
        log.warning("trial component of %s %s: %s", change.kind, change.name, error)
        return name in world.table(COMPONENT.name, change.scope)
    return True


def _metric(item: Document) -> Document:
    value, when = item["Value"], item["Timestamp"]
    told = dict.fromkeys(("Max", "Min", "Last", "Avg"), value)
    return {"MetricName": item["MetricName"], "TimeStamp": when, "Count": 1, "StdDev": 0.0, **told}
