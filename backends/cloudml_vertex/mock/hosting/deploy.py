"""DeployModel: the container is really started, and takes traffic when it is healthy."""

from __future__ import annotations

import copy
import re
from typing import Any

from cloudml_vertex.mock.core import labels, lro, names
from cloudml_vertex.mock.core.errors import (
    already_exists,
    failed_precondition,
    invalid,
    not_executed,
    not_found,
)
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.hosting import machines, pools, quota, rolling, rows, server, splits
from cloudml_vertex.mock.hosting.fleet import fleet

Document = dict[str, Any]
_ID = re.compile(r"[0-9]{1,10}")
_NEVER = {"operation-hang", "operation-fails"}
"""Faults of operations with which nothing happens: what they would deploy is not on its way."""
_KEPT = (
    "dedicated_resources",
    "shared_resources",
    "display_name",
    "explanation_spec",
    "disable_explanations",
    "service_account",
    "disable_container_logging",
    "enable_container_logging",
    "enable_access_logging",
    "rollout_options",
    "system_labels",
)


@rpc("EndpointService.DeployModel", executes="the container serves; the operation ends when it is healthy")
def deploy_model(call: Call) -> Document:
    """Begin to deploy. What can be known now is refused now."""
    world, given = call.world, dict(call.params["deployed_model"])
    endpoint = rows.find(world, names.canonical(world, call.params["endpoint"]))
    name = endpoint["name"]
    model = _model(call, given)
    split = call.params.get("traffic_split", {})
    if given.get("rollout_options"):
        rolling.check(call.version, endpoint, given, model["name"], split)
    else:
        splits.check(split, [*rows.ids(endpoint), splits.NEW])
        _resources(call, given, model)
    identifier = _identifier(world, endpoint, given.get("id", ""))
    labels.display_name(given.get("display_name"), "deployed_model.display_name", required=False)
    row = _row(call, given, model, identifier)
    if "dedicated_resources" in row:
        quota.check(world, rows.scope_of(name), row["dedicated_resources"])
    work = {"endpoint": name, "row": row, "serving": _serving(row, model), "split": split}
    metadata, response = "DeployModelOperationMetadata", "DeployModelResponse"
    extra = {"deployment_stage": "STARTING_DEPLOYMENT"}
    begun = lro.begin(call, on=name, metadata=metadata, response=response, work=("endpoint.deploy", work), extra=extra)
    if begun.get("_fault") not in _NEVER:
        endpoint["_deploying"][identifier] = row
        rows.keep(world, endpoint, touch=False)
    return begun


def _model(call: Call, given: Document) -> Document:
    """The version that is deployed, with the registry's private keys. Raises INVALID_ARGUMENT, NOT_FOUND."""
    wanted = names.canonical(call.world, given.get("model", ""))
    if not wanted:
        raise invalid("deployed_model.model: the model to deploy is required.")
    model = call.world.call(call.scope, "ModelService.GetModel", {"name": wanted})
    if not model.get("container_spec"):
        raise failed_precondition(f"The model {wanted!r} has no container and cannot be deployed.")
    return model


def _identifier(world: World, endpoint: Document, wanted: str) -> str:
    if not wanted:
        return names.new_id(world, "DeployedModel")
    names.check_id(wanted, _ID, "deployed_model.id", "1 to 10 digits")
    if wanted == splits.NEW:
        raise invalid("deployed_model.id: '0' stands for the model being deployed in traffic splits.")
    if wanted in rows.ids(endpoint) or wanted in endpoint["_deploying"]:
        raise already_exists(f"The endpoint has a DeployedModel with the ID {wanted!r} already.")
    return wanted


def _resources(call: Call, given: Document, model: Document) -> None:
    if given.get("automatic_resources") is not None:
        raise invalid("'automatic_resources' is not supported for Models with a custom container.")
    for field in ("full_fine_tuned_resources", "speculative_decoding_spec", "faster_deployment_config"):
        if given.get(field):
            raise not_executed(f"deployed_model.{field}", f"leave {field} unset")
    shared = given.get("shared_resources")
    if shared:
        pool = names.canonical(call.world, shared)
        pools.find(call.world, pool)
        given["shared_resources"] = pool
    elif given.get("dedicated_resources") is None:
        raise invalid("deployed_model: one of dedicated_resources and shared_resources is required.")
    else:
        machines.check_dedicated(given["dedicated_resources"], "deployed_model.dedicated_resources", call.version)
    if model["container_spec"].get("invoke_route_prefix"):
        raise not_executed("invoke_route_prefix", "give the model a predict_route")


def _row(call: Call, given: Document, model: Document, identifier: str) -> Document:
    row = {key: copy.deepcopy(given[key]) for key in _KEPT if key in given}
    if call.version == "v1beta1":  # the same switch, told the other way round
        row["disable_container_logging"] = not given.get("enable_container_logging", False)
    row["enable_container_logging"] = not row.get("disable_container_logging", False)
    row.update(id=identifier, model=model["name"], model_version_id=model["version_id"])
    row.setdefault("display_name", model["display_name"])
    resources = row.get("dedicated_resources")
    if resources is not None:
        resources["machine_spec"] = {"machine_type": machines.DEFAULT, **resources.get("machine_spec", {})}
        resources.setdefault("max_replica_count", machines.most(resources))
    return row


def _serving(row: Document, model: Document) -> Document:
    machine = (row.get("dedicated_resources") or {}).get("machine_spec", {})
    return {
        "spec": model["container_spec"],
        "artifacts": model["_artifacts"],
        "variables": server.variables(row["model"], row["model_version_id"], machine),
        "logging": row["enable_container_logging"],
        "model_display_name": model["display_name"],
    }


def _deploy(world: World, operation: str, args: Document) -> Document:
    name, row, serving = args["endpoint"], args["row"], args["serving"]
    identifier, scope = row["id"], rows.scope_of(args["endpoint"])
    with world.lock:
        endpoint = rows.find(world, name)
        done = rows.deployed(endpoint, identifier)
        if done is not None:  # done before the mock was killed
            return {"deployed_model": dict(done)}
        endpoint["_deploying"][identifier] = row
        rows.keep(world, endpoint, touch=False)
        lro.report(world, scope, operation, deployment_stage="STARTING_MODEL_SERVER")
    room = fleet(world)
    try:
        room.launch(name, identifier, serving, endpoint["display_name"])
        with world.lock:
            made = _enter(world, name, row, serving, args["split"])
            lro.report(world, scope, operation, deployment_stage="SUCCESSFULLY_DEPLOYED")
    except BaseException:
        room.stop(name, identifier)
        if world.closing.is_set():  # the mock goes down with all containers: it is deployed at the next start
            raise
        with world.lock:
            _forget(world, name, identifier)
            lro.report(world, scope, operation, deployment_stage="FAILED_TO_DEPLOY")
        raise
    room.replicas(name, made, made["status"]["available_replica_count"])
    previous = (row.get("rollout_options") or {}).get("previous_deployed_model")
    if previous:
        room.stop(name, previous)
    return {"deployed_model": dict(made)}


def _enter(world: World, name: str, row: Document, serving: Document, split: Document) -> Document:
    """The server is up: make the deployed model part of its endpoint, and move traffic. Needs the lock."""
    endpoint = world.table(rows.KIND, rows.scope_of(name)).get(name)
    if endpoint is None:
        raise not_found(name)
    count = pools.replicas(world, row)
    status = {"available_replica_count": count, "last_update_time": world.stamp()}
    made = {**row, "create_time": world.stamp(), "status": status}
    if row.get("rollout_options"):
        rolling.finish(world, endpoint, made)
    else:
        if split:
            found = splits.named(split, row["id"])
            splits.check(found, [*rows.ids(endpoint), row["id"]])
            endpoint["traffic_split"] = found
        endpoint["deployed_models"] = [*endpoint.get("deployed_models", []), made]
    endpoint["_deploying"].pop(row["id"], None)
    endpoint["_serving"][row["id"]] = serving
    rows.keep(world, endpoint)
    return made


def _forget(world: World, name: str, identifier: str) -> None:
    endpoint = world.table(rows.KIND, rows.scope_of(name)).get(name)
    if endpoint is not None and endpoint["_deploying"].pop(identifier, None) is not None:
        rows.keep(world, endpoint, touch=False)


def install(world: World) -> None:
    """Say what is done."""
    lro.register(world, "endpoint.deploy", _deploy)
