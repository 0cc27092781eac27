"""EndpointService: endpoints themselves."""

from __future__ import annotations

import re
from typing import Any

from cloudml_vertex.mock.core import etags, labels, lro, masks, names
from cloudml_vertex.mock.core.errors import already_exists, failed_precondition, invalid, not_executed
from cloudml_vertex.mock.core.filters import Field
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.times import duration
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.hosting import requestlog, rows, splits

Document = dict[str, Any]
_ID = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,8}")
_ID_WORDS = "letters first: up to 63 of [a-z0-9-], the last no dash; a number first: up to 9 digits, no leading zero"
_UPDATABLE = (
    "display_name",
    "description",
    "labels",
    "traffic_split",
    "predict_request_response_logging_config",
)
_KEPT = (
    "display_name",
    "description",
    "labels",
    "encryption_spec",
    "dedicated_endpoint_enabled",
    "client_connection_config",
    "predict_request_response_logging_config",
)
_OTHER = (*_UPDATABLE, "encryption_spec", "dedicated_endpoint_enabled")
"""What UpdateEndpointLongRunning may bring, but not change; output-only fields are ignored, as everywhere."""
_REFUSED = {
    "network": "A private endpoint (network)",
    "enable_private_service_connect": "Private Service Connect",
    "private_service_connect_config": "Private Service Connect",
    "private_model_server_enabled": "private_model_server_enabled",
    "gen_ai_advanced_features_config": "gen_ai_advanced_features_config",
}
_OPERATORS = {
    **dict.fromkeys(("endpoint", "display_name", "displayName"), "= !="),
    **dict.fromkeys(("base_model_name", "baseModelName"), "="),
}
"""Docstring of ListEndpointsRequest.filter."""
_ORDER = {"display_name": "display_name", "create_time": "create_time", "update_time": "update_time"}


@rpc("EndpointService.CreateEndpoint")
def create_endpoint(call: Call) -> Document:
    """Begin to make an endpoint."""
    given, wanted = call.params["endpoint"], call.params.get("endpoint_id", "")
    names.parse(call.parent, "projects/*/locations/*")
    if wanted:
        names.check_id(wanted, _ID, "endpoint_id", _ID_WORDS)
    _check(given)
    if given.get("deployed_models") or given.get("traffic_split"):
        raise invalid("endpoint: deployed_models and traffic_split cannot be set before a model is deployed.")
    name = names.child(call.parent, "endpoints", wanted or names.new_id(call.world, rows.KIND))
    if name in call.table(rows.KIND):
        raise already_exists(f"The endpoint {name!r} exists already.")
    work = {"name": name, "endpoint": {key: given[key] for key in _KEPT if key in given}}
    metadata = "CreateEndpointOperationMetadata"
    return lro.begin(call, on=name, metadata=metadata, response="Endpoint", work=("endpoint.create", work))


def _create(world: World, operation: str, args: Document) -> Document:
    name = args["name"]
    with world.lock:
        table = world.table(rows.KIND, rows.scope_of(name))
        found = table.get(name)
        if found is not None:
            if found["_operation"] != operation:
                raise already_exists(f"The endpoint {name!r} exists already.")
            return dict(found)
        endpoint = {**args["endpoint"], "name": name, "create_time": world.stamp(), "_operation": operation}
        endpoint.update({"_serving": {}, "_deploying": {}})
        requestlog.resolve(world, endpoint)
        if endpoint.get("dedicated_endpoint_enabled"):
            project, location, identifier = names.parse(name, rows.PATTERN)
            endpoint["dedicated_endpoint_dns"] = f"{identifier}.{location}-{project}.prediction.vertexai.goog"
        return dict(rows.keep(world, endpoint))


@rpc("EndpointService.GetEndpoint")
def get_endpoint(call: Call) -> Document:
    """One endpoint."""
    return dict(rows.find(call.world, call.name))


@rpc("EndpointService.ListEndpoints")
def list_endpoints(call: Call) -> Document:
    """The endpoints of a location."""
    filters: dict[str, Field] = {
        "endpoint": lambda row: names.id_of(row["name"]),
        "display_name": "display_name",
        "displayName": "display_name",
        "labels": "labels",
        "base_model_name": lambda row: "",
        "baseModelName": lambda row: "",
    }
    found = [dict(row) for row in call.table(rows.KIND)]
    return listed(call, found, "endpoints", filters=filters, operators=_OPERATORS, order=_ORDER)


@rpc("EndpointService.UpdateEndpoint", executes="a new traffic split holds at once")
def update_endpoint(call: Call) -> Document:
    """Change an endpoint by a mask; with an etag only if nobody else has changed it."""
    world, patch = call.world, call.params["endpoint"]
    endpoint = rows.find(world, call.name)
    etags.check(world, endpoint, patch.get("etag"))
    changed = masks.apply(endpoint, patch, call.params["update_mask"], _UPDATABLE)
    _check(changed)
    splits.check(changed.get("traffic_split", {}), rows.ids(endpoint))
    requestlog.resolve(world, changed)
    return dict(rows.keep(world, changed))


@rpc("EndpointService.UpdateEndpointLongRunning")
def update_endpoint_long_running(call: Call) -> Document:
    """Begin to change `client_connection_config`; nothing else can be changed so."""
    patch = call.params["endpoint"]
    endpoint = rows.find(call.world, call.name)
    etags.check(call.world, endpoint, patch.get("etag"))
    other = [key for key in _OTHER if key in patch and patch[key] != endpoint.get(key)]
    if other or "client_connection_config" not in patch:
        raise invalid("Only client_connection_config can be updated by UpdateEndpointLongRunning.")
    _check({**endpoint, "client_connection_config": patch["client_connection_config"]})
    work = {"name": call.name, "config": patch["client_connection_config"]}
    metadata = "UpdateEndpointOperationMetadata"
    return lro.begin(call, on=call.name, metadata=metadata, response="Endpoint", work=("endpoint.update", work))


def _update(world: World, operation: str, args: Document) -> Document:
    del operation
    with world.lock:
        endpoint = rows.find(world, args["name"])
        endpoint["client_connection_config"] = args["config"]
        return dict(rows.keep(world, endpoint))


@rpc("EndpointService.DeleteEndpoint")
def delete_endpoint(call: Call) -> Document:
    """Begin to delete an endpoint, which must be empty."""
    _empty(rows.find(call.world, call.name))
    work = {"name": call.name}
    return lro.begin(
        call, on=call.name, metadata="DeleteOperationMetadata", response="", work=("endpoint.delete", work)
    )


def _delete(world: World, operation: str, args: Document) -> None:
    del operation
    with world.lock:
        table = world.table(rows.KIND, rows.scope_of(args["name"]))
        found = table.get(args["name"])
        if found is not None:
            _empty(found)
            table.delete(args["name"])


def _empty(endpoint: Document) -> None:
    held = [*rows.ids(endpoint), *endpoint.get("_deploying", {})]
    if held:
        raise failed_precondition(
            f"The Endpoint {endpoint['name']!r} has deployed or being-deployed DeployedModel(s) with ID(s): "
            f"{', '.join(held)}. Undeploy them first."
        )


def _check(given: Document) -> None:
    """Raises INVALID_ARGUMENT, and UNIMPLEMENTED for what this mock would only pretend to do."""
    labels.display_name(given.get("display_name"), "endpoint.display_name")
    labels.check(given.get("labels"), "endpoint.labels")
    for field, what in _REFUSED.items():
        if given.get(field):
            raise not_executed(what, f"leave {field} unset")
    requestlog.check(given.get("predict_request_response_logging_config") or {})
    limit = (given.get("client_connection_config") or {}).get("inference_timeout")
    if limit is not None:
        if not given.get("dedicated_endpoint_enabled"):
            raise invalid("client_connection_config.inference_timeout needs dedicated_endpoint_enabled.")
        if not 0 < duration(limit) <= 3600:
            raise invalid("client_connection_config.inference_timeout is more than 0 and at most one hour.")


def install(world: World) -> None:
    """Say what is done."""
    for kind, work in (("create", _create), ("update", _update), ("delete", _delete)):
        lro.register(world, f"endpoint.{kind}", work)
