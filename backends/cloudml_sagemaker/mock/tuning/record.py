"""The document of a tuning job: its trials, counters and best job, as Describe and List tell them.

Trials stand in the private list `_trials`: {"name", "definition", "point", "status", "value", "created", ...}.
"""

from __future__ import annotations

from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.tuning.rules import definitions, objective

ENDED = frozenset({"Completed", "Failed", "Stopped"})
IMPROVEMENT = 0.01
"""The share by which a trial must beat the best one to count as better (API reference, BestObjectiveNotImproving)."""


OBJECTIVE = "_tuning_objective_metric"
"""The hyperparameter that tells a trial the name of the objective."""


def definition_of(job: Document, trial: Document) -> Document:
    """The training job definition that a trial was made of."""
    return definitions(job)[trial["definition"]]


def maximize(job: Document, index: int) -> bool:
    """Whether more is better for the definition at `index`."""
    return bool(objective(job, definitions(job)[index])["Type"] == "Maximize")


def running(job: Document) -> list[Document]:
    """The trials that have not ended."""
    return [trial for trial in job["_trials"] if trial["status"] not in ENDED]


def best(job: Document, index: int | None = None) -> Document | None:
    """The trial with the best objective, of one definition or of all that share a direction."""
    told = [trial for trial in job["_trials"] if trial.get("value") is not None]
    told = [trial for trial in told if index is None or trial["definition"] == index]
    if not told:
        return None
    up = maximize(job, told[0]["definition"])
    top: Document = max(told, key=lambda trial: trial["value"] if up else -trial["value"])
    return top


def not_improving(job: Document) -> int:
    """How many trials in a row, up to the last that ended, were not better than those before by 1 % or more.

    API reference, BestObjectiveNotImproving. Trials without an objective count neither way.
    """
    ended = [trial for trial in job["_trials"] if trial["status"] in ENDED and trial.get("value") is not None]
    ended.sort(key=lambda trial: trial["order"])
    top: float | None = None
    since = 0
    for trial in ended:
        gain = 0.0 if top is None else trial["value"] - top
        gain = gain if maximize(job, trial["definition"]) else -gain
        if top is None or (gain > 0 and gain >= abs(top) * IMPROVEMENT):
            since = 0
        else:
            since += 1
        top = trial["value"] if top is None or gain > 0 else top
    return since


def summary(job: Document, trial: Document) -> Document:
    """A trial as ListTrainingJobsForHyperParameterTuningJob tells it."""
    told: Document = {
        "TrainingJobDefinitionName": definition_of(job, trial).get("DefinitionName"),
        "TrainingJobName": trial["name"],
        "TrainingJobArn": trial["arn"],
        "CreationTime": trial["created"],
        "TrainingStartTime": trial.get("started"),
        "TrainingEndTime": trial.get("ended"),
        "TrainingJobStatus": trial["status"],
        "TunedHyperParameters": trial["point"],
        "FailureReason": trial.get("reason"),
        "ObjectiveStatus": _objective_status(trial),
    }
    if trial.get("value") is not None:
        goal = objective(job, definition_of(job, trial))
        told["FinalHyperParameterTuningJobObjectiveMetric"] = {**goal, "Value": trial["value"]}
    return told


def _objective_status(trial: Document) -> str:
    if trial["status"] not in ENDED:
        return "Pending"
    return "Failed" if trial.get("value") is None else "Succeeded"


def refresh(job: Document, now: float) -> None:
    """Bring counters and best trials up to date."""
    statuses = [trial["status"] for trial in job["_trials"]]
    goals = [_objective_status(trial) for trial in job["_trials"]]
    again = sum(retryable(trial) for trial in job["_trials"])
    job["TrainingJobStatusCounters"] = {
        "Completed": statuses.count("Completed"),
        "InProgress": sum(status not in ENDED for status in statuses),
        "RetryableError": again,
        "NonRetryableError": statuses.count("Failed") - again,
        "Stopped": statuses.count("Stopped"),
    }
    job["ObjectiveStatusCounters"] = {name: goals.count(name) for name in ("Succeeded", "Pending", "Failed")}
    job["TuningJobCompletionDetails"] = {"NumberOfTrainingJobsObjectiveNotImproving": not_improving(job)}
    job["LastModifiedTime"] = now
    top = best(job)
    if top is not None:
        job["BestTrainingJob"] = summary(job, top)
    if (job.get("WarmStartConfig") or {}).get("WarmStartType") == "IdenticalDataAndAlgorithm":
        overall = best_of_family(job, top)
        if overall is not None:
            job["OverallBestTrainingJob"] = overall


def best_of_family(job: Document, top: Document | None) -> Document | None:
    """The best trial of the job and its parents (developer guide, warm start: OverallBestTrainingJob)."""
    told = list(job.get("_parents_best") or [])
    if top is not None:
        told.append({**summary(job, top), "TuningJobName": job["HyperParameterTuningJobName"]})
    if not told:
        return None
    sign = 1 if maximize(job, 0) else -1
    overall: Document = max(told, key=lambda one: sign * one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])
    return overall


def retryable(trial: Document) -> bool:
    """Whether a trial failed by an internal error of the service (API reference, TrainingJobStatusCounters)."""
    return trial["status"] == "Failed" and str(trial.get("reason")).startswith("InternalServerError")


def training_request(job: Document, index: int, name: str, point: dict[str, str]) -> Document:
    """The CreateTrainingJob request of one trial."""
    definition = definitions(job)[index]
    kept = (
        "AlgorithmSpecification", "RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "ResourceConfig",
        "StoppingCondition", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption",
        "EnableManagedSpotTraining", "CheckpointConfig", "RetryStrategy", "Environment",
    )  # fmt: skip
    request: Document = {key: definition[key] for key in kept if definition.get(key) is not None}
    if "ResourceConfig" not in request:
        request["ResourceConfig"] = _resources(definition["HyperParameterTuningResourceConfig"])
    static = definition.get("StaticHyperParameters") or {}
    metric = objective(job, definition)["MetricName"]
    request["TrainingJobName"] = name
    request["HyperParameters"] = {**static, **point, OBJECTIVE: metric}
    if job.get("_tags"):
        request["Tags"] = job["_tags"]  # API reference: a tuning job's tags go to its training jobs too
    if "CheckpointConfig" in request:
        # Trials must not share a folder of checkpoints: SageMaker adds the job's name.
        folder = request["CheckpointConfig"]["S3Uri"].rstrip("/")
        request["CheckpointConfig"] = {**request["CheckpointConfig"], "S3Uri": f"{folder}/{name}"}
    return request


def _resources(config: Document) -> Document:
    first: dict[str, Any] = (config.get("InstanceConfigs") or [config])[0]
    return {
        "InstanceType": first["InstanceType"],
        "InstanceCount": first.get("InstanceCount", 1),
        "VolumeSizeInGB": first.get("VolumeSizeInGB", 1),
    }
