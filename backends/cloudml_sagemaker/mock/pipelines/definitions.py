"""Operations on pipelines and their versions."""

from __future__ import annotations

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import roles, s3, tags
from cloudml_sagemaker.mock.core.errors import conflict, validation
from cloudml_sagemaker.mock.core.listing import listed, page
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.pipelines import records, requests
from cloudml_sagemaker.mock.pipelines.definition import parse
from cloudml_sagemaker.mock.pipelines.definition.parse import LARGEST
from cloudml_sagemaker.mock.pipelines.kinds import KINDS
from cloudml_sagemaker.mock.pipelines.room import room_of

PIPELINE_QUOTA = 500
"""Pipelines an account (developer guide, quotas)."""

ALIASES = 10
"""Aliases a version (API reference, UpdatePipelineVersion)."""

_SETTINGS = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")


@operation("CreatePipeline", executes="the definition is read and checked whole")
def create_pipeline(call: Call) -> Parameters:
    """Keep a first version."""
    return requests.once(call, call.params["PipelineName"], lambda: _create(call))


def _create(call: Call) -> Document:
    name, table = call.params["PipelineName"], call.table(records.PIPELINES)
    if name in table:
        raise validation(
            "Pipeline names must be unique within an AWS account and region. "
            f"Pipeline with name ({name}) already exists."
        )
    requests.within_quota(call, lambda: len(table), PIPELINE_QUOTA, "Number of pipelines")
    roles.check(call, call.params["RoleArn"])
    text = _definition(call)
    if text is None:
        raise validation("Either PipelineDefinition or PipelineDefinitionS3Location must be specified.")
    # Of a deleted namesake only: whoever deletes this pipeline with the same token means this one.
    requests.forget(call, name)
    arn = call.arn(f"pipeline/{name}")
    document = {
        "PipelineArn": arn,
        "PipelineName": name,
        "PipelineDisplayName": name,
        "PipelineStatus": "Active",
        "CreationTime": call.now,
        "LastModifiedTime": call.now,
        **requests.given(call.params, *_SETTINGS),
        **requests.by(call, "CreatedBy", "LastModifiedBy"),
        "_version": 0,
    }
    tags.attach(call, arn)
    table.put(name, document)
    _new_version(call, document, text)
    return {"PipelineArn": arn}


@operation("UpdatePipeline", executes="another definition is read and checked whole, and becomes a new version")
def update_pipeline(call: Call) -> Parameters:
    """Change what is given; what runs goes on with the version it began with."""
    document = requests.pipeline(call, call.params["PipelineName"])
    if "RoleArn" in call.params:
        roles.check(call, call.params["RoleArn"])
    text = _definition(call)
    changes = text is not None and text != requests.version(call, document)["PipelineDefinition"]
    if call.params.get("PipelineVersionAliases") and not changes:
        raise validation("PipelineVersionAliases can be specified only when the pipeline definition changes.")
    if changes and text is not None:
        _new_version(call, document, text)
    document.update(requests.given(call.params, *_SETTINGS))
    document.update(LastModifiedTime=call.now, **requests.by(call, "LastModifiedBy"))
    call.table(records.PIPELINES).put(document["PipelineName"], document)
    return {"PipelineArn": document["PipelineArn"], "PipelineVersionId": document["_version"]}


def _definition(call: Call) -> str | None:
    """The definition that a request gives, checked; None when it gives none. Raises ValidationException."""
    text, place = call.params.get("PipelineDefinition"), call.params.get("PipelineDefinitionS3Location")
    if text is not None and place is not None:
        raise validation("Only one of PipelineDefinition and PipelineDefinitionS3Location can be specified.")
    if place is not None:
        text = _from_s3(call, place)
    if text is None:
        return None
    definition = parse(text, call.world.switches.in_force())
    unknown = sorted({step.type for step in definition.every.values()} - set(KINDS))
    if unknown:
        raise validation(f"Unable to parse pipeline definition. The mock runs no steps of type {', '.join(unknown)}")
    return str(text)


def _from_s3(call: Call, place: Document) -> str:
    from botocore.exceptions import ClientError

    request = {"Bucket": place["Bucket"], "Key": place["ObjectKey"], **requests.given(place, "VersionId")}
    uri = f"s3://{place['Bucket']}/{place['ObjectKey']}"
    try:
        answer = call.world.aws.client("s3", call.scope).get_object(**request)
        if answer["ContentLength"] > LARGEST:
            raise validation(f"The pipeline definition at {uri} is larger than {LARGEST} bytes.")
        return str(answer["Body"].read().decode())
    except ClientError as error:
        raise validation(
            f"The pipeline definition at {uri} cannot be read: {error.response['Error']['Code']}."
        ) from None
    except (UnicodeDecodeError, s3.S3Missing):
        raise validation(f"The pipeline definition at {uri} is not text.") from None


def _new_version(call: Call, document: Document, text: str) -> None:
    name, number = document["PipelineName"], document["_version"] + 1
    aliases = call.params.get("PipelineVersionAliases") or []
    _check_aliases(call, name, aliases, aliases)
    document["_version"] = number
    row = {
        "PipelineArn": document["PipelineArn"],
        "PipelineVersionId": number,
        "CreationTime": call.now,
        "PipelineDefinition": text,
        "PipelineVersionAliases": aliases,
    }
    call.table(records.VERSIONS).put(records.version_key(name, number), row)
    call.table(records.PIPELINES).put(name, document)


def _check_aliases(call: Call, name: str, new: list[str], whole: list[str]) -> None:
    """API reference, CreatePipeline: unique within the pipeline, not of numbers only, at most ten a version."""
    if len(set(whole)) != len(whole):
        raise validation("An alias can be specified only once.")
    if len(whole) > ALIASES:
        raise validation(f"A pipeline version can have up to {ALIASES} aliases.")
    for alias in new:
        if alias.isdigit():
            raise validation(f"The alias '{alias}' consists of numbers only.")
        if any(alias in row["PipelineVersionAliases"] for row in requests.versions(call, name)):
            raise conflict(f"The alias '{alias}' belongs to another version of the pipeline.")


@operation("DeletePipeline")
def delete_pipeline(call: Call) -> Parameters:
    """The pipeline and all its executions; refused while one runs."""
    name = call.params["PipelineName"]
    return requests.once(call, name, lambda: _delete(call, name))


def _delete(call: Call, name: str) -> Document:
    arn = requests.pipeline(call, name)["PipelineArn"]
    table = call.table(records.EXECUTIONS)
    mine = [row for row in table if row["PipelineArn"] == arn]
    if any(row["PipelineExecutionStatus"] in records.LIVE for row in mine):
        raise conflict(f"Pipeline '{arn}' has running executions; stop them before it is deleted.")
    for row in mine:
        execution = row["PipelineExecutionArn"]
        room_of(call.world).index.forget_all(call.table(records.STEPS), execution)
        table.delete(execution)
    for row in requests.versions(call, name):
        call.table(records.VERSIONS).delete(records.version_key(name, row["PipelineVersionId"]))
    for key in dict(call.table(records.CACHE).items()):
        if key.startswith(f"{name}/"):
            call.table(records.CACHE).delete(key)
    call.table(records.PIPELINES).delete(name)
    tags.detach(call, arn)
    requests.forget(call, name)
    return {"PipelineArn": arn}


@operation("DescribePipeline")
def describe_pipeline(call: Call) -> Parameters:
    """The newest version, or the one asked for."""
    document = requests.pipeline(call, call.params["PipelineName"])
    asked = call.params.get("PipelineVersionId"), call.params.get("PipelineVersionAlias")
    return {
        **document,
        **{key: value for key, value in requests.version(call, document, *asked).items() if key != "CreationTime"},
    }


@operation("ListPipelines")
def list_pipelines(call: Call) -> Parameters:
    """By name prefix and time of creation."""
    prefix = call.params.get("PipelineNamePrefix", "")
    rows = [row for row in call.table(records.PIPELINES) if row["PipelineName"].startswith(prefix)]
    if call.params.get("ManagedBy") == "AWS":
        rows = []
    return listed(
        call,
        rows,
        "PipelineSummaries",
        name="PipelineName",
        summary=lambda row: {**row, "LastExecutionTime": row.get("LastRunTime")},
    )


@operation("ListPipelineVersions")
def list_pipeline_versions(call: Call) -> Parameters:
    """The newest first."""
    document = requests.pipeline(call, call.params["PipelineName"])
    after, before = call.params.get("CreatedAfter"), call.params.get("CreatedBefore")
    rows = [
        row
        for row in requests.versions(call, document["PipelineName"])
        if (after is None or row["CreationTime"] > after) and (before is None or row["CreationTime"] < before)
    ]
    if call.params.get("SortOrder") != "Ascending":
        rows.reverse()
    return page(call, rows, "PipelineVersionSummaries")


@operation("UpdatePipelineVersion")
def update_pipeline_version(call: Call) -> Parameters:
    """Name, description and aliases of a version."""
    document = requests.pipeline(call, call.params["PipelineArn"])
    row = requests.version(call, document, call.params["PipelineVersionId"])
    changes = call.params.get("PipelineVersionAliasOperations") or {}
    removed, added = changes.get("Remove") or [], changes.get("Add") or []
    kept = [alias for alias in row["PipelineVersionAliases"] if alias not in removed]
    missing = [alias for alias in removed if alias not in row["PipelineVersionAliases"]]
    if missing:
        raise validation(f"The version does not have the alias '{missing[0]}'.")
    new = [alias for alias in added if alias not in kept and alias not in removed]
    _check_aliases(call, document["PipelineName"], new, kept + added)
    row["PipelineVersionAliases"] = kept + added
    row.update(requests.given(call.params, "PipelineVersionDisplayName", "PipelineVersionDescription"))
    call.table(records.VERSIONS).put(records.version_key(document["PipelineName"], row["PipelineVersionId"]), row)
    return {"PipelineArn": document["PipelineArn"], "PipelineVersionId": row["PipelineVersionId"]}
