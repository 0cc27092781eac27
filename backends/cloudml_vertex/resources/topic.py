"""Topics of Pub/Sub: where alerts are sent."""

from __future__ import annotations

from collections.abc import Iterator

from cloudml.plan import Resource
from cloudml.remote.kind import Kind, Live, Owned, reduced
from cloudml_vertex.hosting import topics
from cloudml_vertex.resources.labels import PIPELINE, is_ours, refuse_foreign
from cloudml_vertex.world import World


def _read(world: World, resource: Resource) -> Live | None:
    found = topics.read(world.client, world.place.account, resource.name)
    if found is None:
        return None
    note = {"note": resource.document["note"]} if "note" in resource.document else {}
    return Live(reduced({**found, **note}, resource.document))


def _create(world: World, resource: Resource) -> None:
    found = topics.read(world.client, world.place.account, resource.name)
    if found is not None:
        refuse_foreign(world, f"the topic {resource.name}", found["labels"])
    topics.create(world.client, world.place.account, resource.document)


def _update(world: World, resource: Resource, fields: tuple[str, ...]) -> None:
    topics.update(world.client, world.place.account, resource.document)


def _delete(world: World, name: str) -> None:
    topics.delete(world.client, world.place.account, name)


def _owned(world: World) -> Iterator[Owned]:
    for name, labels in topics.every(world.client, world.place.account):
        if is_ours(labels, world.place):
            yield Owned(name, labels.get(PIPELINE, ""))


def _loses(world: World, name: str) -> str:
    """Who subscribed would have to do so again."""
    count = topics.subscriptions(world.client, world.place.account, name)
    return f"{count} subscription{'s' if count != 1 else ''} that others made" if count else ""


TOPIC = Kind("topic", _read, _create, _update, _delete, _owned, replaces=("kms",), loses=_loses)
