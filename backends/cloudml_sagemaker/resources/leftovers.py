"""What runs make and no plan speaks of: models, endpoint configurations and the definitions of native monitors, found
by their tags; objects in S3."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cloudml.errors import StateError
from cloudml.remote import state
from cloudml.remote.parallel import in_parallel
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources import tags
from cloudml_sagemaker.resources.kind import Owned, World

CODE = ("jobs", "definitions", "state")
"""Folders below the prefix that can be made again from the project."""

DATA = ("runs", "inputs", "checkpoints", "models", "capture", "monitors", "endpoints")
"""Folders below the prefix that runs and endpoints filled, and what was given to runs."""

_BATCH = 1000
"""Objects a request (S3 API reference, DeleteObjects)."""


@dataclass(frozen=True)
class Pile:
    """Everything below one folder of the prefix. Counts versions and delete markers too."""

    name: str
    keys: tuple[tuple[str, str], ...]
    """Key and version; the version is empty where only keys can be listed."""


def owned_models(world: World) -> Iterator[Owned]:
    """Models that endpoints of this target were made of."""
    listing = ("ListModels", "Models")
    yield from tags.owned_of_sagemaker(world, listing, "ModelName", "ModelArn", **tags.containing(world))


def delete_model(world: World, name: str) -> None:
    """Missing is no error."""
    world.client.find("sagemaker", "DeleteModel", ModelName=name)


def owned_configs(world: World) -> Iterator[Owned]:
    """Endpoint configurations, the earlier ones too."""
    listing = ("ListEndpointConfigs", "EndpointConfigs")
    name, arn = "EndpointConfigName", "EndpointConfigArn"
    yield from tags.owned_of_sagemaker(world, listing, name, arn, **tags.containing(world))


def delete_config(world: World, name: str) -> None:
    """Missing is no error. Never one that an endpoint still uses: endpoints go first."""
    world.client.find("sagemaker", "DeleteEndpointConfig", EndpointConfigName=name)


def owned_definitions(world: World) -> Iterator[Owned]:
    """Definitions of native monitors without their schedules: something was cut off between the two."""
    listing = ("ListDataQualityJobDefinitions", "JobDefinitionSummaries")
    name, arn = "MonitoringJobDefinitionName", "MonitoringJobDefinitionArn"
    yield from tags.owned_of_sagemaker(world, listing, name, arn, **tags.containing(world))


def delete_definition(world: World, name: str) -> None:
    """Missing is no error. Their schedules go first, and take them along."""
    world.client.find("sagemaker", "DeleteDataQualityJobDefinition", JobDefinitionName=name)


def piles(world: World, folders: Iterable[str]) -> list[Pile]:
    """The folders that hold anything. What lies below another target's mark inside of them is left out."""

    def pile(folder: str) -> Pile:
        return Pile(folder, tuple(_objects(world, f"{world.place.prefix}/{folder}/")))

    found = in_parallel(pile, folders)
    return [one for one in found if one.keys]


def remove(world: World, keys: Iterable[tuple[str, str]]) -> None:
    """Delete objects. Raises AwsError, StateError when S3 refuses single ones; the others are gone then."""
    refused: list[dict[str, Any]] = []
    every = list(keys)
    for start in range(0, len(every), _BATCH):
        batch = every[start : start + _BATCH]
        named = [{"Key": key, **({"VersionId": version} if version else {})} for key, version in batch]
        answer = world.client.call(
            "s3", "DeleteObjects", Bucket=world.place.bucket, Delete={"Objects": named, "Quiet": True}
        )
        refused += answer.get("Errors", ())
    if refused:
        first = refused[0]
        raise StateError(
            f"{len(refused)} object(s) could not be deleted: {first.get('Key')}: {first.get('Code')}",
            hint=str(first.get("Message", "")),
        )


def owner_mark(world: World) -> list[tuple[str, str]]:
    """The mark of the prefix, with all its versions."""
    key = f"{world.place.prefix}/{state.OWNER}"
    return [one for one in _listed(world, key) if one[0] == key]


def _objects(world: World, prefix: str) -> Iterator[tuple[str, str]]:
    found = list(_listed(world, prefix))
    others = [key.removesuffix(state.OWNER) for key, _ in found if key.endswith(f"/{state.OWNER}")]
    ours = (world.place.project, world.place.target)
    foreign = tuple(
        folder
        for folder in dict.fromkeys(others)
        if state.owner_at(world, f"{folder}{state.OWNER}") not in (None, ours)
    )
    yield from (one for one in found if not one[0].startswith(foreign))


def _listed(world: World, prefix: str) -> Iterator[tuple[str, str]]:
    """Every version of every object, and the markers of deleted ones; only keys where versions may not be listed."""
    request: dict[str, Any] = {"Bucket": world.place.bucket, "Prefix": prefix}
    try:
        for member in ("Versions", "DeleteMarkers"):
            for one in world.client.pages("s3", "ListObjectVersions", member, **request):
                yield one["Key"], one["VersionId"]
    except AwsError as error:
        if error.kind == "missing":
            return
        if error.kind != "denied":
            raise
        for one in world.client.pages("s3", "ListObjectsV2", "Contents", **request):
            yield one["Key"], ""
