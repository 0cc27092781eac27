"""The operations on transform jobs."""

from __future__ import annotations

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import tags
from cloudml_sagemaker.mock.core.errors import in_use, not_executed, not_found, validation
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.hosting.containers import definitions
from cloudml_sagemaker.mock.jobs.life import begin, runs
from cloudml_sagemaker.mock.transform.filters import Csv, FilterFailed, form, parse
from cloudml_sagemaker.mock.transform.job import KIND, STATUS, TransformRun
from cloudml_sagemaker.mock.transform.records import settings

_MOST_MEGABYTES = 100
"""MaxConcurrentTransforms times MaxPayloadInMB (API reference)."""


def _existing(call: Call) -> Document:
    name = call.params["TransformJobName"]
    job = call.table(KIND).get(name)
    if job is None:
        raise not_found(f"Could not find requested transform job with name: {name}")
    return job


@operation("CreateTransformJob", executes="the model's server, fed with every object")
def create_transform_job(call: Call) -> Parameters:
    """Start a job. Raises ResourceInUse for a name that is taken, ValidationException for what cannot work."""
    name = call.params["TransformJobName"]
    table = call.table(KIND)
    if name in table:
        arn = table[name]["TransformJobArn"]
        raise in_use(
            f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})"
        )
    _check_model(call)
    _check(call.params)
    arn = call.arn(f"transform-job/{name.lower()}")
    tags.attach(call, arn)
    kept = {key: value for key, value in call.params.items() if key != "Tags"}
    job = {**kept, "TransformJobArn": arn, STATUS: "", "CreationTime": call.now, "LastModifiedTime": call.now}
    table.put(name, job)
    call.world.change(table, name, STATUS, "InProgress")
    begin(TransformRun(call.world, call.scope, name))
    return {"TransformJobArn": arn}


def _check_model(call: Call) -> None:
    name = call.params["ModelName"]
    model = call.table("Model").get(name)
    if model is None:
        raise validation(f'Could not find model "{call.arn("model/" + name.lower())}".')
    containers = [container for _, container in definitions(model)]
    # API reference, ContainerDefinition: ModelDataSource does not go with batch transform.
    if any(container.get("ModelDataSource") for container in containers):
        raise validation(f"ModelDataSource (model {name}) is not supported for batch transform; use ModelDataUrl.")
    if any(container.get("Mode") == "MultiModel" for container in containers):
        raise validation(f"The model {name} holds many models (Mode MultiModel), which batch transform cannot run.")


def _check(request: Document) -> None:
    given = request["TransformInput"]
    source = given["DataSource"]["S3DataSource"]
    if source["S3DataType"] not in {"S3Prefix", "ManifestFile"}:
        raise not_executed(f"S3DataType {source['S3DataType']}", "use S3Prefix or ManifestFile")
    if given.get("SplitType", "None") not in {"None", "Line"}:
        raise not_executed(f"SplitType {given['SplitType']}", "use Line or None")
    for uri in (source["S3Uri"], request["TransformOutput"]["S3OutputPath"]):
        if not uri.startswith("s3://"):
            raise validation(f"{uri} is not an S3 URI.")
    if (request.get("DataCaptureConfig") or {}).get("GenerateInferenceId"):
        raise not_executed("GenerateInferenceId", "AWS does not publish how the ids stand in the output")
    payload = settings(request, {})["MaxPayloadInMB"]
    if payload > _MOST_MEGABYTES or payload * max(1, request.get("MaxConcurrentTransforms", 1)) > _MOST_MEGABYTES:
        raise validation(f"MaxConcurrentTransforms * MaxPayloadInMB must not exceed {_MOST_MEGABYTES} MB.")
    _check_processing(request)


def _check_processing(request: Document) -> None:
    processing = request.get("DataProcessing")
    if not processing:
        return
    types = (request["TransformInput"].get("ContentType", ""), request["TransformOutput"].get("Accept", ""))
    forms = [form(one) for one in types]
    for key, kind in zip(("InputFilter", "OutputFilter"), forms, strict=True):
        _check_path(processing.get(key) or "$", rows=kind is Csv)
    filtered = any(processing.get(key, "$") != "$" for key in ("InputFilter", "OutputFilter"))
    joined = processing.get("JoinSource", "None") == "Input"
    line = (request["TransformInput"].get("SplitType"), request["TransformOutput"].get("AssembleWith"))
    if forms == [Csv, Csv] and (filtered or joined) and line != ("Line", "Line"):
        # Developer guide, "Associate Prediction Results with Input Records".
        raise validation("To filter or join text/csv, SplitType and AssembleWith must both be Line.")
    if not joined:
        return
    if None in forms or forms[0] is not forms[1]:
        raise validation(
            "To join input and output, ContentType and Accept must both be text/csv, or both application/json or "
            f"application/jsonlines; they are {types[0] or 'not given'!r} and {types[1] or 'not given'!r}."
        )


def _check_path(path: str, *, rows: bool) -> None:
    try:
        steps = parse(path)
    except FilterFailed as wrong:
        raise validation(str(wrong)) from None
    if rows and any(step.names for step in steps):
        raise validation(f"{path!r} cannot be applied to text/csv: its columns have indexes, not names.")


@operation("DescribeTransformJob")
def describe_transform_job(call: Call) -> Parameters:
    """As it stands."""
    return _existing(call)


@operation("StopTransformJob", executes="the server is stopped; what is written stays")
def stop_transform_job(call: Call) -> Parameters:
    """Only a running job can be stopped."""
    job = _existing(call)
    run = runs(call.world).get((KIND, call.scope, job["TransformJobName"]))
    if run is None or not run.stop("stop"):
        raise validation(f"The request was rejected because the transform job is in status {job[STATUS]}.")
    return {}


@operation("ListTransformJobs")
def list_transform_jobs(call: Call) -> Parameters:
    """Newest first unless asked otherwise."""
    return listed(call, call.table(KIND), "TransformJobSummaries", name="TransformJobName", status=STATUS)
