"""The HTTP server: RFC 9112 framing, connections kept, limits, and who is answered at all."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cloudml_sagemaker.mock.start import Mock

HEALTH = b"GET /cloudml-mock/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextmanager
def connected(mock: Mock) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", int(mock.url.rpartition(":")[2])), timeout=10) as connection:
        yield connection


def status_of(connection: socket.socket) -> int:
    """Read one answer to its end."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n bad : name\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(300)) + b"\r\n", 431),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ],
)
def test_what_is_no_http_is_refused_and_the_connection_closed(shared: Mock, request_bytes: bytes, status: int) -> None:
    with connected(shared) as connection:
        connection.sendall(request_bytes)
        assert status_of(connection) == status
        assert connection.recv(1) == b""


def test_a_connection_is_kept_and_requests_may_be_pipelined(shared: Mock) -> None:
    with connected(shared) as connection:
        for _ in range(3):
            connection.sendall(HEALTH)
            assert status_of(connection) == 200
        connection.sendall(HEALTH * 5)
        stream = connection.makefile("rb")
        with stream:
            answers = 0
            while answers < 5:
                line = stream.readline()
                assert line, "closed before every answer was there"
                answers += line.count(b"HTTP/1.1 200")


@pytest.mark.parametrize("head", [b"Connection: close\r\n", b""])
def test_it_closes_when_asked_to_and_after_http_1_0(shared: Mock, head: bytes) -> None:
    version = b"HTTP/1.1" if head else b"HTTP/1.0"
    with connected(shared) as connection:
        connection.sendall(b"GET /cloudml-mock/health " + version + b"\r\nHost: localhost\r\n" + head + b"\r\n")
        assert status_of(connection) == 200
        assert connection.recv(1) == b""


def test_chunked_bodies_and_expect_continue(shared: Mock) -> None:
    body = json.dumps({"branches-after-failure": "start"}).encode()
    head = b"POST /cloudml-mock/switches HTTP/1.1\r\nHost: localhost\r\n"
    with connected(shared) as connection:
        chunks = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]))
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nTrailer: x\r\n\r\n")
        assert status_of(connection) == 200
        connection.sendall(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert status_of(connection) == 200


def test_many_connections_at_once_each_get_their_own_answers(shared: Mock) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from asking import AUTHORIZATION

    def talk(number: int) -> list[str]:
        connection = http.client.HTTPConnection("127.0.0.1", int(shared.url.rpartition(":")[2]), timeout=30)
        headers = {"X-Amz-Target": "SageMaker.ListTags", "Authorization": AUTHORIZATION.format(service="sagemaker")}
        said = []
        for turn in range(5):
            arn = f"arn:aws:sagemaker:us-east-1:123456789012:model/m-{number}-{turn}"
            connection.request("POST", "/", json.dumps({"ResourceArn": arn}), headers)
            said.append(json.loads(connection.getresponse().read())["message"])
        connection.close()
        return said

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(talk, range(64)))
    for number, said in enumerate(answers):
        assert [f"m-{number}-{turn}" in text for turn, text in enumerate(said)] == [True] * 5


def test_a_head_has_no_body_and_says_its_length(shared: Mock) -> None:
    from mock_clients import client

    s3 = client(shared.url, "s3")
    s3.create_bucket(Bucket="heads")
    s3.put_object(Bucket="heads", Key="k", Body=b"12345")
    assert s3.head_object(Bucket="heads", Key="k")["ContentLength"] == 5
    assert s3.get_object(Bucket="heads", Key="k", Range="bytes=1-2")["Body"].read() == b"23"


@pytest.mark.parametrize(
    "headers",
    [
        b"Host: evil.example\r\n",
        b"Host: localhost.evil.example\r\n",
        b"Host: 10.0.0.1\r\n",
        b"Host: [::ffff\r\n",
        b"",
        b"Host: localhost\r\nOrigin: http://evil.example\r\n",
        b"Host: localhost\r\nOrigin: null\r\n",
    ],
)
def test_web_pages_are_not_answered_by_any_service(shared: Mock, headers: bytes) -> None:
    """Neither by a name that was bound to 127.0.0.1 (DNS rebinding) nor by a cross-site request."""
    for path in (b"/cloudml-mock/health", b"/", b"/bucket/key"):
        with connected(shared) as connection:
            connection.sendall(b"GET " + path + b" HTTP/1.1\r\n" + headers + b"\r\n")
            assert status_of(connection) == 403


@pytest.mark.parametrize("host", [b"localhost:80", b"127.0.0.1", b"127.3.2.1:9", b"[::1]:80", b"bucket.localhost"])
def test_names_of_loopback_are_answered(shared: Mock, host: bytes) -> None:
    with connected(shared) as connection:
        connection.sendall(b"GET /cloudml-mock/health HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        assert status_of(connection) == 200


def test_a_stored_line_break_makes_no_header(shared: Mock) -> None:
    from cloudml.mocks.http.serving import Server
    from cloudml_sagemaker.mock.face.replies import Reply

    def app(_environ: dict[str, object], start_response: object) -> object:
        return Reply(200, (("X-Stored", "a\r\nX-Injected: b"),), b"").send(start_response)  # type: ignore[arg-type]

    server = Server(app)  # type: ignore[arg-type]
    server.start()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.getheader("X-Injected") is None
        assert "X-Injected" in str(answer.getheader("X-Stored"))
        connection.close()
    finally:
        server.stop()


def test_stopping_breaks_off_idle_connections() -> None:
    from cloudml.mocks.http.serving import Server

    def app(_environ: object, start_response: object) -> list[bytes]:
        start_response("200 OK", [])  # type: ignore[operator]
        return []

    server = Server(app)
    server.start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(HEALTH)
        assert status_of(connection) == 200
        server.stop()
        assert connection.recv(1) == b""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port), timeout=2)
