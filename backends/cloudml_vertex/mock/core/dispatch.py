"""From a request to its result: required fields, the scope, the handler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import catalog, names, required, wire
from cloudml_vertex.mock.core.errors import GoogleError, internal, invalid, unimplemented
from cloudml_vertex.mock.core.operations import OPERATIONS, Call, Document
from cloudml_vertex.mock.core.world import World

GLOBAL = "global"
"""The location of resources that have none."""


def serve(
    world: World,
    rpc: str,
    message: Any,
    version: str,
    *,
    principal: str = "",
    http: Mapping[str, str] | None = None,
    stream: Iterator[Document] | None = None,
) -> Any:
    """Handle one request, a protobuf message of the RPC's type: the response's document, an iterator of documents where
    the RPC streams, or None for Empty. Raises GoogleError for whatever Google would refuse."""
    operation = OPERATIONS.get(rpc)
    if operation is None:
        raise unimplemented(f"{rpc} is not served by this mock of Google Cloud.")
    required.check(message)
    params = wire.document(message)
    call = Call(world, scope_of(world, params), rpc, params, version, principal, http or {}, stream or iter(()))
    try:
        if operation.locked:
            with world.lock:
                return operation.handler(call)
        return operation.handler(call)
    except GoogleError:
        raise
    except Exception as error:
        raise internal(f"{rpc}: {type(error).__name__}: {error}") from error


def call(world: World, scope: Scope, rpc: str, params: Document, version: str) -> Document:
    """Call an RPC from inside. A request without any resource's name gets `parent`. Raises GoogleError."""
    method = catalog.method(rpc, version)
    parent = f"projects/{scope.account}/locations/{scope.region}"
    found = {"parent": parent, **params} if _takes_parent(method.request) and "name" not in params else params
    try:
        message = wire.message(found, method.request)
    except ValueError as error:
        raise invalid(str(error)) from error
    result: Document | None = serve(world, rpc, message, method.version)
    return result or {}


def _takes_parent(kind: Any) -> bool:
    return "parent" in kind.DESCRIPTOR.fields_by_name


def scope_of(world: World, params: Document) -> Scope:
    """Whose resources a request is about: by the first name of a resource in it. Raises INVALID_ARGUMENT."""
    for name in _names(params):
        parts = names.canonical(world, name).split("/")
        if len(parts) > 1 and parts[0] == "projects" and parts[1]:
            located = len(parts) > 3 and parts[2] == "locations" and bool(parts[3])
            return Scope(parts[1], parts[3] if located else GLOBAL)
    return Scope("", GLOBAL)


_FIRST = ("name", "parent", "endpoint", "project", "topic", "subscription", "model_deployment_monitoring_job")


def _names(params: Document) -> Iterator[str]:
    for key in _FIRST:
        if isinstance(params.get(key), str):
            yield params[key]
    for value in params.values():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield one
            elif isinstance(one, dict) and isinstance(one.get("name"), str):
                yield one["name"]
