"""One mock for a module of tests that leave nothing behind or say what they leave."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from asking import AUTHORIZATION, Ask

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock, start


@pytest.fixture(scope="module")
def shared() -> Iterator[Mock]:
    running = start(Options())
    yield running
    running.stop()


@pytest.fixture
def ask(shared: Mock) -> Ask:
    """`ask(method, path, body, service="s3", **headers)`: a request by hand; status, headers (lower case), body."""

    def send(
        method: str, path: str, body: bytes | dict[str, Any] = b"", service: str = "", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if service:
            given["Authorization"] = AUTHORIZATION.format(service=service)
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        connection = http.client.HTTPConnection("127.0.0.1", int(shared.url.rpartition(":")[2]), timeout=20)
        try:
            connection.request(method, path, data, given)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    return send
