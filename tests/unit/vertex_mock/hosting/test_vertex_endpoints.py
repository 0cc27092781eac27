"""Endpoints and deployments on them. Rules: docstrings of endpoint_service, endpoint and machine_resources."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.unit.vertex_mock.hosting.vertex_hosting_bench import MACHINE, MODEL, PARENT, HostingBench, mode

DEPLOY = "EndpointService.DeployModel"
UPDATE = "EndpointService.UpdateEndpoint"
COUNTER = itertools.count(1)


@pytest.fixture(scope="module")
def pair(bench: HostingBench) -> Any:
    """An endpoint with the deployed models 1 (version 1, all traffic) and 2 (version 2, none)."""
    name = bench.new("pair")
    bench.deploy(name, "1", {"0": 100}, id="1")
    bench.deploy(name, "2", id="2")
    return name


def deploying(endpoint: str, split: Any = None, **more: Any) -> dict[str, Any]:
    """The request of a deployment; None takes a field away."""
    deployed = {"model": f"{MODEL}@1", "dedicated_resources": MACHINE, **more}
    found = {key: value for key, value in deployed.items() if value is not None}
    return {"endpoint": endpoint, "deployed_model": found, "traffic_split": split or {}}


@pytest.mark.parametrize("identifier", ["a", "x" * 63, "a-1", "1", "999999999"])
def test_ids_that_are_taken(bench: HostingBench, identifier: str) -> None:
    assert bench.new(identifier) == f"{PARENT}/endpoints/{identifier}"


@pytest.mark.parametrize("identifier", ["x" * 64, "a-", "A", "a_b", "01", "0", "1234567890", "1a", "-a"])
def test_ids_that_are_refused(bench: HostingBench, identifier: str) -> None:
    asked = {"parent": PARENT, "endpoint": {"display_name": "e"}, "endpoint_id": identifier}
    assert bench.refused("EndpointService.CreateEndpoint", **asked) == "INVALID_ARGUMENT"


def test_a_new_endpoint_has_its_times_and_an_etag(bench: HostingBench) -> None:
    name = bench.new(labels={"team": "ml"}, description="said")
    made = bench.get(name)
    assert name.rpartition("/")[2].isdigit()
    assert {"create_time", "update_time", "etag"} <= set(made)
    assert (made["labels"], made["description"]) == ({"team": "ml"}, "said")
    assert not made.get("traffic_split")
    assert not made.get("deployed_models")


def test_creations_that_are_refused(bench: HostingBench) -> None:
    bench.new("there")
    create = "EndpointService.CreateEndpoint"
    good = {"display_name": "e"}
    assert bench.refused(create, parent=PARENT, endpoint=good, endpoint_id="there") == "ALREADY_EXISTS"
    for wrong in (
        {},
        {"display_name": "x" * 129},
        {**good, "labels": {"No": "x"}},
        {**good, "traffic_split": {"1": 100}},
        {**good, "predict_request_response_logging_config": {"enabled": True, "sampling_rate": 0}},
        {**good, "client_connection_config": {"inference_timeout": "60s"}},
    ):
        assert bench.refused(create, parent=PARENT, endpoint=wrong) == "INVALID_ARGUMENT", wrong
    for honest in ({"network": "projects/1/global/networks/vpc"}, {"enable_private_service_connect": True}):
        assert bench.refused(create, parent=PARENT, endpoint={**good, **honest}) == "UNIMPLEMENTED"


def test_lists_by_filter_and_order(bench: HostingBench) -> None:
    for number in (1, 2):
        bench.new(f"listed-{number}", display_name=f"l {3 - number}", labels={"kind": "listed", f"n{number}": ""})

    def listed(text: str, order: str = "create_time") -> list[str]:
        found = bench.endpoint("ListEndpoints", parent=PARENT, filter=text, order_by=order).get("endpoints", [])
        return [row["name"].rpartition("/")[2] for row in found]

    assert listed("endpoint=listed-1") == ["listed-1"]
    assert listed('display_name="l 1"') == ["listed-2"]
    assert listed('displayName="l 1"') == ["listed-2"]
    assert listed("labels.n1:*") == ["listed-1"]
    assert listed("labels:n2") == ["listed-2"]
    assert listed("labels.kind=listed", "display_name") == ["listed-2", "listed-1"]
    for wrong in ("state=x", 'display_name:"l"', "endpoint<a", "baseModelName!=x"):
        assert bench.refused("EndpointService.ListEndpoints", parent=PARENT, filter=wrong) == "INVALID_ARGUMENT", wrong


def test_what_a_deployed_model_says(bench: HostingBench, pair: str) -> None:
    first, second = bench.get(pair)["deployed_models"]
    assert (first["id"], first["model"], first["model_version_id"]) == ("1", MODEL, "1")
    assert first["display_name"] == "a model"
    assert first["dedicated_resources"]["max_replica_count"] == 1  # by default min_replica_count
    assert first["status"]["available_replica_count"] == 1
    assert first["create_time"]
    assert (second["id"], second["model_version_id"]) == ("2", "2")


def test_an_omitted_split_gives_a_new_model_no_traffic(bench: HostingBench, pair: str) -> None:
    assert bench.get(pair)["traffic_split"] == {"1": 100}
    alone = bench.new()
    bench.deploy(alone)
    assert not bench.get(alone).get("traffic_split")
    assert bench.refused("PredictionService.Predict", endpoint=alone, instances=[1]) == "FAILED_PRECONDITION"


def test_zero_in_a_split_is_the_new_model(bench: HostingBench) -> None:
    endpoint = bench.new()
    first = bench.deploy(endpoint, "1", {"0": 100})["id"]
    assert first.isdigit()
    assert len(first) > 10  # generated ones are longer than those that one may choose
    second = bench.deploy(endpoint, "2", {"0": 10, first: 90}, id="0123456789")["id"]
    assert second == "0123456789"
    assert bench.get(endpoint)["traffic_split"] == {first: 90, second: 10}


@pytest.mark.parametrize(
    "split", [{"0": 99}, {"0": 50, "1": 51}, {"0": 100, "7": 0}, {"9": 100}, {"0": 101, "1": -1}, {"8": 100}]
)
def test_splits_that_a_deployment_cannot_have(bench: HostingBench, pair: str, split: dict[str, int]) -> None:
    """Among them one that calls the new model by the id it is to get: "0" should be used."""
    assert bench.refused(DEPLOY, **deploying(pair, split, id="8")) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("identifier", ["x", "12345678901", "-1", "0", "1.0"])
def test_deployed_ids_that_are_refused(bench: HostingBench, pair: str, identifier: str) -> None:
    assert bench.refused(DEPLOY, **deploying(pair, id=identifier)) == "INVALID_ARGUMENT"


def test_a_deployed_id_is_used_once_even_on_its_way(bench: HostingBench, pair: str) -> None:
    assert bench.refused(DEPLOY, **deploying(pair, id="1")) == "ALREADY_EXISTS"
    endpoint = bench.new()
    with bench.world.lock:  # the first one has not begun when the second is asked for
        operation = bench.endpoint("DeployModel", **deploying(endpoint, id="5"))
        assert bench.refused(DEPLOY, **deploying(endpoint, id="5")) == "ALREADY_EXISTS"
        assert bench.refused("EndpointService.DeleteEndpoint", name=endpoint) == "FAILED_PRECONDITION"
    assert bench.done(operation)["deployed_model"]["id"] == "5"
    assert len(bench.get(endpoint)["deployed_models"]) == 1


def resources(**more: Any) -> dict[str, Any]:
    return {"dedicated_resources": {**MACHINE, **more}}


def machine(**spec: Any) -> dict[str, Any]:
    return resources(machine_spec=spec)


CPU = "aiplatform.googleapis.com/prediction/online/cpu/utilization"


@pytest.mark.parametrize(
    "change",
    [
        {"dedicated_resources": None},
        {"dedicated_resources": None, "automatic_resources": {"min_replica_count": 1}},
        {"model": None},
        {"display_name": "x" * 129},
        machine(machine_type="n1-standard-3"),
        machine(machine_type="m5.large"),
        machine(machine_type="n1-standard-4", accelerator_type="NVIDIA_TESLA_T4"),
        machine(machine_type="n1-standard-4", accelerator_count=1),
        machine(machine_type="n1-standard-4", accelerator_type="NVIDIA_L4", accelerator_count=1),
        resources(min_replica_count=0),
        resources(min_replica_count=3, max_replica_count=2),
        resources(required_replica_count=2),
        resources(autoscaling_metric_specs=[{"metric_name": "cpu", "target": 60}]),
        resources(autoscaling_metric_specs=[{"metric_name": CPU, "target": 101}]),
        resources(autoscaling_metric_specs=[{"metric_name": CPU}, {"metric_name": CPU}]),
    ],
)
def test_deployments_that_are_refused(bench: HostingBench, pair: str, change: dict[str, Any]) -> None:
    assert bench.refused(DEPLOY, **deploying(pair, **change)) == "INVALID_ARGUMENT"


def test_what_is_not_there_cannot_be_deployed(bench: HostingBench, pair: str) -> None:
    assert bench.refused(DEPLOY, **deploying(f"{PARENT}/endpoints/none")) == "NOT_FOUND"
    assert bench.refused(DEPLOY, **deploying(pair, model=f"{MODEL}@9")) == "NOT_FOUND"
    pool = {"dedicated_resources": None, "shared_resources": f"{PARENT}/deploymentResourcePools/none"}
    assert bench.refused(DEPLOY, **deploying(pair, **pool)) == "NOT_FOUND"


def test_replicas_and_autoscaling_are_kept(bench: HostingBench) -> None:
    spec = {"metric_name": CPU, "target": 80}
    given = resources(min_replica_count=2, max_replica_count=5, required_replica_count=1)["dedicated_resources"]
    given["autoscaling_metric_specs"] = [spec]
    made = bench.deploy(bench.new(), dedicated_resources=given)
    assert made["status"]["available_replica_count"] == 2
    kept = made["dedicated_resources"]
    assert (kept["min_replica_count"], kept["max_replica_count"], kept["required_replica_count"]) == (2, 5, 1)
    assert kept["autoscaling_metric_specs"] == [spec]


@pytest.mark.parametrize("how", ["unhealthy", "crash", "oom"])
def test_a_container_that_does_not_serve_fails_the_operation(bench: HostingBench, pair: str, how: str) -> None:
    room = bench.world.rooms["hosting"]
    version = bench.tripler(container_spec=mode(how))
    words = {"unhealthy": "never became ready", "crash": "exited unexpectedly", "oom": "OOMKilled"}
    room.patience = 0.5 if how == "unhealthy" else 10.0
    try:
        code, text = bench.failed(bench.begin(pair, version, {"0": 50, "1": 50}, id="77"))
    finally:
        room.patience = 10.0
    assert code == 9  # FAILED_PRECONDITION
    assert words[how] in text
    endpoint = bench.get(pair)
    assert [row["id"] for row in endpoint["deployed_models"]] == ["1", "2"]
    assert endpoint["traffic_split"] == {"1": 100}
    assert room.server(pair, "77") is None
    assert not (bench.world.folder / "endpoints" / "123456789" / "us-central1" / "pair" / "77").exists()


def test_a_new_split_holds_at_once(bench: HostingBench, pair: str) -> None:
    def change(split: dict[str, int], **more: Any) -> Any:
        return bench.ask(UPDATE, endpoint={"name": pair, "traffic_split": split, **more}, update_mask=["traffic_split"])

    try:
        assert change({"2": 100})["traffic_split"] == {"2": 100}
        assert bench.predict(pair, 2)["deployed_model_id"] == "2"
        old = bench.get(pair)["etag"]
        new = change({"1": 40, "2": 60}, etag=old)["etag"]
        assert new != old
        stale = {"name": pair, "traffic_split": {"1": 100}, "etag": old}
        assert bench.refused(UPDATE, endpoint=stale, update_mask=["traffic_split"]) == "ABORTED"
        assert bench.get(pair)["traffic_split"] == {"1": 40, "2": 60}
        change({"1": 30, "2": 70})  # without an etag it is blind
        for wrong in ({"1": 99}, {"3": 100}, {"0": 100}, {"1": 150, "2": -50}):
            asked = {"endpoint": {"name": pair, "traffic_split": wrong}, "update_mask": ["traffic_split"]}
            assert bench.refused(UPDATE, **asked) == "INVALID_ARGUMENT", wrong
        assert not change({}).get("traffic_split")  # not to accept any traffic at a moment
        assert bench.refused("PredictionService.Predict", endpoint=pair, instances=[1]) == "FAILED_PRECONDITION"
    finally:
        change({"1": 100})


def test_a_mask_says_what_an_update_changes(bench: HostingBench, pair: str) -> None:
    patch = {"name": pair, "display_name": "other", "traffic_split": {"2": 100}}
    changed = bench.ask(UPDATE, endpoint=patch, update_mask=["display_name"])
    assert (changed["display_name"], changed["traffic_split"]) == ("other", {"1": 100})
    for mask in ("deployed_models", "name", "create_time", "dedicated_endpoint_enabled", "nonsense"):
        assert bench.refused(UPDATE, endpoint=patch, update_mask=[mask]) == "INVALID_ARGUMENT", mask
    assert bench.refused(UPDATE, endpoint=patch) == "INVALID_ARGUMENT"


def test_traffic_keeps_a_model_deployed(bench: HostingBench) -> None:
    endpoint, undeploy = bench.new(), "EndpointService.UndeployModel"
    bench.deploy(endpoint, "1", {"0": 100}, id="1")
    bench.deploy(endpoint, "2", id="2")
    asked = {"endpoint": endpoint, "deployed_model_id": "1"}
    assert bench.refused("EndpointService.DeleteEndpoint", name=endpoint) == "FAILED_PRECONDITION"
    assert bench.refused(undeploy, **asked) == "FAILED_PRECONDITION"
    assert bench.refused(undeploy, **asked, traffic_split={"1": 100}) == "FAILED_PRECONDITION"
    assert bench.refused(undeploy, **asked, traffic_split={"2": 90}) == "INVALID_ARGUMENT"
    assert bench.refused(undeploy, endpoint=endpoint, deployed_model_id="3") == "INVALID_ARGUMENT"
    process = bench.world.rooms["hosting"].server(endpoint, "1").process
    bench.done(bench.ask(undeploy, **asked, traffic_split={"2": 100}))
    assert process.wait(0) is not None
    found = bench.get(endpoint)
    assert ([row["id"] for row in found["deployed_models"]], found["traffic_split"]) == (["2"], {"2": 100})
    bench.done(bench.ask(undeploy, endpoint=endpoint, deployed_model_id="2"))  # the last one: the split ends up empty
    found = bench.get(endpoint)
    assert (found.get("deployed_models") or [], found.get("traffic_split") or {}) == ([], {})
    bench.done(bench.endpoint("DeleteEndpoint", name=endpoint))
    assert bench.refused("EndpointService.GetEndpoint", name=endpoint) == "NOT_FOUND"


def test_a_model_without_traffic_is_undeployed_without_a_split(bench: HostingBench) -> None:
    endpoint = bench.new()
    bench.deploy(endpoint, "1", {"0": 100}, id="1")
    bench.deploy(endpoint, "2", id="2")
    bench.done(bench.endpoint("UndeployModel", endpoint=endpoint, deployed_model_id="2"))
    assert bench.get(endpoint)["traffic_split"] == {"1": 100}


MUTATE = "EndpointService.MutateDeployedModel"


def test_what_can_be_mutated(bench: HostingBench, pair: str) -> None:
    resources = {"min_replica_count": 2, "max_replica_count": 4}
    patch = {"id": "2", "dedicated_resources": resources, "disable_container_logging": True}
    paths = ["dedicated_resources.min_replica_count", "dedicated_resources.max_replica_count"]
    operation = bench.ask(
        MUTATE, endpoint=pair, deployed_model=patch, update_mask=[*paths, "disable_container_logging"]
    )
    made = bench.done(operation)["deployed_model"]
    assert (made["dedicated_resources"]["min_replica_count"], made["dedicated_resources"]["max_replica_count"]) == (
        2,
        4,
    )
    assert made["dedicated_resources"]["machine_spec"] == {"machine_type": "n1-standard-2"}
    assert made["disable_container_logging"] is True
    assert bench.get(pair)["deployed_models"][1] == made


@pytest.mark.parametrize(
    "path",
    ["dedicated_resources.machine_spec.machine_type", "model", "display_name", "service_account", "id", "nonsense"],
)
def test_what_cannot_be_mutated(bench: HostingBench, pair: str, path: str) -> None:
    patch = {"id": "2", "model": MODEL, "display_name": "x", "dedicated_resources": MACHINE}
    assert bench.refused(MUTATE, endpoint=pair, deployed_model=patch, update_mask=[path]) == "INVALID_ARGUMENT"


def test_mutations_that_are_refused(bench: HostingBench, pair: str) -> None:
    patch = {"id": "2", "dedicated_resources": {"min_replica_count": 0}}
    paths = ["dedicated_resources.min_replica_count"]
    assert bench.refused(MUTATE, endpoint=pair, deployed_model=patch, update_mask=paths) == "INVALID_ARGUMENT"
    nobody = {"id": "9", "dedicated_resources": {"min_replica_count": 1}}
    assert bench.refused(MUTATE, endpoint=pair, deployed_model=nobody, update_mask=paths) == "INVALID_ARGUMENT"


def test_two_mutations_at_once_both_hold(bench: HostingBench) -> None:
    endpoint = bench.new()
    bench.deploy(endpoint, id="1")

    def change(field: str, value: Any) -> Any:
        patch = {"id": "1", "dedicated_resources": {field: value}}
        return bench.ask(MUTATE, endpoint=endpoint, deployed_model=patch, update_mask=[f"dedicated_resources.{field}"])

    with bench.world.lock:
        begun = [change("max_replica_count", 3)]
        begun.append(change("autoscaling_metric_specs", [{"metric_name": CPU, "target": 70}]))
    for one in begun:
        bench.done(one)
    kept = bench.get(endpoint)["deployed_models"][0]["dedicated_resources"]
    assert (kept["max_replica_count"], kept["autoscaling_metric_specs"][0]["target"]) == (3, 70)


def test_a_dedicated_endpoint_has_a_name_of_its_own(bench: HostingBench) -> None:
    config = {"inference_timeout": "120s"}
    name = bench.new("mine", dedicated_endpoint_enabled=True, client_connection_config=config)
    host = bench.get(name)["dedicated_endpoint_dns"]
    assert host.startswith("mine.us-central1-")
    assert host.endswith(".prediction.vertexai.goog")
    bench.deploy(name, "1", {"0": 100})
    assert bench.refused("PredictionService.Predict", endpoint=name, instances=[1]) == "FAILED_PRECONDITION"
    patch = {**bench.get(name), "client_connection_config": {"inference_timeout": "30s"}}
    patch = {key: value for key, value in patch.items() if not key.startswith("_")}
    bench.done(bench.endpoint("UpdateEndpointLongRunning", endpoint=patch))
    assert bench.get(name)["client_connection_config"] == {"inference_timeout": "30s"}
    for change in ({"display_name": "x"}, {"labels": {"a": "b"}}):
        other = {**patch, "etag": "", **change}
        assert bench.refused("EndpointService.UpdateEndpointLongRunning", endpoint=other) == "INVALID_ARGUMENT"


def rollout(**more: Any) -> dict[str, Any]:
    return {"model": f"{MODEL}@2", "rollout_options": {"previous_deployed_model": "1", "max_surge_replicas": 1, **more}}


def test_a_rolling_deployment_takes_the_place_of_the_previous_one(bench: HostingBench) -> None:
    endpoint = bench.new()
    bench.deploy(endpoint, "1", {"0": 100}, id="1")
    old = bench.world.rooms["hosting"].server(endpoint, "1").process
    asked = {"endpoint": endpoint, "deployed_model": {**rollout(), "id": "2"}}
    made = bench.done(bench.ask(DEPLOY, "v1beta1", **asked))["deployed_model"]
    assert made["dedicated_resources"]["machine_spec"] == {"machine_type": "n1-standard-2"}  # inherited
    assert made["rollout_options"]["revision_number"] == 2
    assert old.wait(0) is not None
    assert bench.get(endpoint)["traffic_split"] == {"2": 100}
    assert bench.predict(endpoint, 2)["predictions"] == [10]


def test_a_rolling_deployment_that_fails_leaves_the_previous_one(bench: HostingBench) -> None:
    version = bench.tripler(container_spec=mode("crash"))
    endpoint = bench.new()
    bench.deploy(endpoint, "1", {"0": 100}, id="1")
    given = {**rollout(), "model": f"{MODEL}@{version}"}
    code, _ = bench.failed(bench.ask(DEPLOY, "v1beta1", endpoint=endpoint, deployed_model=given))
    assert code == 9
    assert bench.predict(endpoint, 2)["deployed_model_id"] == "1"


def test_rolling_deployments_that_are_refused(bench: HostingBench, pair: str) -> None:
    other = bench.upload()["model"]
    for wrong, split in (
        (rollout(previous_deployed_model="9"), {}),
        (rollout(max_surge_replicas=0), {}),
        ({**rollout(), "model": other}, {}),
        ({**rollout(), **resources(machine_spec={"machine_type": "n1-standard-8"})}, {}),
        (rollout(), {"0": 50, "1": 50}),
    ):
        asked = {"endpoint": pair, "deployed_model": wrong, "traffic_split": split}
        assert bench.refused(DEPLOY, "v1beta1", **asked) == "INVALID_ARGUMENT", wrong
    # v1 does not know the field.
    assert bench.refused(DEPLOY, endpoint=pair, deployed_model=rollout()) == "INVALID_ARGUMENT"


def test_v1beta1_scales_to_zero_and_v1_does_not(bench: HostingBench, pair: str) -> None:
    given = deploying(pair, **resources(min_replica_count=0, initial_replica_count=1, max_replica_count=2))
    assert bench.refused(DEPLOY, **given) == "INVALID_ARGUMENT"
    endpoint = bench.new()
    made = bench.done(bench.ask(DEPLOY, "v1beta1", **{**given, "endpoint": endpoint}))["deployed_model"]
    assert made["status"]["available_replica_count"] == 1
