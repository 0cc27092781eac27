"""Tags: how cloudml knows its own things again, and how those of SageMaker's are read and brought up to date."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cloudml.errors import Refused
from cloudml.remote.parallel import in_parallel
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources.kind import Owned, World
from cloudml_sagemaker.target import Place

PROJECT, TARGET, PIPELINE = "cloudml:project", "cloudml:target", "cloudml:pipeline"

_STEM = 40
"""Characters of a name that no shortening reaches: what is put behind a stem has fewer than 23."""


def plain(tags: Iterable[Mapping[str, str]] | Mapping[str, str] | None) -> dict[str, str]:
    """Tags as a table, from AWS's list of keys and values or from a table."""
    if tags is None:
        return {}
    if isinstance(tags, Mapping):
        return dict(tags)
    return {str(one["Key"]): str(one["Value"]) for one in tags}


def listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """A table as AWS's list, in order of the keys."""
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def is_ours(tags: Mapping[str, str], place: Place) -> bool:
    """Whether the tags are those of this project and target, to the letter."""
    return tags.get(PROJECT) == place.project and tags.get(TARGET) == place.target


def refuse_foreign(world: World, what: str, tags: Mapping[str, str]) -> None:
    """Raises Refused (CML534) when something that is there already is not this project's and target's."""
    if not is_ours(tags, world.place):
        raise Refused(
            f"{what} is there already, and it does not belong to project {world.place.project}, "
            f"target {world.place.target}",
            code="CML534",
            hint="cloudml never takes over what it did not make: rename one of the two, or remove the other",
        )


def stem(place: Place) -> str:
    """What every name of this target begins with, whether it was shortened and hashed or not (see `names.resource`).

    May be empty. Others' names may begin so too: only tags tell whose a thing is.
    """
    joined = re.sub(r"[^a-z0-9]+", "-", f"{place.project}-{place.target}".lower()).strip("-")
    if re.search(r"[^a-z0-9]", place.project):  # always hashed, hence always cleaned
        return joined[:_STEM].rstrip("-")
    return place.project[:_STEM]


def sagemaker_tags(world: World, arn: str) -> dict[str, str]:
    """The tags of something of SageMaker's. Raises AwsError."""
    return plain(world.client.pages("sagemaker", "ListTags", "Tags", ResourceArn=arn))


def find_tags(world: World, arn: str) -> dict[str, str]:
    """The same; none for what vanished meanwhile."""
    try:
        return sagemaker_tags(world, arn)
    except AwsError as error:
        if error.kind == "missing":
            return {}
        raise


def bring(world: World, arn: str, wanted: Mapping[str, str], fields: tuple[str, ...]) -> None:
    """Set the tags of something of SageMaker's, and remove those that `fields` (`Tags.<key>`) tell to be too many."""
    if not any(path == "Tags" or path.startswith("Tags.") for path in fields):
        return
    if wanted:
        world.client.call("sagemaker", "AddTags", ResourceArn=arn, Tags=listed(wanted))
    gone = superfluous(wanted, fields, "Tags")
    if gone:
        world.client.call("sagemaker", "DeleteTags", ResourceArn=arn, TagKeys=gone)


def superfluous(wanted: Mapping[str, str], fields: Iterable[str], member: str) -> list[str]:
    """Keys of tags that are there and no longer wanted, by the paths of a comparison."""
    paths = [path.removeprefix(f"{member}.") for path in fields if path.startswith(f"{member}.")]
    return [path for path in paths if path not in wanted and path.removesuffix(".Value") not in wanted]


def owned_of_sagemaker(
    world: World, listing: tuple[str, str], name: str, arn: str, /, **request: Any
) -> Iterator[Owned]:
    """What of a List operation (operation, member of its answer) bears our tags; `name`, `arn`: members of an item."""
    found = list(world.client.pages("sagemaker", *listing, **request))
    for item, tags in zip(found, in_parallel(lambda one: find_tags(world, one[arn]), found), strict=True):
        if is_ours(tags, world.place):
            yield Owned(item[name], tags.get(PIPELINE, ""))


def containing(world: World) -> dict[str, Any]:
    """`NameContains` of a List operation, when there is something that every name of ours contains."""
    found = stem(world.place)
    return {"NameContains": found} if found else {}
