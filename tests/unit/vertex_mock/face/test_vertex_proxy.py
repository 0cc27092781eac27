"""Hosts that clients will not be talked out of: the proxy that leads them to the mock, and lets nothing out."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import aiplatform_v1, monitoring_v3

from cloudml_vertex.mock.face import secure
from cloudml_vertex.mock.face.pump import carry
from cloudml_vertex.mock.options import Options
from cloudml_vertex.mock.start import Mock, start

PARENT = "projects/mock-project/locations/us-central1"
VERTEX = "us-central1-aiplatform.googleapis.com"
DEDICATED = "77.us-central1-123456789012.prediction.vertexai.goog"


@pytest.fixture
def short() -> Iterator[Mock]:
    mock = start(Options())
    yield mock
    mock.stop()


def trusting(mock: Mock) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=mock.environment["SSL_CERT_FILE"])


def https(mock: Mock, url: str, data: bytes | None = None, **headers: str) -> tuple[int, Any]:
    """A request as any client makes it: by the proxy, trusting the mock's authority alone."""
    handlers = (
        urllib.request.ProxyHandler({"https": mock.proxy_url}),
        urllib.request.HTTPSHandler(context=trusting(mock)),
    )
    try:
        with urllib.request.build_opener(*handlers).open(urllib.request.Request(url, data, headers), timeout=10) as got:
            return got.status, json.loads(got.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def reached(mock: Mock) -> bool:
    return https(mock, f"https://{VERTEX}/v1/{PARENT}/customJobs") == (200, {})


def dialled_at(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), 10)


def dialled(mock: Mock) -> socket.socket:
    return dialled_at(mock.proxy_url.removeprefix("http://"))


def said(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionError:
        pass
    return found


def answered(mock: Mock, first: bytes) -> bytes:
    with dialled(mock) as connection:
        connection.sendall(first)
        connection.shutdown(socket.SHUT_WR)
        return said(connection)


def tunnel(mock: Mock, host: str = VERTEX) -> socket.socket:
    connection = dialled(mock)
    connection.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    assert head.startswith(b"HTTP/1.1 200 ")
    return connection


def secured(mock: Mock, host: str = VERTEX, *protocols: str) -> ssl.SSLSocket:
    context = trusting(mock)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(tunnel(mock, host), server_hostname=host)


def quiet(mock: Mock) -> bool:
    """Whether every tunnel has ended."""
    limit = time.monotonic() + 5
    while mock._proxy.connections and time.monotonic() < limit:
        time.sleep(0.01)
    return mock._proxy.connections == 0


@pytest.mark.parametrize("host", [VERTEX, "aiplatform.googleapis.com", "aiplatform.mtls.googleapis.com", DEDICATED])
def test_rest_by_the_hosts_of_google(running: Mock, host: str) -> None:
    assert https(running, f"https://{host}/v1/{PARENT}/endpoints") == (200, {})


def test_other_hosts_of_google_are_answered_too(running: Mock) -> None:
    status, token = https(running, "https://oauth2.googleapis.com/token", b"{}")
    assert (status, token["token_type"]) == (200, "Bearer")
    status, project = https(running, "https://cloudresourcemanager.googleapis.com/v3/projects/mock-project")
    assert (status, project["projectId"]) == (200, "mock-project")
    status, buckets = https(running, "https://storage.googleapis.com/storage/v1/b?project=mock-project")
    assert (status, buckets["kind"]) == (200, "storage#buckets")
    status, refusal = https(running, "https://bigquery.googleapis.com/bigquery/v2/projects/p/jobs")
    assert (status, refusal["error"]["code"]) == (404, 404)


def grpc_by_proxy(mock: Mock, host: str) -> grpc.Channel:
    with open(mock.environment["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"], "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    return grpc.secure_channel(f"{host}:443", credentials, options=(("grpc.http_proxy", mock.proxy_url),))


def transport(client: Any, channel: grpc.Channel) -> Any:
    return client.get_transport_class("grpc")(channel=channel)


def test_grpc_by_the_hosts_that_clients_have_by_default(running: Mock) -> None:
    with grpc_by_proxy(running, aiplatform_v1.JobServiceClient.DEFAULT_ENDPOINT) as channel:
        jobs = aiplatform_v1.JobServiceClient(transport=transport(aiplatform_v1.JobServiceClient, channel))
        wide = "x" * 200_000  # more than one read, more than HTTP/2's first window
        with pytest.raises(exceptions.InvalidArgument, match="worker_pool_specs"):
            jobs.create_custom_job(request={"parent": PARENT, "custom_job": {"display_name": wide, "job_spec": {}}})
        assert list(jobs.list_custom_jobs(parent=PARENT)) == []
    with grpc_by_proxy(running, monitoring_v3.AlertPolicyServiceClient.DEFAULT_ENDPOINT) as channel:
        kind = monitoring_v3.AlertPolicyServiceClient
        alerts = kind(transport=transport(kind, channel))
        assert list(alerts.list_alert_policies(name="projects/mock-project")) == []


def test_the_secure_endpoint_speaks_both(running: Mock) -> None:
    """As Google's hosts do: the SDK turns to REST by itself when `aiplatform.init` is called without a project."""
    url = f"https://{running.tls_endpoint}/v1/{PARENT}/endpoints"
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trusting(running)))
    with opener.open(url, timeout=10) as answer:
        assert json.loads(answer.read()) == {}
    with open(running.environment["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"], "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    with grpc.secure_channel(running.tls_endpoint, credentials) as channel:
        kind = aiplatform_v1.EndpointServiceClient
        assert list(kind(transport=transport(kind, channel)).list_endpoints(parent=PARENT)) == []
    with trusting(running).wrap_socket(dialled_at(running.tls_endpoint), server_hostname="localhost") as rebound:
        rebound.sendall(b"GET / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n")
        assert said(rebound).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("example.org:443", "example.org"),
        ("googleapis.com.example.org:443", "googleapis.com.example.org"),
        ("notgoogleapis.com:443", "notgoogleapis.com"),
        ("aiplatform.googleapis.com:22", "aiplatform.googleapis.com"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("169.254.169.254:443", "169.254.169.254"),
        ("localhost:22", "localhost"),
        ("..googleapis.com:443", "..googleapis.com"),
        (f"{'a.' * 200}googleapis.com:443", "googleapis.com"),
        ("*.googleapis.com:443", "*.googleapis.com"),
    ],
)
def test_nothing_is_let_out(running: Mock, target: str, host: str) -> None:
    answer = answered(running, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()).decode()
    line, _, text = answer.partition("\r\n")
    assert line.startswith("HTTP/1.1 403 The mock lets nothing out")
    assert host in line and host in text.rpartition("\r\n\r\n")[2]


def test_a_refusal_is_shown_by_clients(running: Mock) -> None:
    with pytest.raises(urllib.error.URLError, match=r"403 The mock lets nothing out.*example\.org"):
        https(running, "https://example.org/")


def test_the_mock_itself_may_be_asked_for(running: Mock) -> None:
    port = running.url.rpartition(":")[2]
    asked = f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n"
    request = "GET /cloudml-mock/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with dialled(running) as connection:
        connection.sendall(asked.encode() + request.encode())  # at once: nothing of it may be lost
        found = said(connection)
    assert found.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK")
    assert b'"ok"' in found


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500) + b"\r\n\r\n", 400),
        (b"hello\r\n\r\n", 400),
        (b"CONNECT aiplatform.googleapis.com HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT aiplatform.googleapis.com:99999999 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT aiplatform.googleapis.com:443 HTTP/1.1\r\nno header\r\n\r\n", 400),
        (b"GET http://aiplatform.googleapis.com/v1/ HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"POST /v1/projects HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 405),
        (b"CONNECT \xff\xfe:443 HTTP/1.1\r\n\r\n", 403),
        (b"CONNECT " + b"a" * 70_000 + b":443 HTTP/1.1\r\n\r\n", 431),
    ],
)
def test_nonsense_is_refused(running: Mock, first: bytes, status: int) -> None:
    found = answered(running, first)
    assert found.startswith(f"HTTP/1.1 {status} ".encode())
    assert reached(running)


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\n\r\n", bytes(600)])
def test_a_tunnel_that_never_speaks_tls_ends(running: Mock, first: bytes) -> None:
    with tunnel(running) as connection:
        connection.sendall(first)
        with suppress(OSError):  # it may have been ended already, at the first byte that is no greeting
            connection.shutdown(socket.SHUT_WR)
            assert b"HTTP/1.1 200" not in said(connection)
    assert reached(running)


@pytest.mark.parametrize("protocols", [("h2",), ("http/1.1",)])
def test_a_client_that_leaves_takes_its_tunnel_along(running: Mock, protocols: tuple[str, ...]) -> None:
    connection = secured(running, VERTEX, *protocols)
    assert connection.selected_alpn_protocol() == protocols[0]
    connection.close()
    assert quiet(running)


def test_who_is_silent_is_not_waited_for(running: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secure, "GREETING", 0.1)
    with dialled(running) as connection, tunnel(running) as begun:
        assert said(connection) == said(begun) == b""
    with dialled(running) as half:
        half.sendall(b"CONNECT aiplatform.goo")
        assert said(half) == b""
    assert quiet(running)


def test_a_client_that_can_do_both_is_answered_in_http(running: Mock) -> None:
    with secured(running, VERTEX, "h2", "http/1.1") as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"


def test_a_tunnel_is_for_its_host_alone(running: Mock) -> None:
    for host, status in (("storage.googleapis.com", b"403"), ("localhost", b"403"), (VERTEX, b"200")):
        with secured(running) as connection:
            request = f"GET /v1/{PARENT}/endpoints HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            assert said(connection).startswith(b"HTTP/1.1 " + status)
    assert https(running, f"https://{VERTEX}/v1/{PARENT}/endpoints", Origin="https://example.org")[0] == 403


def test_many_at_once(running: Mock) -> None:
    with ThreadPoolExecutor(24) as pool:
        assert all(pool.map(lambda _: reached(running), range(72)))
    assert quiet(running)


def test_more_than_enough_is_refused(running: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert quiet(running)
    monkeypatch.setattr(secure, "MOST", 3)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(tunnel(running))
        found = answered(running, f"CONNECT {VERTEX}:443 HTTP/1.1\r\n\r\n".encode())
        assert found.startswith(b"HTTP/1.1 503 ")
    assert quiet(running)
    assert reached(running)


def test_a_stop_ends_every_tunnel(short: Mock) -> None:
    with (
        secured(short) as by_http,
        secured(short, VERTEX, "h2") as by_grpc,
        tunnel(short) as begun,
        dialled(short) as new,
    ):
        by_http.sendall(b"GET /v1/projects HTTP/1.1\r\n")  # half a request
        short.stop()
        for connection in (by_http, by_grpc, begun, new):
            assert b"HTTP/1.1" not in said(connection)
        assert short._proxy.connections == 0
    with pytest.raises(ConnectionRefusedError):
        dialled(short)
    assert not (short._proxy._threads | short._secure._threads | short._http._threads)


def test_bytes_are_carried_both_ways_at_once() -> None:
    """Far more than sockets and buffers hold, while both ends write first and read later."""
    data = [os.urandom(3_000_000), os.urandom(2_000_000)]
    with ExitStack() as stack:
        pairs = [tuple(map(stack.enter_context, socket.socketpair())) for _ in range(2)]
        (left, inner), (right, outer) = pairs
        carrier = threading.Thread(target=carry, args=(inner, outer))
        carrier.start()
        with ThreadPoolExecutor(4) as pool:
            sent = [pool.submit(left.sendall, data[0]), pool.submit(right.sendall, data[1])]
            read = [pool.submit(exactly, right, len(data[0])), pool.submit(exactly, left, len(data[1]))]
            assert [one.result(10) for one in read] == data
            assert [one.result(10) for one in sent] == [None, None]
        left.close()
        carrier.join(5)
        assert not carrier.is_alive()


def exactly(connection: socket.socket, size: int) -> bytes:
    with connection.makefile("rb") as file:
        return file.read(size)


def test_the_environment_leads_and_hides(running: Mock) -> None:
    variables = running.environment
    assert variables["https_proxy"] == variables["HTTPS_PROXY"] == running.proxy_url
    # what leads elsewhere is taken away before the mock's own is set
    for name in (
        "grpc_proxy",
        "ALL_PROXY",
        "http_proxy",
        "no_grpc_proxy",
        "SSL_CERT_DIR",
        "GOOGLE_API_USE_MTLS_ENDPOINT",
    ):
        assert name.startswith(running.hides)
    # requests by the plain front go past the proxy, by the rules of Python's own clients
    assert {"localhost", "127.0.0.1"} <= set(variables["no_proxy"].split(","))


PROGRAM = f"""
import json, os, urllib.request
answer = urllib.request.urlopen("https://{VERTEX}/v1/{PARENT}/customJobs").read()
assert len(json.loads(answer)["customJobs"]) == 1
plain = os.environ["STORAGE_EMULATOR_HOST"] + "/cloudml-mock/health"
assert json.load(urllib.request.urlopen(plain))["status"] == "ok"
"""


def test_a_job_is_led_too(short: Mock) -> None:
    """A process of a job has the environment: Google's own host and the plain front, by Python's standard library."""
    container = {"imageUri": "python:3.11", "command": ["python", "-c", PROGRAM]}
    pool = {"machineSpec": {"machineType": "n1-standard-4"}, "replicaCount": 1, "containerSpec": container}
    body = {"displayName": "asking", "jobSpec": {"workerPoolSpecs": [pool]}}
    _, job = https(short, f"https://{VERTEX}/v1/{PARENT}/customJobs", json.dumps(body).encode())
    limit = time.monotonic() + 20
    while "endTime" not in job and time.monotonic() < limit:
        time.sleep(0.05)
        _, job = https(short, f"https://{VERTEX}/v1/{job['name']}")
    assert job["state"] == "JOB_STATE_SUCCEEDED", job.get("error")
