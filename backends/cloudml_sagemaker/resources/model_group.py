"""Model package groups: the registry's models. Their versions come from runs and are lost with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudml.plan import Resource
from cloudml_sagemaker.container.control.models import ALIAS
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources import tags
from cloudml_sagemaker.resources.kind import Kind, Live, Owned, World, reduced

KIND = "model_group"
_SAGEMAKER = "sagemaker"


def _arn(world: World, name: str) -> str:
    return world.place.arn("model-package-group", name)


def _read(world: World, resource: Resource) -> Live | None:
    """The description is as declared: no operation changes it. Aliases are people's, not a plan's."""
    found = world.client.find(_SAGEMAKER, "DescribeModelPackageGroup", ModelPackageGroupName=resource.name)
    if found is None:
        return None
    found_tags = tags.find_tags(world, _arn(world, resource.name))
    labels = tags.listed({key: value for key, value in found_tags.items() if not key.startswith(ALIAS)})
    document = reduced({**resource.document, "Tags": labels}, resource.document)
    status = found.get("ModelPackageGroupStatus", "Completed")
    wrong = status in ("Failed", "DeleteFailed")
    return Live(document, problem=f"its status is {status}" if wrong else "")


def _create(world: World, resource: Resource) -> None:
    try:
        world.client.call(_SAGEMAKER, "CreateModelPackageGroup", **resource.document)
    except AwsError as error:
        if error.kind != "exists":
            raise
        arn = _arn(world, resource.name)
        tags.refuse_foreign(world, f"the model package group {resource.name}", tags.sagemaker_tags(world, arn))
        _update(world, resource, ("Tags",))


def _update(world: World, resource: Resource, fields: tuple[str, ...]) -> None:
    tags.bring(world, _arn(world, resource.name), tags.plain(resource.document.get("Tags")), fields)


def _versions(world: World, name: str) -> Iterator[dict[str, Any]]:
    try:
        yield from world.client.pages(
            _SAGEMAKER, "ListModelPackages", "ModelPackageSummaryList", ModelPackageGroupName=name, MaxResults=100
        )
    except AwsError as error:
        if error.kind != "missing":
            raise


def _loses(world: World, name: str) -> str:
    count = sum(1 for _ in _versions(world, name))
    return f"{count} version{'s' if count != 1 else ''} of the model" if count else ""


def _delete(world: World, name: str) -> None:
    """The versions first: only an empty group can go (API reference, DeleteModelPackageGroup)."""
    for version in list(_versions(world, name)):
        _gone(world, "DeleteModelPackage", ModelPackageName=version["ModelPackageArn"])
    _gone(world, "DeleteModelPackageGroup", ModelPackageGroupName=name)


def _gone(world: World, operation: str, **request: Any) -> None:
    try:
        world.client.call(_SAGEMAKER, operation, **request)
    except AwsError as error:
        if error.kind != "missing":
            raise


def _owned(world: World) -> Iterator[Owned]:
    listing = ("ListModelPackageGroups", "ModelPackageGroupSummaryList")
    yield from tags.owned_of_sagemaker(
        world, listing, "ModelPackageGroupName", "ModelPackageGroupArn", **tags.containing(world)
    )


MODEL_GROUP = Kind(KIND, _read, _create, _update, _delete, _owned, data=True, loses=_loses)
