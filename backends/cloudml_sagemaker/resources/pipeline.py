"""Pipelines: the definition inline while it is small, else in S3 under the name of its digest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cloudml.plan import Resource
from cloudml.plan.resource import canonical, digest_of
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources import executions, tags
from cloudml_sagemaker.resources.kind import Kind, Live, Owned, World, reduced

KIND = "pipeline"
LARGEST_INLINE = 100 * 1024
"""Bytes. AWS's SDK puts larger definitions to S3 (`Pipeline.upsert`); the service takes 1 MB either way."""

UNBOUNDED = 10_000
"""Steps at once where no bound is declared any more: UpdatePipeline cannot take the setting away."""

_SAGEMAKER = "sagemaker"
_PARALLELISM, _DESCRIPTION = "ParallelismConfiguration", "PipelineDescription"
_APART = frozenset({"Tags", "definition"})
"""Members of the document that are not sent as they are."""


def _arn(world: World, name: str) -> str:
    return world.place.arn("pipeline", name)


def _read(world: World, resource: Resource) -> Live | None:
    found = world.client.find(_SAGEMAKER, "DescribePipeline", PipelineName=resource.name)
    if found is None:
        return None
    labels = tags.listed(tags.find_tags(world, _arn(world, resource.name)))
    document = reduced({**found, "Tags": labels}, resource.document)
    document["definition"] = _definition(found.get("PipelineDefinition", ""))
    by, at = found.get("LastModifiedBy", {}), found.get("LastModifiedTime")
    status = found.get("PipelineStatus", "Active")
    return Live(
        document,
        changed_by=by.get("IamIdentity", {}).get("Arn") or by.get("UserProfileArn") or "",
        changed_at=at.isoformat(timespec="seconds") if at else "",
        problem="" if status == "Active" else f"its status is {status}",
    )


def _definition(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _request(world: World, document: dict[str, Any]) -> dict[str, Any]:
    """What Create and Update have in common."""
    settings = {key: value for key, value in document.items() if key not in _APART}
    text = canonical(document["definition"])
    if len(text.encode()) <= LARGEST_INLINE:
        return {**settings, "PipelineDefinition": text}
    key = f"{world.place.prefix}/definitions/{digest_of(document['definition']).removeprefix('sha256:')}.json"
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": world.place.kms} if world.place.kms else {}
    world.client.call("s3", "PutObject", Bucket=world.place.bucket, Key=key, Body=text.encode(), **encryption)
    return {**settings, "PipelineDefinitionS3Location": {"Bucket": world.place.bucket, "ObjectKey": key}}


def _create(world: World, resource: Resource) -> None:
    request = _request(world, resource.document)
    try:
        world.client.call(_SAGEMAKER, "CreatePipeline", **request, Tags=resource.document.get("Tags", []))
    except AwsError as error:
        if error.kind != "exists":
            raise
        labels = tags.sagemaker_tags(world, _arn(world, resource.name))
        tags.refuse_foreign(world, f"the pipeline {resource.name}", labels)
        _update(world, resource, tuple(resource.document))


def _update(world: World, resource: Resource, fields: tuple[str, ...]) -> None:
    """A new version of the definition; runs that are under way go on with theirs."""
    changed = {path.partition(".")[0] for path in fields}
    if changed - {"Tags"}:
        request = _request(world, resource.document)
        if _DESCRIPTION in changed:
            request.setdefault(_DESCRIPTION, "")
        if _PARALLELISM in changed:
            request.setdefault(_PARALLELISM, {"MaxParallelExecutionSteps": UNBOUNDED})
        world.client.call(_SAGEMAKER, "UpdatePipeline", **request)
    tags.bring(world, _arn(world, resource.name), tags.plain(resource.document.get("Tags")), fields)


def _delete(world: World, name: str) -> None:
    """With its runs, which are stopped first (API reference, DeletePipeline)."""
    executions.stop_all(world, name)
    world.client.find(_SAGEMAKER, "DeletePipeline", PipelineName=name)


def _loses(world: World, name: str) -> str:
    count = len(executions.of(world, name))
    return f"the record of {count} run{'s' if count != 1 else ''}" if count else ""


def _owned(world: World) -> Iterator[Owned]:
    prefix = tags.stem(world.place)
    more: dict[str, Any] = {"PipelineNamePrefix": prefix} if prefix else {}
    listing = ("ListPipelines", "PipelineSummaries")
    yield from tags.owned_of_sagemaker(world, listing, "PipelineName", "PipelineArn", **more)


PIPELINE = Kind(KIND, _read, _create, _update, _delete, _owned, loses=_loses)
