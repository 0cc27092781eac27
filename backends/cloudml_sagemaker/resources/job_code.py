"""Job code: the folders in S3 that jobs start from, named by what they hold (`upload`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudml.plan import Resource
from cloudml_sagemaker.client import bucket_and_key
from cloudml_sagemaker.resources.kind import Kind, Live, Owned, World
from cloudml_sagemaker.upload import KIND, MARK, STEP, Builder, Uploader, mark

__all__ = ["JOB_CODE", "KIND", "brief", "recalled"]


def _read(world: World, resource: Resource) -> Live | None:
    """As declared when `step.json`, which is put last, lies there with its mark."""
    bucket, key = bucket_and_key(f"{resource.document['prefix'].rstrip('/')}/{STEP}")
    found = world.client.find("s3", "HeadObject", Bucket=bucket, Key=key)
    if found is None or found.get("Metadata", {}).get(MARK) != mark(resource.document["files"][STEP]):
        return None
    return Live(resource.document)


def _create(world: World, resource: Resource) -> None:
    """Put what is missing. Raises Refused when the code is no longer what was compiled."""
    uploader = world.memory.get(KIND)
    if uploader is None:
        builder = Builder(world.source, world.place.root)
        uploader = world.memory.setdefault(KIND, Uploader(world.client, builder, world.place.kms))
    uploader.put(resource.document)


def _update(world: World, resource: Resource, fields: tuple[str, ...]) -> None:
    """Another folder beside the old one, which runs of before still start from."""
    _create(world, resource)


def _delete(world: World, name: str) -> None:
    """Nothing: old runs start from it again when they are retried. `destroy` removes the folders of all jobs."""


def _owned(world: World) -> Iterator[Owned]:
    """None by tag: it lies below the target's prefix."""
    return iter(())


def brief(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document as it is remembered: where, and the mark of each file instead of what it was made of."""
    return {
        "prefix": document["prefix"],
        "files": {name: mark(wanted) for name, wanted in document["files"].items()},
    }


def recalled(remembered: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    """What was remembered, in the form of a document: a file that did not change is as desired."""
    files = {
        name: wanted if mark(wanted) == remembered.get("files", {}).get(name) else remembered["files"].get(name)
        for name, wanted in desired["files"].items()
    }
    return {"prefix": remembered.get("prefix", ""), "files": files}


JOB_CODE = Kind(KIND, _read, _create, _update, _delete, _owned)
