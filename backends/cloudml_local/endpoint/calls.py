"""HTTP to an endpoint's own port: calling it, and making sure of what it says it serves."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping

from cloudml_local.endpoint import faults
from cloudml_local.endpoint.deployment import EndpointStatus

_CONFIRM_SECONDS = 10.0


def call(
    port: int,
    method: str,
    path: str,
    timeout: float,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case) and body. Raises OSError or http.client.HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def confirm(status: EndpointStatus) -> None:
    """Success is what the endpoint says it serves, on its own port. Raises StateError (CML525)."""
    wanted = f"version {status.version}, deployment {status.deployment_id}"
    deadline = time.monotonic() + _CONFIRM_SECONDS
    while True:
        try:
            _, headers, _ = call(status.port, "GET", "/health", _CONFIRM_SECONDS)
            found = (
                f"version {headers.get('x-cloudml-model-version')}, deployment {headers.get('x-cloudml-deployment')}"
            )
        except (OSError, http.client.HTTPException) as error:
            found = f"nothing ({error})"
        if found == wanted:
            return
        if time.monotonic() > deadline:
            raise faults.serves_another(status.name, wanted, found)
        time.sleep(0.05)
