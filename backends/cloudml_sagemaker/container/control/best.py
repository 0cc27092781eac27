"""The best trial of a tuning job, whose outputs become the step's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloudml.jobs import sources, trial
from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import Made
from cloudml.jobs.control.best import Trial, adopted, choose
from cloudml_sagemaker.container.control.aws import client, download

_STATES = {"Completed": "succeeded", "Stopped": "pruned", "Failed": "failed"}
"""What a training job's status means for a trial: early stopping stops it."""


def best(action: Document, context: Context) -> Made:
    """The outputs of the best trial, its parameters and value, and the table of all trials.

    Raises Refused: no trial ended with a value, or more failed than the step survives.
    """
    found = trials(context.values.json(action["tuning"]), action)
    chosen = choose(found, action)
    outputs, result = _fetch(chosen, context)
    return adopted(chosen, found, outputs, result["values"], action, context)


def trials(name: str, action: Document) -> list[Trial]:
    """Every trial by its number; those that only repeat another's point are left out."""
    pages = (
        client("sagemaker")
        .get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
        .paginate(HyperParameterTuningJobName=name, SortBy="CreationTime", SortOrder="Ascending")
    )
    summaries = [one for page in pages for one in page["TrainingJobSummaries"]]
    points = action.get("points")
    found = []
    for order, summary in enumerate(summaries):
        tuned = summary.get("TunedHyperParameters", {})
        number = trial.number(action, tuned)
        if points is not None and number is not None and number >= len(points):
            continue
        found.append(_trial(order if number is None else number, summary, trial.parameters(action, tuned)))
    return sorted(found, key=lambda one: one.number)


def _trial(number: int, summary: Mapping[str, Any], parameters: dict[str, Any]) -> Trial:
    metric = summary.get("FinalHyperParameterTuningJobObjectiveMetric", {})
    state = _STATES.get(summary["TrainingJobStatus"], "failed")
    value = metric.get("Value") if state == "succeeded" else None
    return Trial(number, summary["TrainingJobName"], state, value, parameters, summary.get("FailureReason", ""))


def _fetch(chosen: Trial, context: Context) -> tuple[dict[str, sources.Stored], dict[str, Any]]:
    """The artifacts of a trial, and its result."""
    job = client("sagemaker").describe_training_job(TrainingJobName=chosen.job)
    archive = context.folder("best") / sources.ARCHIVE
    download(job["ModelArtifacts"]["S3ModelArtifacts"], archive)
    folder = context.folder("best", "unpacked")
    sources.unpack(archive, folder)
    result = json.loads((folder / "result" / "result.json").read_bytes())
    places = sorted(one.parent for one in folder.glob(f"*/{sources.RECORD}"))
    return {one.name: one for one in map(sources.read, places)}, result
