"""Vertex AI's own model monitoring: made by a run's monitor step, because the endpoint must be there first."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cloudml.errors import Refused
from cloudml.plan import Resource
from cloudml.remote.kind import Kind, Live, Owned, reduced
from cloudml_vertex import names, objects
from cloudml_vertex.hosting import deployment_monitor, model_monitor, native_monitor
from cloudml_vertex.hosting.port import Document, Failed
from cloudml_vertex.resources.labels import is_ours
from cloudml_vertex.world import World


def _data(world: World, document: Document) -> Document | None:
    """What is normal, as the last run kept it."""
    key = native_monitor.data_uri(document).removeprefix(f"gs://{world.place.bucket}/")
    found = objects.get(world, key)
    if found is None:
        return None
    data: Document = json.loads(found[0])
    return data


def _read(world: World, resource: Resource) -> Live | None:
    live = native_monitor.read(world.client, resource.document, _data(world, resource.document))
    if live is None:
        return None
    problem = native_monitor.problem(world.client, resource.document)
    return Live(reduced(live, resource.document), problem=problem)


def _create(world: World, resource: Resource) -> None:
    """Nothing: a run makes it when the endpoint is there."""


def _update(world: World, resource: Resource, fields: tuple[str, ...]) -> None:
    data = _data(world, resource.document)
    if data is None:
        message = f"what is normal for the monitor {resource.name} is not to be seen: no run has kept it"
        raise Refused(message, hint="run the pipeline: its monitor step brings the change", code="CML542")
    try:
        native_monitor.ensure(world.client, resource.document, data)
    except Failed as error:
        raise Refused(str(error), code="CML542") from error


def _delete(world: World, name: str) -> None:
    for owned, display_name in _named(world):
        if owned.name == name:
            native_monitor.remove(world.client, world.place.parent, name, display_name)


def _owned(world: World) -> Iterator[Owned]:
    yield from (owned for owned, _ in _named(world))


def _named(world: World) -> Iterator[tuple[Owned, str]]:
    """The monitors of the target with their display names: `<project>/<target>/<pipeline>/<monitor>`."""
    place = world.place
    stem = f"{place.project}/{place.target}/"
    shown = [
        str(one["display_name"])
        for one in deployment_monitor.jobs(world.client, place.parent, "")
        if is_ours(one.get("labels", {}), place) and str(one["display_name"]).startswith(stem)
    ]
    shown += [str(one["display_name"]) for one in model_monitor.monitors(world.client, place.parent)]
    for display_name in dict.fromkeys(shown):
        if display_name.startswith(stem):
            pipeline, _, monitor = display_name.removeprefix(stem).partition("/")
            yield Owned(_id(world, pipeline, monitor), pipeline), display_name


def _id(world: World, pipeline: str, monitor: str) -> str:
    return names.resource(world.place.project, world.place.target, f"{pipeline}/monitor/{monitor}")


MONITOR = Kind("monitor", _read, _create, _update, _delete, _owned, replaces=("engine",), deferred=True)
