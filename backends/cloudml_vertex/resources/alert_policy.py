"""Alert policies: what Cloud Monitoring watches, and whom it tells."""

from __future__ import annotations

from collections.abc import Iterator

from cloudml.errors import Refused
from cloudml.plan import Resource
from cloudml.remote.kind import Kind, Live, Owned, reduced
from cloudml_vertex.hosting import alert_policies
from cloudml_vertex.hosting.port import Failed
from cloudml_vertex.resources.labels import PIPELINE, is_ours, refuse_foreign
from cloudml_vertex.world import World


def _read(world: World, resource: Resource) -> Live | None:
    found = alert_policies.read(world.client, world.place.account, resource.document)
    return None if found is None else Live(reduced(found, resource.document))


def _create(world: World, resource: Resource) -> None:
    found = alert_policies.find(world.client, world.place.account, resource.name)
    if found is not None:
        refuse_foreign(world, f"the alert policy {resource.name}", found.get("user_labels", {}))
    _put(world, resource)


def _put(world: World, resource: Resource) -> None:
    try:
        alert_policies.create(world.client, world.place.account, resource.document)
    except Failed as error:
        raise Refused(str(error), code="CML542") from error


def _update(world: World, resource: Resource, fields: tuple[str, ...]) -> None:
    _put(world, resource)


def _delete(world: World, name: str) -> None:
    alert_policies.delete(world.client, world.place.account, name)


def _owned(world: World) -> Iterator[Owned]:
    for name, labels in alert_policies.every(world.client, world.place.account):
        if is_ours(labels, world.place):
            yield Owned(name, labels.get(PIPELINE, ""))


ALERT_POLICY = Kind("alert_policy", _read, _create, _update, _delete, _owned)
