"""Random damage to valid requests is refused as the client's mistake, never answered with a 5xx.

Requests are made from AWS's service model for every operation that the mock owns.
"""

from __future__ import annotations

import copy
import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from asking import AUTHORIZATION
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudml_sagemaker.mock.core.operations import OPERATIONS
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.rooms import load
from cloudml_sagemaker.mock.start import Mock, start
from cloudml_sagemaker.service.model import operation_model, service_model
from cloudml_sagemaker.service.shapes import pattern, problems

TEXTS = (
    "abc", "arn:aws:iam::123456789012:role/service-role/ml", "s3://bucket/key", "1", "arn:aws:sagemaker:us-east-1:"
    "123456789012:endpoint/abc", "P1D", "cron(0 * ? * * *)", "sg-12345678", "https://sqs.us-east-1.amazonaws.com/1/q",
    "x" * 32, "text/csv", "ml.m5.large", "arn:aws:lambda:us-east-1:123456789012:function:f", "2020-12-01",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com/ml:1", "", "s3://bucket/model.tar.gz", "/opt/ml/processing/x",
)  # fmt: skip


def sample(shape: Any, depth: int = 0) -> Any:
    """A value that the model takes: required members, and optional ones near the top."""
    kind = shape.type_name
    low = shape.metadata.get("min", 0)
    if kind == "structure":
        wanted = [
            name
            for name, member in shape.members.items()
            if name in shape.required_members or (depth < 2 and member.type_name not in {"structure", "map"})
        ]
        return {name: sample(shape.members[name], depth + 1) for name in wanted}
    if kind == "list":
        return [sample(shape.member, depth + 1) for _ in range(max(1, low))]
    if kind == "map":
        return {sample(shape.key): sample(shape.value, depth + 1)}
    if kind == "string":
        return _text(shape)
    return {"boolean": True, "timestamp": 1.0, "blob": "eHg="}.get(kind, max(low, 1))


def _text(shape: Any) -> str:
    if shape.enum:
        return str(shape.enum[0])
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 10**9)
    source = shape.metadata.get("pattern")
    for text in TEXTS:
        if low <= len(text) <= high and (not source or pattern(source).fullmatch(text)):
            return text
    return "a" * max(low, 1)


load()
REQUESTS: dict[str, Any] = {
    name: sample(operation_model(name).input_shape)
    for name, one in sorted(OPERATIONS.items())
    if one.service == "sagemaker" and operation_model(name).input_shape is not None
}
VALID = sorted(name for name, request in REQUESTS.items() if not problems(operation_model(name).input_shape, request))


@pytest.fixture(scope="module")
def mock() -> Iterator[Mock]:
    running = start(Options(hold=True))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def connection(mock: Mock) -> Iterator[http.client.HTTPConnection]:
    made = http.client.HTTPConnection("127.0.0.1", int(mock.url.rpartition(":")[2]), timeout=30)
    yield made
    made.close()


def post(connection: http.client.HTTPConnection, operation: str, body: bytes) -> tuple[int, dict[str, Any]]:
    headers = {
        "X-Amz-Target": f"SageMaker.{operation}",
        "Authorization": AUTHORIZATION.format(service="sagemaker"),
        "Content-Type": "application/x-amz-json-1.1",
    }
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*path, key))
    return found


def damaged(request: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    made = copy.deepcopy(request)
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = wrong
    return made


def test_most_operations_have_a_valid_sample() -> None:
    assert len(VALID) >= 15
    assert len(VALID) > 0.8 * len(REQUESTS)
    assert set(VALID) <= set(service_model("sagemaker").operation_names)


@pytest.mark.parametrize("operation", VALID)
def test_a_valid_request_is_not_a_server_error(connection: http.client.HTTPConnection, operation: str) -> None:
    status, answer = post(connection, operation, json.dumps(REQUESTS[operation]).encode())
    assert status < 500, answer


WRONG = st.sampled_from(
    [
        None,
        True,
        -1,
        10**12,
        1.5,
        "",
        "\x00",
        "ü" * 3,
        "x" * 5000,
        [],
        {},
        [None],
        [[]],
        {"a": None},
        {"Get": "Parameters.x"},
    ]
) | st.text(max_size=8)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_the_clients_mistake(connection: http.client.HTTPConnection, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from([name for name in VALID if places(REQUESTS[name])]))
    request = REQUESTS[operation]
    made = damaged(request, data.draw(st.sampled_from(places(request))), data.draw(WRONG))
    status, answer = post(connection, operation, json.dumps(made).encode())
    assert status < 500, answer
    if problems(operation_model(operation).input_shape, made):
        assert status == 400
        assert answer["__type"] == "ValidationException"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_are_the_clients_mistake(connection: http.client.HTTPConnection, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(VALID))
    body = bytearray(json.dumps(REQUESTS[operation]).encode())
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    status, answer = post(connection, operation, bytes(body))
    assert status < 500, answer
