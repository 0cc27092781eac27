"""Schedules of EventBridge Scheduler. They bear no tags; the group that those of a target lie in does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from cloudml.plan import Resource
from cloudml.remote.parallel import in_parallel
from cloudml_sagemaker import names
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources import tags
from cloudml_sagemaker.resources.kind import Kind, Live, Owned, World, reduced

GROUP, KIND = "schedule_group", "schedule"
_SCHEDULER = "scheduler"
_PAUSE, _PAUSES = 2.0, 60
"""Seconds and times: a group is DELETING until Scheduler has removed its schedules."""


def _group(world: World, name: str) -> dict[str, Any] | None:
    """A group that is not about to go."""
    found = world.client.find(_SCHEDULER, "GetScheduleGroup", Name=name)
    return None if found is None or found.get("State") == "DELETING" else found


def _group_tags(world: World, arn: str) -> dict[str, str]:
    found = world.client.find(_SCHEDULER, "ListTagsForResource", ResourceArn=arn)
    return tags.plain((found or {}).get("Tags"))


def _read_group(world: World, resource: Resource) -> Live | None:
    found = _group(world, resource.name)
    if found is None:
        return None
    live = {"Name": resource.name, "Tags": tags.listed(_group_tags(world, found["Arn"]))}
    return Live(reduced(live, resource.document))


def _create_group(world: World, resource: Resource) -> None:
    for _ in range(_PAUSES):
        found = world.client.find(_SCHEDULER, "GetScheduleGroup", Name=resource.name)
        if found is None or found.get("State") != "DELETING":
            break
        time.sleep(_PAUSE)
    if found is None:
        try:
            world.client.call(_SCHEDULER, "CreateScheduleGroup", **resource.document)
        except AwsError as error:
            if error.kind not in ("exists", "conflict"):
                raise
        else:
            return
        found = world.client.call(_SCHEDULER, "GetScheduleGroup", Name=resource.name)
    tags.refuse_foreign(world, f"the schedule group {resource.name}", _group_tags(world, found["Arn"]))
    _update_group(world, resource, ("Tags",))


def _update_group(world: World, resource: Resource, fields: tuple[str, ...]) -> None:
    arn = world.client.call(_SCHEDULER, "GetScheduleGroup", Name=resource.name)["Arn"]
    wanted = tags.plain(resource.document.get("Tags"))
    if wanted:
        world.client.call(_SCHEDULER, "TagResource", ResourceArn=arn, Tags=tags.listed(wanted))
    gone = tags.superfluous(wanted, fields, "Tags")
    if gone:
        world.client.call(_SCHEDULER, "UntagResource", ResourceArn=arn, TagKeys=gone)


def _delete_group(world: World, name: str) -> None:
    world.client.find(_SCHEDULER, "DeleteScheduleGroup", Name=name)


def _own_groups(world: World) -> list[str]:
    prefix = tags.stem(world.place)
    more: dict[str, Any] = {"NamePrefix": prefix} if prefix else {}
    found = list(world.client.pages(_SCHEDULER, "ListScheduleGroups", "ScheduleGroups", **more))
    every = in_parallel(lambda one: _group_tags(world, one["Arn"]), found)
    return [one["Name"] for one, labels in zip(found, every, strict=True) if tags.is_ours(labels, world.place)]


def _owned_groups(world: World) -> Iterator[Owned]:
    return (Owned(name) for name in _own_groups(world))


def _read(world: World, resource: Resource) -> Live | None:
    group = resource.document["GroupName"]
    found = world.client.find(_SCHEDULER, "GetSchedule", Name=resource.name, GroupName=group)
    if found is None:
        return None
    changed = found.get("LastModificationDate")
    return Live(reduced(found, resource.document), changed_at=changed.isoformat(timespec="seconds") if changed else "")


def _create(world: World, resource: Resource) -> None:
    """What is in our group is ours."""
    try:
        world.client.call(_SCHEDULER, "CreateSchedule", **resource.document)
    except AwsError as error:
        if error.kind not in ("exists", "conflict"):
            raise
        _update(world, resource, ())


def _update(world: World, resource: Resource, fields: tuple[str, ...]) -> None:
    """Whole: UpdateSchedule takes what is not given for AWS's defaults (API reference)."""
    world.client.call(_SCHEDULER, "UpdateSchedule", **resource.document)


def _delete(world: World, name: str) -> None:
    group = names.schedule_group(world.place.project, world.place.target)
    world.client.find(_SCHEDULER, "DeleteSchedule", Name=name, GroupName=group)


def _owned(world: World) -> Iterator[Owned]:
    """Those of our group, if it is ours."""
    group = names.schedule_group(world.place.project, world.place.target)
    if group in _own_groups(world):
        for one in world.client.pages(_SCHEDULER, "ListSchedules", "Schedules", GroupName=group):
            yield Owned(one["Name"])


SCHEDULE_GROUP = Kind(GROUP, _read_group, _create_group, _update_group, _delete_group, _owned_groups)
SCHEDULE = Kind(KIND, _read, _create, _update, _delete, _owned, replaces=("GroupName",))
