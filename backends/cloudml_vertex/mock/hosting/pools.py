"""DeploymentResourcePoolService: machines that several deployed models share.

Each deployed model still has a process of its own here; the pool is where its replicas are counted.
"""

from __future__ import annotations

import re
from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import lro, masks, names
from cloudml_vertex.mock.core.errors import already_exists, failed_precondition, invalid, not_found
from cloudml_vertex.mock.core.listing import listed, page
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.hosting import machines, quota, rows

Document = dict[str, Any]
KIND = rows.POOL
_PATTERN = "projects/*/locations/*/deploymentResourcePools/*"
_ID = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_KEPT = ("dedicated_resources", "encryption_spec", "service_account", "disable_container_logging")
_UPDATABLE = tuple(
    f"dedicated_resources.{field}"
    for field in ("min_replica_count", "max_replica_count", "required_replica_count", "autoscaling_metric_specs")
)


def find(world: World, name: str) -> Document:
    """The pool as in the store: needs the lock. Raises NOT_FOUND, INVALID_ARGUMENT."""
    project, location, _ = names.parse(name, _PATTERN)
    found = world.table(KIND, Scope(project, location)).get(name)
    if found is None:
        raise not_found(name)
    return found


def replicas(world: World, row: Document) -> int:
    """How many replicas a deployed model has: those of its pool, if it has one. Needs the lock."""
    pool = row.get("shared_resources")
    resources = find(world, pool)["dedicated_resources"] if pool else row["dedicated_resources"]
    return int(resources.get("min_replica_count") or resources.get("initial_replica_count") or 0)


@rpc("DeploymentResourcePoolService.CreateDeploymentResourcePool")
def create_pool(call: Call) -> Document:
    """Begin to make a pool."""
    given = call.params["deployment_resource_pool"]
    words = "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
    wanted = names.check_id(call.params["deployment_resource_pool_id"], _ID, "deployment_resource_pool_id", words)
    machines.check_dedicated(given["dedicated_resources"], "dedicated_resources", call.version)
    name = names.child(call.parent, "deploymentResourcePools", wanted)
    if name in call.table(KIND):
        raise already_exists(f"The pool {name!r} exists already.")
    quota.check(call.world, call.scope, given["dedicated_resources"])
    work = {"name": name, "pool": {key: given[key] for key in _KEPT if key in given}}
    metadata = "CreateDeploymentResourcePoolOperationMetadata"
    return lro.begin(call, on=name, metadata=metadata, response=KIND, work=("pool.create", work))


@rpc("DeploymentResourcePoolService.GetDeploymentResourcePool")
def get_pool(call: Call) -> Document:
    """One pool."""
    return find(call.world, call.name)


@rpc("DeploymentResourcePoolService.ListDeploymentResourcePools")
def list_pools(call: Call) -> Document:
    """The pools of a location."""
    return listed(call, call.table(KIND), "deployment_resource_pools")


@rpc("DeploymentResourcePoolService.UpdateDeploymentResourcePool")
def update_pool(call: Call) -> Document:
    """Begin to change how far a pool scales."""
    patch = call.params["deployment_resource_pool"]
    pool, paths = find(call.world, call.name), call.params["update_mask"]
    if "*" in paths:
        raise invalid(f"update_mask: name single fields: {', '.join(_UPDATABLE)}.")
    changed = masks.apply(pool, patch, paths, _UPDATABLE)
    machines.check_dedicated(changed["dedicated_resources"], "dedicated_resources", call.version)
    quota.check(call.world, call.scope, changed["dedicated_resources"], pool["dedicated_resources"])
    work = {"name": call.name, "resources": changed["dedicated_resources"]}
    metadata = "UpdateDeploymentResourcePoolOperationMetadata"
    return lro.begin(call, on=call.name, metadata=metadata, response=KIND, work=("pool.update", work))


@rpc("DeploymentResourcePoolService.DeleteDeploymentResourcePool")
def delete_pool(call: Call) -> Document:
    """Begin to delete a pool, which nothing may be deployed to."""
    _unused(call.world, find(call.world, call.name)["name"])
    work = {"name": call.name}
    return lro.begin(call, on=call.name, metadata="DeleteOperationMetadata", response="", work=("pool.delete", work))


@rpc("DeploymentResourcePoolService.QueryDeployedModels")
def query_deployed_models(call: Call) -> Document:
    """The deployed models of a pool."""
    name = names.canonical(call.world, call.params["deployment_resource_pool"])
    find(call.world, name)
    found = _users(call.world, name)
    refs = [{"endpoint": endpoint, "deployed_model_id": row["id"]} for endpoint, row in found]
    answer = page(call, refs, "deployed_model_refs")
    answer["total_deployed_model_count"] = len(found)
    answer["total_endpoint_count"] = len({endpoint for endpoint, _ in found})
    return answer


def _users(world: World, name: str) -> list[tuple[str, Document]]:
    project, location, _ = names.parse(name, _PATTERN)
    return [
        (endpoint["name"], row)
        for endpoint in world.table(rows.KIND, Scope(project, location))
        for row in (*endpoint.get("deployed_models", []), *endpoint["_deploying"].values())
        if row.get("shared_resources") == name
    ]


def _unused(world: World, name: str) -> None:
    users = _users(world, name)
    if users:
        held = ", ".join(row["id"] for _, row in users)
        raise failed_precondition(f"The pool {name!r} has DeployedModel(s) with ID(s): {held}.")


def _create(world: World, operation: str, args: Document) -> Document:
    name = args["name"]
    project, location, _ = names.parse(name, _PATTERN)
    with world.lock:
        table = world.table(KIND, Scope(project, location))
        found = table.get(name)
        if found is not None and found["_operation"] != operation:
            raise already_exists(f"The pool {name!r} exists already.")
        made = {**args["pool"], "name": name, "create_time": world.stamp(), "_operation": operation}
        return dict(found or table.put(name, made))


def _update(world: World, operation: str, args: Document) -> Document:
    del operation
    project, location, _ = names.parse(args["name"], _PATTERN)
    with world.lock:
        pool = find(world, args["name"])
        pool["dedicated_resources"] = args["resources"]
        return dict(world.table(KIND, Scope(project, location)).put(args["name"], pool))


def _delete(world: World, operation: str, args: Document) -> None:
    del operation
    project, location, _ = names.parse(args["name"], _PATTERN)
    with world.lock:
        _unused(world, args["name"])
        world.table(KIND, Scope(project, location)).delete(args["name"])


def install(world: World) -> None:
    """Say what is done."""
    for kind, work in (("create", _create), ("update", _update), ("delete", _delete)):
        lro.register(world, f"pool.{kind}", work)
