"""When a tuning job ends before its trials are used up: targets, no improvement, trials that come to nothing."""

from __future__ import annotations

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.tuning import record

GIVE_UP = 5
"""Trials that may come to nothing before any succeeds; AWS's messages name the number (amazon-sagemaker-examples issues
2436, 2437)."""

_NONE_SUCCEEDED = (
    "No training job succeeded after {count} attempts. Please take a look at the training job failures to get more "
    "details."
)
_NO_METRIC = (
    "No objective metrics found after running {count} training jobs. Please ensure that the custom algorithm is "
    "emitting the objective metric as defined by the regular expression provided."
)


def verdict(job: Document) -> Document | None:
    """How the job is to end, as members of its document; None while it goes on."""
    if target_reached(job) or out_of_patience(job):
        return {"_end": "Completed"}
    ended = [trial for trial in job["_trials"] if trial["status"] in record.ENDED]
    return came_to_nothing(job) if len(ended) >= GIVE_UP else None


def target_reached(job: Document) -> bool:
    """TargetObjectiveMetricValue (API reference, TuningJobCompletionCriteria)."""
    target, top = _criteria(job).get("TargetObjectiveMetricValue"), record.best(job)
    if target is None or top is None:
        return False
    up = record.maximize(job, top["definition"])
    return bool(top["value"] >= target if up else top["value"] <= target)


def out_of_patience(job: Document) -> bool:
    """MaxNumberOfTrainingJobsNotImproving."""
    patience = (_criteria(job).get("BestObjectiveNotImproving") or {}).get("MaxNumberOfTrainingJobsNotImproving")
    return patience is not None and record.not_improving(job) >= patience


def came_to_nothing(job: Document) -> Document | None:
    """Failed, when no trial that has ended gave an objective."""
    ended = [trial for trial in job["_trials"] if trial["status"] in record.ENDED]
    if any(trial.get("value") is not None for trial in ended):
        return None
    failed = all(trial["status"] == "Failed" for trial in ended)
    text = _NONE_SUCCEEDED if failed else _NO_METRIC
    return {"_end": "Failed", "FailureReason": text.format(count=len(ended))}


def _criteria(job: Document) -> Document:
    found: Document = job["HyperParameterTuningJobConfig"].get("TuningJobCompletionCriteria") or {}
    return found
