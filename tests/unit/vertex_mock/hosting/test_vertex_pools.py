"""Deployment resource pools, and the quota that they share with endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.vertex_mock.hosting.vertex_hosting_bench import MACHINE, MODEL, PARENT, HostingBench

SERVICE = "DeploymentResourcePoolService"


def create(bench: HostingBench, identifier: str, **more: Any) -> str:
    pool = {"dedicated_resources": {**MACHINE, **more}}
    asked = {"parent": PARENT, "deployment_resource_pool": pool, "deployment_resource_pool_id": identifier}
    return str(bench.done(bench.ask(f"{SERVICE}.CreateDeploymentResourcePool", **asked))["name"])


def test_models_share_a_pool(bench: HostingBench) -> None:
    pool = create(bench, "shared", min_replica_count=2)
    assert pool == f"{PARENT}/deploymentResourcePools/shared"
    endpoints = [bench.new(), bench.new()]
    for number, endpoint in enumerate(endpoints, 1):
        made = bench.deploy(
            endpoint, str(number), {"0": 100}, id=str(number), dedicated_resources=None, shared_resources=pool
        )
        assert made["shared_resources"] == pool
        assert made["status"]["available_replica_count"] == 2
        assert "dedicated_resources" not in made
    assert [bench.predict(one, 2)["predictions"] for one in endpoints] == [[6], [10]]
    found = bench.ask(f"{SERVICE}.QueryDeployedModels", deployment_resource_pool=pool)
    refs = [{"endpoint": name, "deployed_model_id": str(number)} for number, name in enumerate(endpoints, 1)]
    assert found["deployed_model_refs"] == refs
    assert (found["total_deployed_model_count"], found["total_endpoint_count"]) == (2, 2)
    delete = f"{SERVICE}.DeleteDeploymentResourcePool"
    assert bench.refused(delete, name=pool) == "FAILED_PRECONDITION"
    # What belongs to the pool is not a deployed model's to change.
    patch = {"id": "1", "dedicated_resources": {"min_replica_count": 3}}
    asked = {
        "endpoint": endpoints[0],
        "deployed_model": patch,
        "update_mask": ["dedicated_resources.min_replica_count"],
    }
    assert bench.refused("EndpointService.MutateDeployedModel", **asked) == "INVALID_ARGUMENT"
    for number, endpoint in enumerate(endpoints, 1):
        bench.done(bench.endpoint("UndeployModel", endpoint=endpoint, deployed_model_id=str(number)))
    bench.done(bench.ask(delete, name=pool))
    assert bench.refused(f"{SERVICE}.GetDeploymentResourcePool", name=pool) == "NOT_FOUND"


@pytest.mark.parametrize("identifier", ["A", "1a", "a-", "x" * 64, ""])
def test_ids_that_are_refused(bench: HostingBench, identifier: str) -> None:
    asked = {"parent": PARENT, "deployment_resource_pool": {"dedicated_resources": MACHINE}}
    asked["deployment_resource_pool_id"] = identifier
    assert bench.refused(f"{SERVICE}.CreateDeploymentResourcePool", **asked) == "INVALID_ARGUMENT"


def test_pools_that_are_refused(bench: HostingBench) -> None:
    create(bench, "there")
    asked: dict[str, Any] = {"parent": PARENT, "deployment_resource_pool_id": "there"}
    rpc = f"{SERVICE}.CreateDeploymentResourcePool"
    good = {"dedicated_resources": MACHINE}
    assert bench.refused(rpc, **asked, deployment_resource_pool=good) == "ALREADY_EXISTS"
    for wrong in ({}, {"dedicated_resources": {**MACHINE, "min_replica_count": 0}}):
        assert bench.refused(rpc, **asked, deployment_resource_pool=wrong) == "INVALID_ARGUMENT"


def test_a_pool_scales(bench: HostingBench) -> None:
    pool, update = create(bench, "scaling"), f"{SERVICE}.UpdateDeploymentResourcePool"
    patch = {"name": pool, "dedicated_resources": {"max_replica_count": 4, "machine_spec": {"machine_type": "x"}}}
    asked = {"deployment_resource_pool": patch}
    bench.done(bench.ask(update, **asked, update_mask=["dedicated_resources.max_replica_count"]))
    kept = bench.ask(f"{SERVICE}.GetDeploymentResourcePool", name=pool)["dedicated_resources"]
    assert (kept["max_replica_count"], kept["machine_spec"]["machine_type"]) == (4, "n1-standard-2")
    for mask in ("dedicated_resources.machine_spec", "name", "*"):
        assert bench.refused(update, **asked, update_mask=[mask]) == "INVALID_ARGUMENT", mask


def test_the_quota_counts_the_most_replicas_of_all(own: HostingBench) -> None:
    """DedicatedResources: charged for max_replica_count * number of cores in the selected machine type."""
    own.world.switches.set("serving-cpus-quota", "24")
    endpoint = own.new()
    eight = {"machine_spec": {"machine_type": "n1-standard-4"}, "min_replica_count": 1, "max_replica_count": 2}
    own.deploy(endpoint, id="1", dedicated_resources=eight)
    pool = create(own, "pool", **eight)
    own.deploy(endpoint, id="2", dedicated_resources=None, shared_resources=pool)  # charged with its pool
    with own.world.lock:  # 8 more make 24; what is on its way counts
        begun = own.begin(endpoint, id="3", dedicated_resources=eight)
        deployed = {"model": f"{MODEL}@1", "dedicated_resources": MACHINE}
        asked = {"endpoint": endpoint, "deployed_model": deployed}
        assert own.refused("EndpointService.DeployModel", **asked) == "RESOURCE_EXHAUSTED"
    own.done(begun)
    patch = {"id": "1", "dedicated_resources": {"max_replica_count": 3}}
    asked = {"endpoint": endpoint, "deployed_model": patch, "update_mask": ["dedicated_resources.max_replica_count"]}
    assert own.refused("EndpointService.MutateDeployedModel", **asked) == "RESOURCE_EXHAUSTED"
    patch["dedicated_resources"] = {"max_replica_count": 1}
    own.done(own.ask("EndpointService.MutateDeployedModel", **asked))
    own.deploy(endpoint, id="4")
