"""The operations on tuning jobs."""

from __future__ import annotations

import copy
from dataclasses import replace

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import roles, tags
from cloudml_sagemaker.mock.core.errors import in_use, not_found, validation
from cloudml_sagemaker.mock.core.listing import listed, page
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.jobs.training_rules import check as check_training
from cloudml_sagemaker.mock.jobs.training_rules import check_data
from cloudml_sagemaker.mock.tuning import record, rules, warmstart
from cloudml_sagemaker.mock.tuning.driver import KIND, STATUS

_KEPT = ("HyperParameterTuningJobName", "HyperParameterTuningJobConfig", "TrainingJobDefinition",
         "TrainingJobDefinitions", "WarmStartConfig", "Autotune")  # fmt: skip
_SORTS = {"Name": "TrainingJobName", "Status": "TrainingJobStatus", "CreationTime": "CreationTime"}


def _existing(call: Call) -> Document:
    """Names are not case sensitive (API reference); ARNs, from which clients take them, are in lower case."""
    name = call.params["HyperParameterTuningJobName"]
    table = call.table(KIND)
    job = table.get(name) or next((row for known, row in table.items() if known.lower() == name.lower()), None)
    if job is None:
        raise not_found(f"Amazon SageMaker can't find a tuning job with the name {name}.")
    return job


@operation("CreateHyperParameterTuningJob", executes="trials as training jobs; points by Optuna")
def create_tuning_job(call: Call) -> Parameters:
    """Start tuning. The name is unique whatever its case (API reference)."""
    name = call.params["HyperParameterTuningJobName"]
    table = call.table(KIND)
    if any(known.lower() == name.lower() for known, _ in table.items()):
        raise in_use(f"A hyperparameter tuning job with the name {name} already exists in this account and region.")
    rules.check(call.params)
    for index, definition in enumerate(rules.definitions(call.params)):
        roles.check(call, definition["RoleArn"])
        _check_trial(call, index)
    parents = warmstart.parents(table, call.params)
    arn = call.arn(f"hyper-parameter-tuning-job/{name.lower()}")
    tags.attach(call, arn)
    job: Document = {key: copy.deepcopy(call.params[key]) for key in _KEPT if key in call.params}
    job.update({"HyperParameterTuningJobArn": arn, STATUS: "", "CreationTime": call.now, "_trials": []})
    job["_tags"] = call.params.get("Tags") or []
    warmstart.inherit(job, parents)
    for definition in rules.definitions(job):
        # AWS shows the objective's name among the static hyperparameters; each trial is given it there.
        static = definition.setdefault("StaticHyperParameters", {})
        static[record.OBJECTIVE] = rules.objective(job, definition)["MetricName"]
    record.refresh(job, call.now)
    table.put(name, job)
    call.world.change(table, name, STATUS, "InProgress")
    call.world.rooms["tuning"].begin(table, name)
    return {"HyperParameterTuningJobArn": arn}


def _check_trial(call: Call, index: int) -> None:
    """Refuse what would be refused of every trial."""
    trial = replace(call, params=record.training_request(call.params, index, "trial", {}))
    check_training(trial.params)
    check_data(trial)


@operation("DescribeHyperParameterTuningJob")
def describe_tuning_job(call: Call) -> Parameters:
    """Counters and best job are live."""
    return _existing(call)


@operation("StopHyperParameterTuningJob", executes="stops every running trial")
def stop_tuning_job(call: Call) -> Parameters:
    """Only a running job can be stopped."""
    job = _existing(call)
    if job[STATUS] != "InProgress":
        raise validation(f"The request was rejected because the tuning job is in status {job[STATUS]}.")
    call.world.rooms["tuning"].stop(call.table(KIND), job["HyperParameterTuningJobName"])
    return {}


@operation("DeleteHyperParameterTuningJob")
def delete_tuning_job(call: Call) -> Parameters:
    """A job that runs cannot be deleted; its training jobs stay."""
    job = _existing(call)
    if job[STATUS] in {"InProgress", "Stopping"}:
        raise validation(f"The tuning job cannot be deleted while it is in status {job[STATUS]}.")
    call.table(KIND).delete(job["HyperParameterTuningJobName"])
    tags.detach(call, job["HyperParameterTuningJobArn"])
    return {}


@operation("ListHyperParameterTuningJobs")
def list_tuning_jobs(call: Call) -> Parameters:
    """By name, ascending, unless asked otherwise (API reference)."""
    call = replace(call, params={"SortBy": "Name", **call.params})
    return listed(
        call,
        call.table(KIND),
        "HyperParameterTuningJobSummaries",
        name="HyperParameterTuningJobName",
        status=STATUS,
        descending=False,
        summary=lambda job: {
            **job,
            "Strategy": job["HyperParameterTuningJobConfig"]["Strategy"],
            "ResourceLimits": job["HyperParameterTuningJobConfig"]["ResourceLimits"],
        },
    )


@operation("ListTrainingJobsForHyperParameterTuningJob")
def list_trials(call: Call) -> Parameters:
    """Sorted by name, creation time, status or final objective (best first when descending)."""
    job = _existing(call)
    wanted = call.params.get("StatusEquals")
    rows = [record.summary(job, trial) for trial in job["_trials"] if wanted in {None, trial["status"]}]
    by = call.params.get("SortBy", "Name")
    down = call.params.get("SortOrder", "Ascending") == "Descending"
    if by == "FinalObjectiveMetricValue":
        # Only jobs that have a value are told then (API reference).
        rows = [row for row in rows if "FinalHyperParameterTuningJobObjectiveMetric" in row]
        rows.sort(key=lambda row: row["FinalHyperParameterTuningJobObjectiveMetric"]["Value"], reverse=down)
    else:
        field = _SORTS[by]
        rows.sort(key=lambda row: row[field], reverse=down)
    return page(call, rows, "TrainingJobSummaries")
