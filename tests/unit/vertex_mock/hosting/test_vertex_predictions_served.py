"""Predictions by containers that really run: contract of custom containers, splits, metrics, logs."""

from __future__ import annotations

import base64
import json
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cloudml_vertex.mock.core import dispatch, entries, gcs, predictions, series
from cloudml_vertex.mock.core.catalog import method
from cloudml_vertex.mock.core.wire import message
from cloudml_vertex.mock.hosting import requestlog
from tests.unit.vertex_mock.hosting.vertex_hosting_bench import MODEL, SPEC, HostingBench
from tests.unit.vertex_mock.jobs.vertex_bench import HERE

PREDICT = "PredictionService.Predict"
RAW = "PredictionService.RawPredict"


@pytest.fixture(scope="module")
def endpoint(bench: HostingBench) -> str:
    """All traffic goes to the deployed model 1, which triples."""
    name = bench.new("serving")
    bench.deploy(name, "1", {"0": 100}, id="1", enable_access_logging=True)
    return str(name)


def test_what_predict_answers(bench: HostingBench, endpoint: str) -> None:
    assert bench.predict(endpoint, 1, 2.5) == {
        "predictions": [3, 7.5],
        "deployed_model_id": "1",
        "model": MODEL,
        "model_version_id": "1",
        "model_display_name": "a model",
    }


def test_the_container_gets_instances_and_parameters(bench: HostingBench, endpoint: str) -> None:
    assert bench.predict(endpoint, "body")["predictions"] == [{"instances": ["body"]}]
    found = bench.predict(endpoint, "body", {"a": [1, None]}, parameters={"top": 3})["predictions"][0]
    assert found == {"instances": ["body", {"a": [1, None]}], "parameters": {"top": 3}}
    assert bench.predict(endpoint, 1, parameters={"metadata": True})["metadata"] == {"model": "tripler"}


def test_instances_are_required(bench: HostingBench, endpoint: str) -> None:
    assert bench.refused(PREDICT, endpoint=endpoint) == "INVALID_ARGUMENT"
    assert bench.refused(PREDICT, endpoint=endpoint, instances=[]) == "INVALID_ARGUMENT"
    assert bench.refused(PREDICT, endpoint=f"{endpoint}x", instances=[1]) == "NOT_FOUND"
    assert bench.refused(PREDICT, endpoint=endpoint, instances=["x" * 1_500_001]) == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "INVALID_ARGUMENT"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (422, "INVALID_ARGUMENT"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (503, "UNAVAILABLE"),
    ],
)
def test_an_error_of_the_container_is_the_callers(bench: HostingBench, endpoint: str, status: int, code: str) -> None:
    with pytest.raises(Exception, match="the model says no") as caught:
        bench.predict(endpoint, {"status": status})
    assert getattr(caught.value, "code", "") == code


def test_an_answer_without_predictions_is_an_error(bench: HostingBench, endpoint: str) -> None:
    assert bench.refused(PREDICT, endpoint=endpoint, instances=["nonsense"]) == "INTERNAL"


def raw(bench: HostingBench, endpoint: str, body: bytes, media: str, **headers: str) -> dict[str, Any]:
    given = {"endpoint": endpoint, "http_body": {"content_type": media, "data": base64.b64encode(body).decode()}}
    request = message(given, method(RAW, "v1").request)
    found = dispatch.serve(bench.world, RAW, request, "v1", http=headers)
    assert isinstance(found, dict)
    return found


def test_a_raw_prediction_is_any_body(bench: HostingBench, endpoint: str) -> None:
    headers = {"x-told": "hello", "authorization": "Bearer secret"}
    found = raw(bench, endpoint, b"\x00abc", "application/x-ours", **headers)
    assert (found["content_type"], base64.b64decode(found["data"])) == ("application/x-ours", b"cba\x00")
    told = found["_headers"]
    assert told["X-Vertex-AI-Endpoint-Id"] == "serving"  # RawPredict's documentation names these two
    assert told["X-Vertex-AI-Deployed-Model-Id"] == "1"
    answer = raw(bench, endpoint, b'{"instances": [2]}', "application/json")
    assert json.loads(base64.b64decode(answer["data"])) == {"predictions": [6]}


def test_a_raw_prediction_that_fails_has_the_containers_status(bench: HostingBench, endpoint: str) -> None:
    with pytest.raises(Exception, match="the model says no") as caught:
        raw(bench, endpoint, b'{"instances": [{"status": 429}]}', "application/json")
    assert getattr(caught.value, "code", "") == "RESOURCE_EXHAUSTED"


def test_traffic_is_split_by_weight(bench: HostingBench) -> None:
    """Shares lie within what a fair coin would give nearly always: four standard deviations."""
    name = bench.new()
    bench.deploy(name, "1", {"0": 100}, id="1")
    bench.deploy(name, "2", {"0": 20, "1": 80}, id="2")
    asked = 250
    seen: Counter[str] = Counter()
    for _ in range(asked):
        answer = bench.predict(name, 1)
        assert answer["predictions"] == [{"1": 3, "2": 5}[answer["deployed_model_id"]]]
        assert answer["model_version_id"] == answer["deployed_model_id"]
        seen[answer["deployed_model_id"]] += 1
    assert abs(seen["2"] - 0.2 * asked) < 4 * math.sqrt(asked * 0.2 * 0.8)


def test_what_a_container_is_told(bench: HostingBench) -> None:
    gcs.write(bench.world, "gs://bucket/told/factor", b"7")
    env = [
        {"name": "VAR_1", "value": "foo"},
        {"name": "VAR_2", "value": "$(VAR_1) bar"},
        {"name": "VAR_3", "value": "$(VAR_4) $$(VAR_1)"},
        {"name": "VAR_4", "value": "late"},
        {"name": "AIP_PREDICT_ROUTE", "value": "/mine"},
    ]
    spec = {**SPEC, "env": env, "args": ["--port=$(AIP_HTTP_PORT)", "$(VAR_1)", "$(NOBODY)"]}
    spec["ports"] = [{"container_port": 7070}, {"container_port": 7071}]
    made = bench.upload(container_spec=spec, artifact_uri="gs://bucket/told")["model"]
    name = bench.new("told")
    bench.deploy(name, split={"0": 100}, model=made, id="3")
    environment, argv, product = bench.predict(name, "environment", "argv", 2)["predictions"]
    expected = {
        "AIP_PREDICT_ROUTE": "/predict",  # Vertex AI's own go before the container's
        "AIP_HEALTH_ROUTE": "/health",
        "AIP_ENDPOINT_ID": "told",
        "AIP_DEPLOYED_MODEL_ID": "3",
        "AIP_MODE": "PREDICTION",
        "VAR_2": "foo bar",
        "VAR_3": "$(VAR_4) $(VAR_1)",
    }
    assert {key: environment.get(key) for key in expected} == expected
    assert environment["AIP_STORAGE_URI"].startswith("gs://caip-tenant-")  # a copy, which nobody else changes
    assert product == 14
    assert argv[1:] == ["foo", "$(NOBODY)"]
    # Without networks of their own containers share this machine's ports, and are told a free one.
    assert environment["AIP_HTTP_PORT"] in {"7070", argv[0].removeprefix("--port=")}


@pytest.mark.parametrize(("choice", "health"), [("deployed-model", ""), ("predict", ":predict")])
def test_routes_by_default(bench: HostingBench, choice: str, health: str) -> None:
    bench.world.switches.set("default-health-route", choice)
    try:
        made = bench.upload(container_spec={"image_uri": SPEC["image_uri"]})["model"]
        name = bench.new()
        bench.deploy(name, split={"0": 100}, model=made, id="4")
    finally:
        bench.world.switches.set("default-health-route", "deployed-model")
    environment = bench.predict(name, "environment")["predictions"][0]
    route = f"/v1/endpoints/{name.rpartition('/')[2]}/deployedModels/4"
    assert environment["AIP_PREDICT_ROUTE"] == f"{route}:predict"
    assert environment["AIP_HEALTH_ROUTE"] == f"{route}{health}"
    assert environment["AIP_STORAGE_URI"] == ""


def test_a_container_that_ends_is_started_again(bench: HostingBench) -> None:
    name = bench.new()
    bench.deploy(name, "1", {"0": 100}, id="1")
    before = bench.predict(name, "born")["predictions"]
    assert bench.refused(PREDICT, endpoint=name, instances=["crash"]) == "UNAVAILABLE"
    server = bench.world.rooms["hosting"].server(name, "1")
    bench.until(lambda: server.restarts and server.wire)
    assert bench.predict(name, "born")["predictions"] != before


def test_an_answer_that_takes_too_long(bench: HostingBench) -> None:
    config = {"inference_timeout": "0.2s"}
    name = bench.new(dedicated_endpoint_enabled=True, client_connection_config=config)
    bench.deploy(name, "1", {"0": 100})
    bench.world.switches.set("dedicated-endpoint-shared-host", "allow")
    try:
        assert bench.refused(PREDICT, endpoint=name, instances=["sleep"]) == "DEADLINE_EXCEEDED"
    finally:
        bench.world.switches.set("dedicated-endpoint-shared-host", "refuse")


def test_a_request_on_its_way_is_answered_by_a_model_that_is_undeployed(bench: HostingBench) -> None:
    name = bench.new()
    bench.deploy(name, "1", {"0": 100}, id="1")
    bench.deploy(name, "2", id="2")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(bench.predict, name, "nap")
        bench.wait_for("asleep")
        operation = bench.endpoint("UndeployModel", endpoint=name, deployed_model_id="1", traffic_split={"2": 100})
        bench.done(operation)
        assert asked.result(10)["deployed_model_id"] == "1"
    assert bench.predict(name, 1)["deployed_model_id"] == "2"


def metric(bench: HostingBench, name: str, endpoint: str, **labels: str) -> list[Any]:
    """The values of a metric's series of an endpoint."""

    def wanted(one: series.Series) -> bool:
        here = one.resource_labels["endpoint_id"] == endpoint.rpartition("/")[2]
        return one.metric_type.endswith(f"/online/{name}") and here and labels.items() <= one.metric_labels.items()

    return [point[2] for one in series.query(bench.world, HERE, wanted) for point in one.points]


def test_metrics_count_requests_instances_and_errors(bench: HostingBench) -> None:
    name = bench.new("measured")
    bench.deploy(name, "1", {"0": 100}, id="8")
    for _ in range(3):
        bench.predict(name, 1, 2)
    bench.refused(PREDICT, endpoint=name, instances=[{"status": 500}])
    assert metric(bench, "prediction_count", name, deployed_model_id="8") == [7]
    assert metric(bench, "response_count", name, response_code="200") == [3]
    assert metric(bench, "response_count", name, response_code="500") == [1]
    assert metric(bench, "error_count", name, deployed_model_id="8") == [1]
    (latencies,) = metric(bench, "prediction_latencies", name, latency_type="total")
    assert latencies["count"] == 4
    assert metric(bench, "replicas", name) == [1]


def test_monitors_see_every_good_prediction(bench: HostingBench) -> None:
    name = bench.new()
    bench.deploy(name, "1", {"0": 100}, id="9")
    bench.predict(name, 1, {"status": "no status: not first"})
    bench.predict(name, 2)
    bench.refused(PREDICT, endpoint=name, instances=[{"status": 400}])
    logged = predictions.read(bench.world, name, "9")
    assert [one.instance for one in logged] == [1, {"status": "no status: not first"}, 2]
    assert [one.prediction for one in logged][::2] == [3, 6]


def test_requests_are_logged_by_sample(bench: HostingBench) -> None:
    config = {"enabled": True, "sampling_rate": 0.25, "bigquery_destination": {"output_uri": "bq://team-data"}}
    name = bench.new("5000", display_name="my endpoint", predict_request_response_logging_config=config)
    bench.deploy(name, "1", {"0": 100}, id="1")
    found = bench.get(name)
    table = found["predict_request_response_logging_config"]["bigquery_destination"]["output_uri"]
    # The docstring of bigquery_destination says how dataset and table are called.
    assert table == "bq://team-data.logging_my_endpoint_5000.request_response_logging"
    for number in range(20):
        bench.predict(name, number)
    rows = requestlog.read(bench.world, found)
    assert len(rows) == 5
    for row in rows:
        assert (row["endpoint"], row["deployed_model_id"]) == (name, "1")
        request, response = json.loads(row["request_payload"][0]), json.loads(row["response_payload"][0])
        assert response == 3 * request
    patch = {"name": name, "predict_request_response_logging_config": {**config, "sampling_rate": 1.5}}
    asked = {"endpoint": patch, "update_mask": ["predict_request_response_logging_config"]}
    assert bench.refused("EndpointService.UpdateEndpoint", **asked) == "INVALID_ARGUMENT"


def test_access_logs_and_container_logs(bench: HostingBench, endpoint: str) -> None:
    bench.predict(endpoint, 1)

    def logged(log: str) -> list[dict[str, Any]]:
        found = entries.read(bench.world, HERE)
        here = [one for one in found if one["resource"]["labels"].get("endpoint_id") == "serving"]
        return [one for one in here if one["log_name"].endswith(log)]

    assert logged("prediction_access")[-1]["json_payload"]["status"] == 200
    bench.until(lambda: logged("prediction_container"))
    assert logged("prediction_container")[0]["text_payload"] == "serving"


@pytest.mark.parametrize("name", ["Explain", "DirectPredict"])
def test_what_is_not_executed_says_so(bench: HostingBench, endpoint: str, name: str) -> None:
    asked = {"endpoint": endpoint, "instances": [1]} if name == "Explain" else {"endpoint": endpoint}
    assert bench.refused(f"PredictionService.{name}", **asked) == "UNIMPLEMENTED"
