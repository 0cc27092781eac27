"""The repository of baked images: `cloudml build` makes it (`images.EcrImages.prepare`), destroy removes it."""

from __future__ import annotations

from collections.abc import Iterator

from cloudml.plan import Resource
from cloudml_sagemaker.images import repository_name
from cloudml_sagemaker.resources import tags
from cloudml_sagemaker.resources.kind import Kind, Live, Owned, World

KIND = "image_repository"


def _read(world: World, resource: Resource) -> Live | None:
    found = world.client.find("ecr", "DescribeRepositories", repositoryNames=[resource.name])
    return None if found is None else Live({"repositoryName": resource.name})


def _nothing(world: World, resource: Resource, fields: tuple[str, ...] = ()) -> None:
    """No pipeline declares a repository: there is nothing to make or change."""


def _delete(world: World, name: str) -> None:
    world.client.find("ecr", "DeleteRepository", repositoryName=name, force=True)


def _owned(world: World) -> Iterator[Owned]:
    """It has one name only; whether it is ours its tags say."""
    name = repository_name(world.place)
    found = world.client.find("ecr", "DescribeRepositories", repositoryNames=[name])
    for one in (found or {}).get("repositories", ()):
        told = world.client.call("ecr", "ListTagsForResource", resourceArn=one["repositoryArn"])
        if tags.is_ours(tags.plain(told.get("tags")), world.place):
            yield Owned(name)


REPOSITORY = Kind(KIND, _read, _nothing, _nothing, _delete, _owned, lost="the images in it", data=True)
