from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from cloudml.serving.schema import FeatureSchema
from cloudml.serving.state import Limits, ServerState

SCHEMA = FeatureSchema.from_sample([{"x": 1.0, "c": "a"}])
ROW = {"x": 2.0, "c": "b"}
Make = Callable[..., Any]


def double(rows: list[dict[str, Any]]) -> list[float]:
    return [row["x"] * 2 for row in rows]


@pytest.mark.parametrize("path", ["/invocations", "/predict", "/vertex/predict"])
def test_predictions_on_every_contracts_route(client: Make, path: str) -> None:
    send = client(double, schema=SCHEMA, predict_route="/vertex/predict")
    answer = send("POST", path, {"instances": [ROW, {"x": 3, "c": "a"}]}, {"content-type": "application/json"})
    assert answer.status == 200
    assert answer.json == {"predictions": [4.0, 6.0]}
    assert answer.headers["x-cloudml-model-version"] == "3"


def test_one_record_out_for_each_record_in(client: Make) -> None:
    send = client(double, schema=SCHEMA)
    assert send("POST", "/invocations", b"1,a\n2,b\n", {"content-type": "text/csv"}).body == b"2.0\n4.0\n"
    lines = b'{"x":1,"c":"a"}\n{"x":2,"c":"a"}\n'
    answer = send("POST", "/invocations", lines, {"content-type": "application/jsonlines"})
    assert (answer.body, answer.headers["content-type"]) == (b"2.0\n4.0\n", "application/jsonlines")


def test_open_inference_protocol(client: Make) -> None:
    send = client(double, schema=SCHEMA, model_name="churn")
    inputs = [
        {"name": "x", "shape": [2], "datatype": "FP64", "data": [1.0, 2.0]},
        {"name": "c", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
    ]
    answer = send("POST", "/v2/models/churn/versions/3/infer", {"id": "7", "inputs": inputs})
    assert answer.json["id"] == "7"
    assert answer.json["outputs"][0]["data"] == [2.0, 4.0]
    assert send("GET", "/v2/health/live").status == 200
    assert send("GET", "/v2/health/ready").json["ready"] is True
    assert send("GET", "/v2/models/churn/ready").status == 200
    metadata = send("GET", "/v2/models/churn").json
    assert [item["name"] for item in metadata["inputs"]] == ["x", "c"]
    assert send("POST", "/v2/models/other/infer", {"inputs": inputs}).status == 404
    assert send("GET", "/v2/models/churn/versions/4").status == 404


def test_batch_transform_and_metrics_routes(client: Make) -> None:
    send = client(double, schema=SCHEMA)
    parameters = send("GET", "/execution-parameters").json
    assert parameters == {"MaxConcurrentTransforms": 4, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}
    send("POST", "/invocations", [ROW])
    send("POST", "/invocations", [{"x": 1}])
    text = send("GET", "/metrics").body.decode()
    assert 'outcome="ok"} 1' in text
    assert 'outcome="4xx"} 1' in text


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "words"),
    [
        ("POST", "/invocations", [{"x": 1.0}], {}, 400, "row 0: missing feature 'c'"),
        ("POST", "/invocations", [ROW, {"x": "1", "c": "a"}], {}, 400, "row 1: feature 'x'"),
        ("POST", "/invocations", b"{}", {}, 400, "instances"),
        ("POST", "/invocations", b"x" * 2000, {}, 413, "1000 bytes"),
        ("POST", "/invocations", b"x", {"content-length": "2000"}, 413, "1000 bytes"),
        ("POST", "/invocations", b"x", {"content-type": "image/png"}, 415, "image/png"),
        ("POST", "/invocations", [ROW], {"accept": "image/png"}, 406, "image/png"),
        ("GET", "/nowhere", b"", {}, 404, "/nowhere"),
        ("GET", "/invocations", b"", {}, 405, "GET"),
    ],
)
def test_bad_requests_get_4xx_json_and_never_reach_the_model(
    client: Make, method: str, path: str, body: object, headers: dict[str, str], status: int, words: str
) -> None:
    def model(rows: list[dict[str, Any]]) -> list[float]:
        raise AssertionError("the model was asked")

    answer = client(model, schema=SCHEMA, limits=Limits(max_body=1000))(method, path, body, headers)
    assert answer.status == status
    assert list(answer.json) == ["error"]
    assert words in answer.json["error"]


def test_a_models_bug_is_a_500_without_its_traceback(client: Make, caplog: pytest.LogCaptureFixture) -> None:
    def model(rows: list[dict[str, Any]]) -> list[float]:
        raise LookupError("password=hunter2")

    answer = client(model, schema=SCHEMA)("POST", "/invocations", [ROW], {"x-request-id": "abc"})
    assert answer.status == 500
    assert "LookupError" in answer.json["error"]
    assert "abc" in answer.json["error"]
    assert b"hunter2" not in answer.body
    assert b"Traceback" not in answer.body
    assert "hunter2" in caplog.text


def test_a_prediction_that_is_no_json_is_a_500(client: Make) -> None:
    assert client(lambda rows: [float("nan")], schema=SCHEMA)("POST", "/invocations", [ROW]).status == 500


def test_a_slow_model_is_a_504_and_a_hung_one_fails_health(client: Make) -> None:
    def model(rows: list[dict[str, Any]]) -> list[float]:
        time.sleep(1.0)
        return [1.0]

    send = client(model, schema=SCHEMA, limits=Limits(request_timeout=0.1))

    async def scenario() -> tuple[Any, Any]:
        slow = await send.send("POST", "/invocations", [ROW])
        await asyncio.sleep(0.3)
        return slow, await send.send("GET", "/ping")

    slow, health = asyncio.run(scenario())
    assert slow.status == 504
    assert (health.status, health.json["status"]) == (503, "stalled")


def test_health_answers_while_the_model_is_busy(client: Make) -> None:
    def model(rows: list[dict[str, Any]]) -> list[float]:
        time.sleep(0.5)
        return [1.0]

    send = client(model, schema=SCHEMA)

    async def scenario() -> float:
        prediction = asyncio.create_task(send.send("POST", "/invocations", [ROW]))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        assert (await send.send("GET", "/ping")).status == 200
        took = time.monotonic() - began
        assert not prediction.done()
        await prediction
        return took

    assert asyncio.run(scenario()) < 0.4


def test_before_it_is_ready_everything_is_503_and_a_draining_server_still_answers(client: Make) -> None:
    state = ServerState("model", "3", phase="starting", schema=SCHEMA)
    send = client(double, state=state, health_route="/vertex/health")
    for path in ("/ping", "/health", "/v2/health/ready", "/vertex/health"):
        assert send("GET", path).status == 503
    refused = send("POST", "/invocations", [ROW])
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert send("GET", "/v2/health/live").status == 200
    state.phase = "draining"
    assert send("GET", "/ping").status == 503
    assert send("POST", "/invocations", [ROW]).status == 200


def test_ids_are_echoed_unless_they_could_harm_a_log(client: Make) -> None:
    send = client(double, schema=SCHEMA)
    answer = send("GET", "/ping", b"", {"x-request-id": "abc-1", "x-amzn-sagemaker-custom-attributes": "trace=1"})
    assert answer.headers["x-request-id"] == "abc-1"
    assert answer.headers["x-amzn-sagemaker-custom-attributes"] == "trace=1"
    for bad in ("a b", "x" * 200, "é"):
        assert send("GET", "/ping", b"", {"x-request-id": bad}).headers["x-request-id"].isalnum()
