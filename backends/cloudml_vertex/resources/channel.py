"""Notification channels: mail addresses that alert policies tell."""

from __future__ import annotations

from collections.abc import Iterator

from cloudml.plan import Resource
from cloudml.remote.kind import Kind, Live, Owned, reduced
from cloudml_vertex.hosting import channels
from cloudml_vertex.resources.labels import PIPELINE, is_ours, refuse_foreign
from cloudml_vertex.world import World


def _read(world: World, resource: Resource) -> Live | None:
    found = channels.read(world.client, world.place.account, resource.name)
    return None if found is None else Live(reduced(found, resource.document))


def _create(world: World, resource: Resource) -> None:
    found = channels.read(world.client, world.place.account, resource.name)
    if found is not None:
        refuse_foreign(world, f"the notification channel {resource.name}", found["user_labels"])
    channels.create(world.client, world.place.account, resource.document)


def _update(world: World, resource: Resource, fields: tuple[str, ...]) -> None:
    channels.update(world.client, world.place.account, resource.document)


def _delete(world: World, name: str) -> None:
    channels.delete(world.client, world.place.account, name)


def _owned(world: World) -> Iterator[Owned]:
    for name, labels in channels.every(world.client, world.place.account):
        if is_ours(labels, world.place):
            yield Owned(name, labels.get(PIPELINE, ""))


CHANNEL = Kind("channel", _read, _create, _update, _delete, _owned)
