"""Deployments in trouble: faults of machines and operations, a mock that is stopped or killed in the middle of one."""

from __future__ import annotations

import pytest

from cloudml_vertex.mock.core import lro
from tests.unit.vertex_mock.hosting.vertex_hosting_bench import HERE, MACHINE, MODEL, HostingBench, mode

DEPLOY = "EndpointService.DeployModel"
GET = "Operations.GetOperation"


@pytest.mark.parametrize(
    ("kind", "code", "says"),
    [
        ("unhealthy", 9, "never became ready"),
        ("out-of-memory", 9, "OOMKilled"),
        ("endpoint-capacity", 8, "stockout"),
    ],
)
def test_faults_of_machines_fail_the_operation(own: HostingBench, kind: str, code: int, says: str) -> None:
    endpoint = own.new()
    own.arm(f"{kind}:an endpoint,count=1")
    found, text = own.failed(own.begin(endpoint, split={"0": 100}, id="1"))
    assert found == code
    assert says in text
    assert not own.get(endpoint).get("deployed_models")
    assert not own.get(endpoint).get("traffic_split")
    assert own.deploy(endpoint, split={"0": 100}, id="1")["id"] == "1"  # the id is free again
    assert own.predict(endpoint, 2)["predictions"] == [6]


def test_a_lost_operation_is_not_a_lost_deployment(own: HostingBench) -> None:
    endpoint = own.new()
    own.arm("operation-lost:DeployModel,count=1")
    operation = own.begin(endpoint, split={"0": 100}, id="1")
    own.until(lambda: own.get(endpoint).get("deployed_models"))
    own.until(lambda: own.world.table(lro.KIND, HERE).get(operation["name"]) is None)
    assert own.refused(GET, name=operation["name"]) == "NOT_FOUND"
    assert own.get(endpoint)["traffic_split"] == {"1": 100}
    assert own.predict(endpoint, 2)["predictions"] == [6]


def test_an_operation_that_never_ends_holds_nothing(own: HostingBench) -> None:
    endpoint = own.new()
    own.arm("operation-hang:DeployModel,count=1")
    operation = own.begin(endpoint, split={"0": 100}, id="1")
    assert not own.get(endpoint).get("deployed_models")
    own.reopen()
    assert not own.ask(GET, name=operation["name"]).get("done")
    assert not own.get(endpoint).get("deployed_models")
    own.ask("Operations.CancelOperation", name=operation["name"])
    assert own.failed(operation)[0] == 1  # CANCELLED
    own.world.rooms["hosting"].patience = 10.0
    assert own.deploy(endpoint, id="1")["id"] == "1"


def test_an_operation_that_fails_leaves_nothing(own: HostingBench) -> None:
    endpoint = own.new()
    own.arm("operation-fails:DeployModel,count=1")
    assert own.failed(own.begin(endpoint, id="1"))[0] == 13
    own.done(own.endpoint("DeleteEndpoint", name=endpoint))


def test_a_slow_operation_begins_later(own: HostingBench) -> None:
    endpoint = own.new()
    own.arm("operation-slow:DeployModel,seconds=1200")
    operation = own.begin(endpoint, split={"0": 100}, id="1")
    own.advance(1199)
    assert not own.ask(GET, name=operation["name"]).get("done")
    assert own.refused("EndpointService.DeleteEndpoint", name=endpoint) == "FAILED_PRECONDITION"
    asked = {"endpoint": endpoint, "deployed_model": {"model": MODEL, "dedicated_resources": MACHINE, "id": "1"}}
    assert own.refused(DEPLOY, **asked) == "ALREADY_EXISTS"
    own.advance(2)
    assert own.done(operation)["deployed_model"]["id"] == "1"


def test_the_default_version_is_that_of_the_request(own: HostingBench) -> None:
    """A deployment of `models/x` takes the default version of that moment, and keeps it."""
    endpoint = own.new()
    own.tripler(5)
    own.arm("operation-slow:DeployModel,seconds=60")
    operation = own.begin(endpoint, split={"0": 100}, model=MODEL)
    own.model("MergeVersionAliases", name=f"{MODEL}@2", version_aliases=["default"])
    own.advance(61)
    made = own.done(operation)["deployed_model"]
    assert (made["model"], made["model_version_id"]) == (MODEL, "1")
    assert own.predict(endpoint, 2)["predictions"] == [6]


def test_a_split_that_is_wrong_by_the_end_fails_the_operation(own: HostingBench) -> None:
    endpoint = own.new()
    own.deploy(endpoint, id="1")
    own.arm("operation-slow:DeployModel,seconds=60")
    operation = own.begin(endpoint, split={"0": 50, "1": 50}, id="2")
    own.done(own.endpoint("UndeployModel", endpoint=endpoint, deployed_model_id="1"))
    own.advance(61)
    assert own.failed(operation)[0] == 3
    assert not own.get(endpoint).get("deployed_models")
    assert own.world.rooms["hosting"].server(endpoint, "2") is None
    own.done(own.endpoint("DeleteEndpoint", name=endpoint))


def test_endpoints_serve_again_after_a_restart(own: HostingBench) -> None:
    own.tripler(5)
    endpoint = own.new()
    own.deploy(endpoint, "1", {"0": 100}, id="1")
    own.deploy(endpoint, "2", {"0": 100, "1": 0}, id="2")
    before = own.get(endpoint)
    process = own.world.rooms["hosting"].server(endpoint, "2").process
    own.reopen()
    assert process.wait(0) is not None
    assert own.get(endpoint) == before
    room = own.world.rooms["hosting"]
    own.until(lambda: room.server(endpoint, "1") and room.server(endpoint, "2"))
    assert own.predict(endpoint, 2)["predictions"] == [10]


def test_a_deployment_that_the_end_of_the_mock_broke_off_ends_after_the_restart(own: HostingBench) -> None:
    endpoint = own.new()
    version = own.tripler(7, container_spec=mode("gate"))
    operation = own.begin(endpoint, version, {"0": 100}, id="1")
    own.until(lambda: own.ask(GET, name=operation["name"])["metadata"]["deployment_stage"] == "STARTING_MODEL_SERVER")
    own.reopen()
    own.world.rooms["hosting"].patience = 10.0
    assert not own.ask(GET, name=operation["name"]).get("done")
    assert own.refused("EndpointService.DeleteEndpoint", name=endpoint) == "FAILED_PRECONDITION"
    (own.world.gcs / "bucket" / "go").touch()
    assert own.done(operation)["deployed_model"]["id"] == "1"
    assert own.predict(endpoint, 2)["predictions"] == [14]
    assert own.get(endpoint)["traffic_split"] == {"1": 100}


def test_stages_are_told_while_it_deploys(own: HostingBench) -> None:
    endpoint = own.new()
    assert own.begin(endpoint)["metadata"]["deployment_stage"] == "STARTING_DEPLOYMENT"
    ended = own.ended(own.begin(endpoint))
    assert ended["metadata"]["deployment_stage"] == "SUCCESSFULLY_DEPLOYED"
    version = own.tripler(9, container_spec=mode("crash"))
    assert own.ended(own.begin(endpoint, version))["metadata"]["deployment_stage"] == "FAILED_TO_DEPLOY"
