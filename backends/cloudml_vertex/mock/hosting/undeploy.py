"""UndeployModel and MutateDeployedModel."""

from __future__ import annotations

from typing import Any

from cloudml_vertex.mock.core import lro, masks, names
from cloudml_vertex.mock.core.errors import failed_precondition, invalid
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.hosting import machines, pools, quota, rows, splits
from cloudml_vertex.mock.hosting.fleet import fleet

Document = dict[str, Any]
_SCALING = ("min_replica_count", "max_replica_count", "required_replica_count", "autoscaling_metric_specs")
_MUTABLE = {
    "v1": "disable_container_logging",
    "v1beta1": "enable_container_logging",
}
"""Docstring of MutateDeployedModelRequest."""


@rpc("EndpointService.UndeployModel", executes="the container is stopped")
def undeploy_model(call: Call) -> Document:
    """Begin to undeploy a model that has no traffic, or loses it by the split of the request."""
    world = call.world
    endpoint = rows.find(world, names.canonical(world, call.params["endpoint"]))
    identifier, split = call.params["deployed_model_id"], call.params.get("traffic_split", {})
    _check(endpoint, identifier, split)
    work = {"endpoint": endpoint["name"], "id": identifier, "split": split}
    metadata, response = "UndeployModelOperationMetadata", "UndeployModelResponse"
    return lro.begin(call, on=endpoint["name"], metadata=metadata, response=response, work=("endpoint.undeploy", work))


def _check(endpoint: Document, identifier: str, split: Document) -> None:
    """Raises INVALID_ARGUMENT, FAILED_PRECONDITION."""
    known = rows.ids(endpoint)
    if identifier not in known:
        raise invalid(f"The following DeployedModel ID(s) [{identifier}] do not exist.")
    splits.check(split, known)
    last = len(known) == 1
    traffic = (split or endpoint.get("traffic_split", {})).get(identifier, 0)
    if traffic and not last:
        raise failed_precondition(
            f"The DeployedModel {identifier} has {traffic} % of the traffic and cannot be undeployed; give a "
            "traffic_split that takes it away."
        )


def _undeploy(world: World, operation: str, args: Document) -> Document:
    del operation
    name, identifier = args["endpoint"], args["id"]
    with world.lock:
        endpoint = rows.find(world, name)
        if identifier in rows.ids(endpoint):
            _check(endpoint, identifier, args["split"])
            split = args["split"] or endpoint.get("traffic_split", {})
            rest = [row for row in endpoint["deployed_models"] if row["id"] != identifier]
            endpoint["deployed_models"] = rest
            endpoint["traffic_split"] = {key: part for key, part in split.items() if rest and key != identifier}
            endpoint["_serving"].pop(identifier, None)
            rows.keep(world, endpoint)
    fleet(world).stop(name, identifier)
    return {}


@rpc("EndpointService.MutateDeployedModel", executes="replica counts are kept and counted; one process serves them")
def mutate_deployed_model(call: Call) -> Document:
    """Begin to change replica counts, autoscaling or container logging; a machine type needs a new deployment."""
    world, patch = call.world, call.params["deployed_model"]
    endpoint = rows.find(world, names.canonical(world, call.params["endpoint"]))
    row = rows.deployed(endpoint, patch.get("id", ""))
    if row is None:
        raise invalid(f"The following DeployedModel ID(s) [{patch.get('id', '')}] do not exist.")
    paths = call.params["update_mask"]
    changed = _changed(row, patch, paths, call.version)
    if "dedicated_resources" in row:
        quota.check(world, call.scope, changed["dedicated_resources"], row["dedicated_resources"])
    work = {"endpoint": endpoint["name"], "patch": patch, "paths": paths, "version": call.version}
    metadata, response = "MutateDeployedModelOperationMetadata", "MutateDeployedModelResponse"
    return lro.begin(call, on=endpoint["name"], metadata=metadata, response=response, work=("endpoint.mutate", work))


def _changed(row: Document, patch: Document, paths: list[str], version: str) -> Document:
    """The deployed model with the change. Raises INVALID_ARGUMENT."""
    allowed = [_MUTABLE.get(version, _MUTABLE["v1"])]
    if "dedicated_resources" in row:  # those of a pool are changed by UpdateDeploymentResourcePool
        allowed += [f"dedicated_resources.{field}" for field in _SCALING]
    if "*" in paths or "dedicated_resources" in paths:
        raise invalid(f"update_mask: name single fields: {', '.join(allowed)}.")
    changed = masks.apply(row, patch, paths, allowed)
    resources = changed.get("dedicated_resources")
    if resources is not None:
        machines.check_dedicated(resources, "deployed_model.dedicated_resources", version)
        resources.setdefault("max_replica_count", machines.most(resources))
    if version == "v1beta1":  # the same switch, told the other way round
        changed["disable_container_logging"] = not changed.get("enable_container_logging", False)
    changed["enable_container_logging"] = not changed.get("disable_container_logging", False)
    return changed


def _mutate(world: World, operation: str, args: Document) -> Document:
    del operation
    with world.lock:
        endpoint = rows.find(world, args["endpoint"])
        identifier = args["patch"]["id"]
        row = rows.deployed(endpoint, identifier)
        if row is None:
            raise failed_precondition(f"The DeployedModel {identifier} was undeployed in the meantime.")
        changed = _changed(row, args["patch"], args["paths"], args["version"])
        count = pools.replicas(world, changed)
        changed["status"] = {"available_replica_count": count, "last_update_time": world.stamp()}
        kept = [changed if one["id"] == identifier else one for one in endpoint["deployed_models"]]
        endpoint["deployed_models"] = kept
        rows.keep(world, endpoint)
    fleet(world).replicas(args["endpoint"], changed, count)
    return {"deployed_model": dict(changed)}


def install(world: World) -> None:
    """Say what is done."""
    lro.register(world, "endpoint.undeploy", _undeploy)
    lro.register(world, "endpoint.mutate", _mutate)
