"""One world behind two fronts: what Google's own clients send by gRPC and what anyone sends by HTTP."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1
from google.cloud.aiplatform_v1.services.job_service.transports import JobServiceGrpcTransport

from cloudml_vertex.mock.start import Mock

PARENT = "projects/mock-project/locations/us-central1"
CONTAINER = {"image_uri": "python:3.11", "command": ["python", "-c", "print('hi')"]}
POOL = {"machine_spec": {"machine_type": "n1-standard-4"}, "replica_count": 1, "container_spec": CONTAINER}
JOB = {"display_name": "greeting", "job_spec": {"worker_pool_specs": [POOL]}}


@pytest.fixture(scope="module")
def by_grpc(running: Mock) -> Iterator[aiplatform_v1.JobServiceClient]:
    with grpc.insecure_channel(running.endpoint) as channel:
        yield aiplatform_v1.JobServiceClient(transport=JobServiceGrpcTransport(channel=channel))


@pytest.fixture(scope="module")
def by_rest(running: Mock) -> aiplatform_v1.JobServiceClient:
    options = {"api_endpoint": running.url}
    return aiplatform_v1.JobServiceClient(credentials=AnonymousCredentials(), transport="rest", client_options=options)


def ended(client: aiplatform_v1.JobServiceClient, name: str) -> Any:
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        job = client.get_custom_job(name=name)
        if job.end_time:
            return job
        time.sleep(0.05)
    raise AssertionError(f"{name} did not end")


@pytest.mark.parametrize("front", ["by_grpc", "by_rest"])
def test_a_job_made_by_one_front_is_seen_by_both(
    front: str, request: pytest.FixtureRequest, by_grpc: Any, by_rest: Any
) -> None:
    client = request.getfixturevalue(front)
    name = client.create_custom_job(parent=PARENT, custom_job=JOB).name
    assert name.split("/")[1].isdigit()  # Vertex AI answers with the number of the project
    for one in (by_grpc, by_rest):
        assert ended(one, name).state.name == "JOB_STATE_SUCCEEDED"
        asked = {"parent": PARENT, "filter": 'display_name="greet*" AND state=JOB_STATE_SUCCEEDED'}
        assert name in [job.name for job in one.list_custom_jobs(request=asked)]


def test_what_is_missing_is_told_on_both_fronts(by_grpc: Any, by_rest: Any) -> None:
    with pytest.raises(exceptions.InvalidArgument, match="job_spec") as error:
        by_grpc.create_custom_job(parent=PARENT, custom_job={"display_name": "x"})
    assert error.value.details[0].field_violations[0].field == "custom_job.job_spec"
    with pytest.raises(exceptions.BadRequest, match="job_spec"):
        by_rest.create_custom_job(parent=PARENT, custom_job={"display_name": "x"})


def test_what_is_not_there_is_not_found(by_grpc: Any, by_rest: Any) -> None:
    for client in (by_grpc, by_rest):
        with pytest.raises(exceptions.NotFound):
            client.get_custom_job(name=f"{PARENT}/customJobs/1")


def http(mock: Mock, verb: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{mock.url}{path}", data, headers, method=verb)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_plain_http_is_parsed_strictly(running: Mock) -> None:
    path = f"/v1/{PARENT}/customJobs"
    status, answer = http(running, "POST", path, {"displayName": "x", "colour": "red"})
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert "colour" in answer["error"]["message"]
    status, answer = http(running, "GET", f"{path}?pageSize=many")
    assert (status, answer["error"]["code"]) == (400, 400)
    assert http(running, "GET", f"{path}?colour=red")[0] == 400
    assert http(running, "GET", "/v1/nothing/here")[0] == 404
    status, answer = http(running, "GET", f"{path}?pageSize=1&filter=display_name%3Dnobody")
    assert (status, answer) == (200, {})


def test_web_pages_and_other_hosts_are_refused(running: Mock) -> None:
    path = f"/v1/{PARENT}/customJobs"
    assert http(running, "GET", path, Origin="https://example.org")[0] == 403
    assert http(running, "GET", path, Host="example.org")[0] == 403


def test_the_control_interface_and_tokens(running: Mock) -> None:
    assert http(running, "GET", "/cloudml-mock/health")[1]["status"] == "ok"
    served = {one["name"] for one in http(running, "GET", "/cloudml-mock/operations")[1]["served"]}
    assert {"JobService.CreateCustomJob", "EndpointService.DeployModel", "Operations.GetOperation"} <= served
    assert http(running, "POST", "/token", {})[1]["token_type"] == "Bearer"


def test_faults_strike_on_both_fronts(running: Mock, by_grpc: Any) -> None:
    faults = running.world.faults
    try:
        faults.add(faults.parse("throttle:ListCustomJobs,count=1"))
        with pytest.raises(exceptions.ResourceExhausted):
            by_grpc.list_custom_jobs(parent=PARENT, retry=None)
        faults.add(faults.parse("unavailable:ListCustomJobs,count=1"))
        assert http(running, "GET", f"/v1/{PARENT}/customJobs")[0] == 503
    finally:
        faults.clear()
    by_grpc.list_custom_jobs(parent=PARENT)


def test_tls_is_trusted_by_the_authority_alone(running: Mock) -> None:
    authority = running.environment["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"]
    with open(authority, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    with grpc.secure_channel(running.tls_endpoint, credentials) as channel:
        client = aiplatform_v1.JobServiceClient(transport=JobServiceGrpcTransport(channel=channel))
        client.list_custom_jobs(parent=PARENT)


def test_a_reset_forgets_and_keeps_the_address(running: Mock, by_grpc: Any) -> None:
    url, endpoint = running.url, running.endpoint
    name = by_grpc.create_custom_job(parent=PARENT, custom_job=JOB).name
    running.reset()
    assert (running.url, running.endpoint) == (url, endpoint)
    with pytest.raises(exceptions.NotFound):
        by_grpc.get_custom_job(name=name)
