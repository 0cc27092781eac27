"""Schedules of SageMaker Model Monitor: made by a run's monitor step, because the endpoint must be there first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudml.errors import Refused
from cloudml.plan import Resource
from cloudml_sagemaker.hosting import Failed, native_monitor
from cloudml_sagemaker.resources import tags
from cloudml_sagemaker.resources.kind import Kind, Live, Owned, World, reduced

KIND = "monitor"


def _read(world: World, resource: Resource) -> Live | None:
    live = native_monitor.read(world.client, resource.name)
    if live is None:
        return None
    found = native_monitor.schedule_of(world.client, resource.name) or {}
    status = found.get("MonitoringScheduleStatus", "")
    problem = ""
    if status in ("Failed", "Stopped"):
        reason = found.get("FailureReason", "")
        problem = f"the monitoring schedule is {status}{': ' if reason else ''}{reason}"
    changed = found.get("LastModifiedTime")
    return Live(
        reduced(live, resource.document), changed_at="" if changed is None else changed.isoformat(), problem=problem
    )


def _create(world: World, resource: Resource) -> None:
    """Nothing: a run makes it when the endpoint is there."""


def _update(world: World, resource: Resource, fields: tuple[str, ...]) -> None:
    try:
        native_monitor.ensure(world.client, resource.document)
    except Failed as error:
        raise Refused(str(error), code="CML542") from error
    found = native_monitor.schedule_of(world.client, resource.name)
    if found is not None:
        tags.bring(world, found["MonitoringScheduleArn"], tags.plain(resource.document["Tags"]), fields)


def _delete(world: World, name: str) -> None:
    try:
        native_monitor.remove(world.client, name)
    except Failed as error:
        raise Refused(str(error), code="CML542") from error


def _owned(world: World) -> Iterator[Owned]:
    listing = ("ListMonitoringSchedules", "MonitoringScheduleSummaries")
    named: dict[str, Any] = tags.containing(world)
    yield from tags.owned_of_sagemaker(world, listing, "MonitoringScheduleName", "MonitoringScheduleArn", **named)


MONITOR = Kind(KIND, _read, _create, _update, _delete, _owned, deferred=True)
