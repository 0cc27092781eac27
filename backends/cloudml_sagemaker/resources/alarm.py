"""Alarms that guard an endpoint: PutMetricAlarm replaces what is there, so making and changing are one."""

from __future__ import annotations

from collections.abc import Iterator

from cloudml.plan import Resource
from cloudml_sagemaker.hosting import Document, labels, tag_list
from cloudml_sagemaker.resources.kind import Kind, Live, Owned, World, reduced
from cloudml_sagemaker.resources.tags import PIPELINE, is_ours, refuse_foreign, stem, superfluous

__all__ = ["ALARM"]


def _find(world: World, name: str) -> Document | None:
    found = world.client.call("cloudwatch", "DescribeAlarms", AlarmNames=[name], AlarmTypes=["MetricAlarm"])
    alarms = found.get("MetricAlarms") or []
    return alarms[0] if alarms else None


def _tags(world: World, alarm: Document) -> dict[str, str]:
    """None for what vanished meanwhile."""
    found = world.client.find("cloudwatch", "ListTagsForResource", ResourceARN=alarm["AlarmArn"]) or {}
    return labels(found.get("Tags") or ())


def _read(world: World, resource: Resource) -> Live | None:
    found = _find(world, resource.name)
    if found is None:
        return None
    live = {**found, "Tags": tag_list(_tags(world, found))}
    return Live(reduced({key: value for key, value in live.items() if value not in ("", [])}, resource.document))


def _put(world: World, resource: Resource, fields: tuple[str, ...] = ()) -> None:
    """Raises Refused (CML534): an alarm of somebody else has the name."""
    found = _find(world, resource.name)
    if found is not None:
        refuse_foreign(world, f"the alarm {resource.name}", _tags(world, found))
    world.client.call("cloudwatch", "PutMetricAlarm", **resource.document)
    if found is None:
        return
    arn, tags = found["AlarmArn"], resource.document.get("Tags", [])
    world.client.call("cloudwatch", "TagResource", ResourceARN=arn, Tags=tags)  # PutMetricAlarm tags new ones only
    gone = superfluous(labels(tags), fields, "Tags")
    if gone:
        world.client.call("cloudwatch", "UntagResource", ResourceARN=arn, TagKeys=gone)


def _delete(world: World, name: str) -> None:
    """DeleteAlarms deletes none when one is missing: it is looked for first."""
    if _find(world, name) is not None:
        world.client.find("cloudwatch", "DeleteAlarms", AlarmNames=[name])


def _owned(world: World) -> Iterator[Owned]:
    begin: Document = {"AlarmTypes": ["MetricAlarm"]}
    if stem(world.place):
        begin["AlarmNamePrefix"] = stem(world.place)
    for alarm in world.client.pages("cloudwatch", "DescribeAlarms", "MetricAlarms", **begin):
        tags = _tags(world, alarm)
        if is_ours(tags, world.place):
            yield Owned(alarm["AlarmName"], tags.get(PIPELINE, ""))


ALARM = Kind("alarm", _read, _put, _put, _delete, _owned)
