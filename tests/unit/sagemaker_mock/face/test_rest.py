"""REST of the runtime: requests parsed and answers written so that botocore, the other side, understands them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.model import ServiceModel
from botocore.parsers import RestJSONParser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.face import rest
from cloudml_sagemaker.mock.face.incoming import Incoming, receive
from cloudml_sagemaker.service.model import operation_model, service_model

ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


def sent(operation: str, service: str, params: dict[str, Any]) -> Incoming:
    """The request as botocore's serializer writes it."""
    model = operation_model(operation, service)
    made = create_serializer("rest-json", include_validation=False).serialize_to_request(params, model)
    body = made["body"]
    data = body.encode() if isinstance(body, str) else bytes(body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": made["method"],
        "PATH_INFO": made["url_path"],
        "QUERY_STRING": "",
        "CONTENT_LENGTH": str(len(data)),
        "wsgi.input": io.BytesIO(data),
    }
    for name, value in made["headers"].items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return receive(environ)


def read(service: ServiceModel, operation: str, reply: Any) -> dict[str, Any]:
    """The answer as botocore's parser reads it."""
    response = {"status_code": reply.status, "headers": dict(reply.headers), "body": reply.body, "context": {}}
    return dict(RestJSONParser().parse(response, service.operation_model(operation).output_shape))


@given(
    body=st.binary(max_size=200),
    texts=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("ContentType", "Accept", "CustomAttributes", "TargetModel", "TargetVariant", "InferenceId"), ASCII
        ),
    ),
)
def test_requests_come_in_as_botocore_sends_them(body: bytes, texts: dict[str, str]) -> None:
    params = {"EndpointName": "my-endpoint", "Body": body, **texts}
    incoming = sent("InvokeEndpoint", "sagemaker-runtime", params)
    found = rest.find(incoming)
    assert found is not None
    assert found.operation == "InvokeEndpoint"
    parsed = rest.parse(found, incoming)
    if "ContentType" not in texts:  # botocore adds one for a body of bytes
        parsed.pop("ContentType", None)
    assert parsed == params


def test_headers_with_numbers_come_in_as_numbers() -> None:
    params = {
        "EndpointName": "e",
        "InputLocation": "s3://b/in",
        "InvocationTimeoutSeconds": 60,
        "RequestTTLSeconds": 600,
    }
    incoming = sent("InvokeEndpointAsync", "sagemaker-runtime", params)
    found = rest.find(incoming)
    assert found is not None
    parsed = rest.parse(found, incoming)
    assert {name: parsed.get(name) for name in params} == params
    incoming.environ["HTTP_X_AMZN_SAGEMAKER_REQUESTTTLSECONDS"] = "soon"
    with pytest.raises(AwsError, match="soon"):
        rest.parse(found, incoming)


def test_metrics_are_json_in_the_body() -> None:
    params = {"TrialComponentName": "t", "MetricData": [{"MetricName": "m", "Timestamp": 1.0, "Value": 2.0}]}
    incoming = sent("BatchPutMetrics", "sagemaker-metrics", params)
    found = rest.find(incoming)
    assert found is not None
    assert (found.service, found.operation) == ("sagemaker-metrics", "BatchPutMetrics")
    assert rest.parse(found, incoming)["MetricData"][0]["MetricName"] == "m"


@given(body=st.binary(max_size=200), variant=ASCII, media=ASCII)
def test_answers_go_out_as_botocore_reads_them(body: bytes, variant: str, media: str) -> None:
    found = rest.Found("sagemaker-runtime", "InvokeEndpoint", {})
    reply = rest.serialise(found, {"Body": body, "InvokedProductionVariant": variant, "ContentType": media})
    headers = {name.lower(): value for name, value in reply.headers}
    assert reply.body == body
    assert headers["x-amzn-invoked-production-variant"] == variant
    assert headers["content-type"] == media


def test_an_asynchronous_answer_is_202_with_its_places() -> None:
    found = rest.Found("sagemaker-runtime", "InvokeEndpointAsync", {})
    reply = rest.serialise(found, {"InferenceId": "i", "OutputLocation": "s3://b/o"})
    assert reply.status == 202
    assert reply.body == b'{"InferenceId": "i"}'
    assert dict(reply.headers)["X-Amzn-SageMaker-OutputLocation"] == "s3://b/o"
    parsed = read(service_model("sagemaker-runtime"), "InvokeEndpointAsync", reply)
    assert (parsed["InferenceId"], parsed["OutputLocation"]) == ("i", "s3://b/o")


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5))
def test_the_event_stream_is_read_by_botocore(parts: list[bytes]) -> None:
    buffer = EventStreamBuffer()
    for chunk in rest.event_stream(parts):
        buffer.add_data(chunk)
    events = list(buffer)
    assert [event.payload for event in events] == parts
    assert {event.headers[":event-type"] for event in events} <= {"PayloadPart"}


def test_a_failure_in_the_middle_of_a_stream_is_its_last_event() -> None:
    def parts() -> Any:
        yield b"one"
        raise AwsError("ModelStreamError", "it broke")

    buffer = EventStreamBuffer()
    for chunk in rest.event_stream(parts()):
        buffer.add_data(chunk)
    first, last = list(buffer)
    assert first.payload == b"one"
    assert last.headers[":exception-type"] == "ModelStreamError"
    assert json.loads(last.payload)["Message"] == "it broke"
