"""Processing jobs: the operations, and what they refuse (API reference, CreateProcessingJob and its types)."""

from __future__ import annotations

from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import roles, tags
from cloudml_sagemaker.mock.core.errors import AwsError, in_use, validation
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.jobs import rules
from cloudml_sagemaker.mock.jobs.life import begin, runs
from cloudml_sagemaker.mock.jobs.processing_run import PREFIX, ProcessingRun

KIND = "ProcessingJob"
DEFAULT_RUNTIME = 86_400
"""Seconds (API reference, ProcessingStoppingCondition: the default is one day)."""


@operation("CreateProcessingJob", executes="runs the container's command as a process, its inputs and outputs in S3")
def create_processing_job(call: Call) -> Parameters:
    """Check, keep, queue."""
    params = call.params
    name = params["ProcessingJobName"]
    arn = call.arn(f"processing-job/{name}")
    rules.unique_name(call, KIND, name, arn)
    _check(params)
    roles.check(call, params["RoleArn"])
    tags.attach(call, arn)
    document: Document = {
        **{key: value for key, value in params.items() if key != "Tags"},
        "StoppingCondition": params.get("StoppingCondition") or {"MaxRuntimeInSeconds": DEFAULT_RUNTIME},
        "ProcessingJobArn": arn,
        "CreationTime": call.now,
        "LastModifiedTime": call.now,
    }
    table = call.table(KIND)
    table.put(name, document)
    call.world.change(table, name, "ProcessingJobStatus", "InProgress")
    begin(ProcessingRun(call.world, call.scope, name))
    return {"ProcessingJobArn": arn}


def _check(params: Document) -> None:
    rules.instances(params["ProcessingResources"]["ClusterConfig"], "ClusterConfig")
    inputs: list[Document] = params.get("ProcessingInputs") or []
    outputs: list[Document] = (params.get("ProcessingOutputConfig") or {}).get("Outputs") or []
    rules.distinct((one["InputName"] for one in inputs), "ProcessingInput names")
    rules.distinct((one["OutputName"] for one in outputs), "ProcessingOutput names")
    for one in inputs:
        _check_input(one)
    for one in outputs:
        _check_output(one)


def _check_input(given: Document) -> None:
    what = f"ProcessingInput {given['InputName']}"
    if rules.only_one(given, ("S3Input", "DatasetDefinition"), what) == "DatasetDefinition":
        definition = given["DatasetDefinition"]
        kinds = ("AthenaDatasetDefinition", "RedshiftDatasetDefinition")
        raise rules.not_executed(f"the {rules.only_one(definition, kinds, what)} of {what}")
    source = given["S3Input"]
    rules.s3_uri(source["S3Uri"], what)
    if given.get("AppManaged"):
        return
    rules.local_path(source.get("LocalPath"), PREFIX, what)
    if not source.get("S3InputMode"):
        raise validation(f"{what} must have an S3InputMode unless it is managed by the application.")
    if source["S3InputMode"] == "Pipe":
        raise rules.not_executed(f"S3InputMode Pipe of {what}")
    if source.get("S3CompressionType") == "Gzip":
        raise validation(f"S3CompressionType Gzip of {what} can only be used with S3InputMode Pipe.")


def _check_output(given: Document) -> None:
    what = f"ProcessingOutput {given['OutputName']}"
    if rules.only_one(given, ("S3Output", "FeatureStoreOutput"), what) == "FeatureStoreOutput":
        if not given.get("AppManaged"):
            raise validation(f"The FeatureStoreOutput of {what} is only supported when AppManaged is true.")
        return
    rules.s3_uri(given["S3Output"]["S3Uri"], what)
    if not given.get("AppManaged"):
        rules.local_path(given["S3Output"].get("LocalPath"), PREFIX, what)


def _found(call: Call, missing: str) -> Document:
    name = call.params["ProcessingJobName"]
    document = call.table(KIND).get(name)
    if document is None:
        raise validation(f"{missing}: {name}")
    return document


@operation("DescribeProcessingJob")
def describe_processing_job(call: Call) -> Parameters:
    """The document. AWS refuses an unknown job as ValidationException, unlike what its model says."""
    return _found(call, "Could not find requested job with name")


@operation("StopProcessingJob", executes="SIGTERM to the process, after 120 s SIGKILL")
def stop_processing_job(call: Call) -> None:
    """Begin to stop."""
    document = _found(call, "Could not find job to update with name")
    run = runs(call.world).get((KIND, call.scope, call.params["ProcessingJobName"]))
    if run is None or not run.stop("stop"):
        raise _status(document)


def _status(document: Document) -> AwsError:
    status = document["ProcessingJobStatus"]
    return validation(f"The request was rejected because the processing job is in status {status}.")


@operation("DeleteProcessingJob")
def delete_processing_job(call: Call) -> None:
    """Forget a job that has ended; its name is free again."""
    document = call.table(KIND).get(call.params["ProcessingJobName"])
    if document is None:
        raise AwsError("ResourceNotFound", "Requested resource not found.")
    if document["ProcessingJobStatus"] not in rules.FINAL:
        raise in_use(_status(document).message)
    tags.detach(call, document["ProcessingJobArn"])
    call.table(KIND).delete(call.params["ProcessingJobName"])


@operation("ListProcessingJobs")
def list_processing_jobs(call: Call) -> Parameters:
    """By name, times and status."""
    found: dict[str, Any] = listed(
        call,
        call.table(KIND),
        "ProcessingJobSummaries",
        name="ProcessingJobName",
        status="ProcessingJobStatus",
    )
    return found
