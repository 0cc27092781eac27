"""Google's clients and plain HTTP against a running mock: upload, deploy, predict; stop, reset and restart."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api import httpbody_pb2
from google.api_core import exceptions
from google.cloud import aiplatform_v1

from cloudml_vertex.mock.options import Options
from cloudml_vertex.mock.start import Mock, start
from tests.unit.vertex_mock.hosting.vertex_hosting_bench import IMAGE, MACHINE, SPEC

PARENT = "projects/hosting-team/locations/us-central1"
ENDPOINT = f"{PARENT}/endpoints/front"


class Clients:
    """The GAPIC clients of a mock."""

    def __init__(self, channel: grpc.Channel) -> None:
        def made(name: str) -> Any:
            kind = getattr(aiplatform_v1, name)
            return kind(transport=kind.get_transport_class("grpc")(channel=channel))

        self.models = made("ModelServiceClient")
        self.endpoints = made("EndpointServiceClient")
        self.predictions = made("PredictionServiceClient")

    def serve(self, mark: str, model_id: str) -> None:
        """A model, and the endpoint `front` that serves it with all traffic as deployed model 1."""
        given = {"display_name": "m", "container_spec": {**SPEC, "args": [mark]}}
        upload = aiplatform_v1.UploadModelRequest(parent=PARENT, model=given, model_id=model_id)
        made = self.models.upload_model(upload).result(timeout=20)
        create = {"parent": PARENT, "endpoint": {"display_name": "front"}, "endpoint_id": "front"}
        self.endpoints.create_endpoint(create).result(timeout=20)
        deployed = {"id": "1", "model": made.model, "dedicated_resources": MACHINE}
        asked = {"endpoint": ENDPOINT, "deployed_model": deployed, "traffic_split": {"0": 100}}
        assert self.endpoints.deploy_model(asked).result(timeout=20).deployed_model.id == "1"


def alive(mark: str) -> list[str]:
    """The processes of this machine that were given that word."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if mark.encode() in words:
            found.append(place.parent.name)
    return found


@pytest.fixture(scope="module")
def running() -> Iterator[Mock]:
    mock = start(Options(images=(IMAGE,)))
    yield mock
    mock.stop()


@pytest.fixture(scope="module")
def clients(running: Mock) -> Iterator[Clients]:
    with grpc.insecure_channel(running.endpoint) as channel:
        made = Clients(channel)
        made.serve("--mark-of-the-clients", "served")
        yield made


def test_a_raw_prediction_over_grpc(clients: Clients) -> None:
    body = httpbody_pb2.HttpBody(content_type="text/plain", data=b"abc")
    stub = clients.predictions.transport.raw_predict
    answer, call = stub.with_call(
        aiplatform_v1.RawPredictRequest(endpoint=ENDPOINT, http_body=body), metadata=[("x-told", "hello")]
    )
    assert (answer.content_type, answer.data) == ("text/plain", b"cba")
    told = dict(call.initial_metadata())
    assert (told["x-vertex-ai-endpoint-id"], told["x-vertex-ai-deployed-model-id"]) == ("front", "1")
    parts = list(clients.predictions.stream_raw_predict(request={"endpoint": ENDPOINT, "http_body": body}))
    assert b"".join(part.data for part in parts) == b"cba"


def test_errors_are_those_of_googles_clients(clients: Clients) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        clients.predictions.predict(endpoint=ENDPOINT, instances=[])
    with pytest.raises(exceptions.NotFound):
        clients.endpoints.get_endpoint(name=f"{ENDPOINT}x")
    with pytest.raises(exceptions.FailedPrecondition):
        clients.endpoints.delete_endpoint(name=ENDPOINT)
    stale = {"name": ENDPOINT, "traffic_split": {"1": 100}, "etag": "AAAA"}
    with pytest.raises(exceptions.Aborted):
        clients.endpoints.update_endpoint(endpoint=stale, update_mask={"paths": ["traffic_split"]})
    wrong = {"id": "2", "model": f"{PARENT}/models/served", "dedicated_resources": MACHINE}
    with pytest.raises(exceptions.InvalidArgument, match="add up to 100"):
        clients.endpoints.deploy_model(endpoint=ENDPOINT, deployed_model=wrong, traffic_split={"0": 1, "1": 1})


def post(mock: Mock, verb: str, data: bytes, media: str = "application/json") -> tuple[int, dict[str, str], bytes]:
    url = f"{mock.url}/v1/{ENDPOINT}:{verb}"
    request = urllib.request.Request(url, data, {"Content-Type": media, "X-Told": "hello"})
    try:
        with urllib.request.urlopen(request, timeout=20) as got:
            return got.status, dict(got.headers), got.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_predictions_over_http(running: Mock, clients: Clients) -> None:
    del clients
    status, _, body = post(running, "predict", b'{"instances": [2, {"x": 1}], "parameters": {}}')
    answer = json.loads(body)
    assert (status, answer["predictions"], answer["deployedModelId"]) == (200, [2, {"x": 1}], "1")
    assert answer["modelVersionId"] == "1"
    status, headers, body = post(running, "rawPredict", b"\x00ab", "application/x-ours")
    assert (status, body, headers["Content-Type"]) == (200, b"ba\x00", "application/x-ours")
    assert (headers["X-Vertex-AI-Endpoint-Id"], headers["X-Vertex-AI-Deployed-Model-Id"]) == ("front", "1")


@pytest.mark.parametrize("verb", ["predict", "rawPredict"])
@pytest.mark.parametrize("code", [404, 429, 503])
def test_the_containers_status_is_that_of_http(running: Mock, clients: Clients, verb: str, code: int) -> None:
    del clients
    status, _, body = post(running, verb, json.dumps({"instances": [{"status": code}]}).encode())
    assert status == code
    assert "the model says no" in body.decode()


def test_no_process_outlives_a_reset_or_a_stop() -> None:
    mark = "--mark-of-the-reset"
    mock = start(Options(images=(IMAGE,)))
    try:
        for end in (mock.reset, mock.stop):
            with grpc.insecure_channel(mock.endpoint) as channel:
                Clients(channel).serve(mark, "served")
            assert alive(mark)
            end()
            assert not alive(mark)
    finally:
        mock.stop()


def test_a_mock_with_a_state_serves_again(tmp_path: Path) -> None:
    mark = "--mark-of-the-state"
    for run in range(2):
        mock = start(Options(images=(IMAGE,), state=tmp_path / "state"))
        try:
            with grpc.insecure_channel(mock.endpoint) as channel:
                clients = Clients(channel)
                if run == 0:
                    clients.serve(mark, "served")
                assert answered(clients).predictions == [2]
        finally:
            mock.stop()
        assert not alive(mark)


def answered(clients: Clients) -> Any:
    """A prediction, once the endpoint is up again."""
    limit = time.monotonic() + 10
    while True:
        try:
            return clients.predictions.predict(endpoint=ENDPOINT, instances=[2])
        except exceptions.ServiceUnavailable:
            assert time.monotonic() < limit
            time.sleep(0.02)
