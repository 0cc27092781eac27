"""Metadata stores. The store `default` of a project and location comes to be when it is first spoken of."""

from __future__ import annotations

import re
from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import lro, names
from cloudml_vertex.mock.core.errors import already_exists, failed_precondition, not_found
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.world import World

Document = dict[str, Any]
KIND = "MetadataStore"
PATTERN = "projects/*/locations/*/metadataStores/*"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
_SHORTEST = {"accept": 1, "refuse": 4}


def new_id(call: Call, field: str, kind: str) -> str:
    """The id that a Create request asks for, or a new one. Raises INVALID_ARGUMENT.

    Docstrings of the requests: 4-128 characters of lower-case letters, digits and dashes; shorter ones: switch.
    """
    given = str(call.params.get(field, ""))
    if not given:
        return names.new_id(call.world, kind)
    shortest = _SHORTEST[call.world.switches["metadata-short-id"]]
    rule = _ID if len(given) >= shortest else re.compile(r"(?!)")
    return names.check_id(given, rule, field, "4-128 characters: lower-case letters, digits and dashes.")


def need(call: Call, name: str) -> Document:
    """The store of that name. Raises INVALID_ARGUMENT, NOT_FOUND."""
    project, location, identifier = names.parse(name, PATTERN)
    table = call.world.table(KIND, call.scope)
    found = table.get(name)
    if found is None and identifier == "default":
        found = table.put(name, _new(call.world, name, {"description": f"Default store of {project} in {location}"}))
    if found is None:
        raise not_found(name)
    return found


def _new(world: World, name: str, given: Document) -> Document:
    stamp = world.stamp()
    kept: Document = {key: given[key] for key in ("encryption_spec", "description", "dataplex_config") if key in given}
    return {"name": name, "create_time": stamp, "update_time": stamp, "state": {}, **kept}


@rpc("MetadataService.CreateMetadataStore")
def create(call: Call) -> Document:
    """Begin to make a store."""
    names.parse(call.parent, "projects/*/locations/*")
    name = names.child(call.parent, "metadataStores", new_id(call, "metadata_store_id", KIND))
    if name in call.table(KIND):
        raise already_exists(f"The MetadataStore '{name}' already exists.")
    document = _new(call.world, name, call.params.get("metadata_store", {}))
    call.table(KIND).put(name, document)
    return lro.begin(
        call,
        on=name,
        metadata="CreateMetadataStoreOperationMetadata",
        response="MetadataStore",
        work=("metadata.store.create", document),
    )


@rpc("MetadataService.GetMetadataStore")
def get(call: Call) -> Document:
    """One store."""
    return need(call, call.name)


@rpc("MetadataService.ListMetadataStores")
def list_stores(call: Call) -> Document:
    """The stores of a location."""
    need(call, names.child(call.parent, "metadataStores", "default"))
    return listed(call, call.table(KIND), "metadata_stores")


@rpc("MetadataService.DeleteMetadataStore")
def delete(call: Call) -> Document:
    """Begin to delete a store; one that holds something is refused."""
    need(call, call.name)
    for kind in ("Artifact", "Execution", "Context"):
        if any(name.startswith(f"{call.name}/") for name, _ in call.table(kind).items()):
            raise failed_precondition(f"The MetadataStore '{call.name}' is not empty: delete what it holds first.")
    return lro.begin(
        call,
        on=call.name,
        metadata="DeleteMetadataStoreOperationMetadata",
        response="Empty",
        work=("metadata.store.delete", {"name": call.name, "scope": [call.scope.account, call.scope.region]}),
    )


def install(world: World) -> None:
    """Say what the operations do."""
    lro.register(world, "metadata.store.create", lambda _world, _name, document: document)
    lro.register(world, "metadata.store.delete", _deleted)


def _deleted(world: World, _name: str, args: Document) -> None:
    with world.lock:
        world.table(KIND, Scope(*args["scope"])).delete(args["name"])
