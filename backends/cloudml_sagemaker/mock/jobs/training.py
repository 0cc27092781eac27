"""Training jobs: the operations."""

from __future__ import annotations

from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import roles, tags
from cloudml_sagemaker.mock.core.errors import AwsError, in_use, not_found, validation
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.jobs import rules
from cloudml_sagemaker.mock.jobs.life import begin, runs
from cloudml_sagemaker.mock.jobs.training_rules import check, check_data
from cloudml_sagemaker.mock.jobs.training_run import TrainingRun, transition

KIND = "TrainingJob"
DEFAULT_RUNTIME = 86_400
"""Seconds (API reference, StoppingCondition: the default is one day)."""
_MISSING = "Requested resource not found."


@operation("CreateTrainingJob", executes="runs the training container as a process: channels, model, checkpoints in S3")
def create_training_job(call: Call) -> Parameters:
    """Check, keep, queue."""
    params = call.params
    name = params["TrainingJobName"]
    arn = call.arn(f"training-job/{name}")
    rules.unique_name(call, KIND, name, arn)
    check(params)
    roles.check(call, params["RoleArn"])
    check_data(call)
    tags.attach(call, arn)
    stopping = {"MaxRuntimeInSeconds": DEFAULT_RUNTIME, **(params.get("StoppingCondition") or {})}
    document: Document = {
        **{key: value for key, value in params.items() if key != "Tags"},
        "StoppingCondition": stopping,
        "EnableNetworkIsolation": params.get("EnableNetworkIsolation", False),
        "EnableInterContainerTrafficEncryption": params.get("EnableInterContainerTrafficEncryption", False),
        "EnableManagedSpotTraining": params.get("EnableManagedSpotTraining", False),
        "TrainingJobArn": arn,
        "CreationTime": call.now,
        "LastModifiedTime": call.now,
    }
    document.update(transition(document, "Starting", call.now))
    table = call.table(KIND)
    table.put(name, document)
    call.world.change(table, name, "TrainingJobStatus", "InProgress")
    begin(TrainingRun(call.world, call.scope, name))
    return {"TrainingJobArn": arn}


def _found(call: Call, missing: AwsError) -> Document:
    document = call.table(KIND).get(call.params["TrainingJobName"])
    if document is None:
        raise missing
    return document


@operation("DescribeTrainingJob")
def describe_training_job(call: Call) -> Parameters:
    """The document. AWS refuses an unknown job as ValidationException, unlike what its model says (aws-sdk #165)."""
    return _found(call, validation(_MISSING))


@operation("StopTrainingJob", executes="SIGTERM to the process, after 120 s SIGKILL; the model it left is uploaded")
def stop_training_job(call: Call) -> None:
    """Begin to stop."""
    document = _found(call, validation(_MISSING))
    run = runs(call.world).get((KIND, call.scope, call.params["TrainingJobName"]))
    if run is None or not run.stop("stop"):
        raise _status(document)


def _status(document: Document) -> AwsError:
    status = document["TrainingJobStatus"]
    return validation(f"The request was rejected because the training job is in status {status}.")


@operation("UpdateTrainingJob")
def update_training_job(call: Call) -> Parameters:
    """Profiler, warm pool and remote debug settings of a job that runs; they are kept, and change nothing here."""
    document = _found(call, not_found(_MISSING))
    params = call.params
    if document["TrainingJobStatus"] != "InProgress":
        raise _status(document)
    if "ResourceConfig" in params and "KeepAlivePeriodInSeconds" not in document["ResourceConfig"]:
        raise validation("KeepAlivePeriodInSeconds can only be updated for a job that was created with a warm pool.")
    for member in ("ProfilerConfig", "ResourceConfig", "RemoteDebugConfig"):
        if member in params:
            document[member] = {**(document.get(member) or {}), **params[member]}
    if "ProfilerRuleConfigurations" in params:
        document["ProfilerRuleConfigurations"] = params["ProfilerRuleConfigurations"]
    document["LastModifiedTime"] = call.now
    call.table(KIND).put(document["TrainingJobName"], document)
    return {"TrainingJobArn": document["TrainingJobArn"]}


@operation("DeleteTrainingJob")
def delete_training_job(call: Call) -> None:
    """Forget a job that has ended; its name is free again."""
    document = _found(call, not_found(_MISSING))
    if document["TrainingJobStatus"] not in rules.FINAL:
        raise in_use(_status(document).message)
    tags.detach(call, document["TrainingJobArn"])
    call.table(KIND).delete(document["TrainingJobName"])


@operation("ListTrainingJobs")
def list_training_jobs(call: Call) -> Parameters:
    """By name, times and status. With MaxResults the status filters each page after it was cut, as AWS documents it."""
    params = call.params
    cut = "StatusEquals" in params and "MaxResults" in params
    plan = params.get("TrainingPlanArnEquals")
    pool = params.get("WarmPoolStatusEquals")
    rows = [
        row
        for row in call.table(KIND)
        if (plan is None or (row.get("ResourceConfig") or {}).get("TrainingPlanArn") == plan)
        and (pool is None or (row.get("WarmPoolStatus") or {}).get("Status") == pool)
    ]
    answer: dict[str, Any] = listed(
        call,
        rows,
        "TrainingJobSummaries",
        name="TrainingJobName",
        status=None if cut else "TrainingJobStatus",
        sorts={"Status": "TrainingJobStatus"},
    )
    if cut:
        found = answer["TrainingJobSummaries"]
        answer["TrainingJobSummaries"] = [row for row in found if row["TrainingJobStatus"] == params["StatusEquals"]]
    return answer
