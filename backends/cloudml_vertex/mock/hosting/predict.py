"""PredictionService: requests to the containers of an endpoint, by its traffic split."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from cloudml.mocks.wire import Reply
from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.errors import CODES, GoogleError, failed_precondition, invalid, not_executed
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.times import duration
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.hosting import rows, splits
from cloudml_vertex.mock.hosting.counting import Outcome, count
from cloudml_vertex.mock.hosting.fleet import INFERENCE_SECONDS, fleet
from cloudml_vertex.mock.hosting.server import ModelServer, Unreachable

Document = dict[str, Any]
SHARED_BYTES = 1_500_000
DEDICATED_BYTES = 10_000_000
"""Largest requests: 1.5 MB by the shared host, 10 MB by a dedicated one (Vertex AI, "Choose an endpoint type")."""
_DEDICATED_HOST = ".prediction.vertexai.goog"
_HOP = frozenset(
    {
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
"""Headers of a connection or of Google's, which no container sees."""
_CODES = {"internal": "INTERNAL", "invalid-argument": "INVALID_ARGUMENT", "failed-precondition": "FAILED_PRECONDITION"}
_PART = 65536
_DOWN = "the model server is not running"


@dataclass(frozen=True)
class Leased:
    """The deployed model that a request goes to."""

    endpoint: Document
    row: Document
    serving: Document
    server: ModelServer | None
    number: int
    seconds: float

    def end(self) -> None:
        """The request has ended."""
        if self.server is not None:
            self.server.leave()


@rpc("PredictionService.Predict", executes="the container of a deployed model answers", locked=False)
def predict(call: Call) -> Document:
    """The container's predictions. Errors of the container keep their status."""
    began = time.perf_counter()
    body = {"instances": call.params["instances"]}
    if "parameters" in call.params:
        body["parameters"] = call.params["parameters"]
    data = json.dumps(body).encode()
    leased = lease(call, len(data))
    outcome = Outcome(leased.endpoint, leased.row, leased.number, len(body["instances"]), began)
    try:
        reply = _ask(call.world, leased, outcome, data, {"Content-Type": "application/json"})
    finally:
        leased.end()
    try:
        answer = _predictions(call.world, reply)
    except GoogleError as error:
        count(call.world, outcome, error.http)
        raise
    count(call.world, outcome, 200, body["instances"], answer["predictions"])
    found = {
        "predictions": answer["predictions"],
        "deployed_model_id": leased.row["id"],
        "model": leased.row["model"],
        "model_version_id": leased.row["model_version_id"],
        "model_display_name": leased.serving["model_display_name"],
    }
    return {**found, "metadata": answer["metadata"]} if "metadata" in answer else found


@rpc("PredictionService.RawPredict", executes="the container answers, byte by byte as it wants", locked=False)
def raw_predict(call: Call) -> Document:
    """The container's answer as it is. `_headers` are what Google adds to the HTTP response."""
    began = time.perf_counter()
    data, headers = _raw(call)
    leased = lease(call, len(data))
    outcome = Outcome(leased.endpoint, leased.row, leased.number, 1, began)
    try:
        reply = _ask(call.world, leased, outcome, data, headers)
    finally:
        leased.end()
    count(call.world, outcome, 200, raw=(data, reply.body))
    body = base64.b64encode(reply.body).decode()
    return {"content_type": reply.media, "data": body, "_headers": _google(leased)}


@rpc("PredictionService.StreamRawPredict", executes="the container's answer is passed on in parts", locked=False)
def stream_raw_predict(call: Call) -> Iterator[Document]:
    """The container's answer as it writes it. What is wrong before its first part is raised at once."""
    began = time.perf_counter()
    data, headers = _raw(call)
    leased = lease(call, len(data))
    outcome = Outcome(leased.endpoint, leased.row, leased.number, 1, began)
    stack = ExitStack()
    stack.callback(leased.end)
    try:
        response = _opened(call.world, leased, outcome, data, headers, stack)
    except BaseException:
        stack.close()
        raise
    media = response.getheader("Content-Type") or "application/octet-stream"

    def parts() -> Iterator[Document]:
        kept = b""
        with stack:
            while part := response.read1(_PART):
                kept += part
                yield {"content_type": media, "data": base64.b64encode(part).decode()}
        count(call.world, outcome, 200, raw=(data, kept))

    return parts()


def _opened(
    world: World, leased: Leased, outcome: Outcome, data: bytes, headers: Mapping[str, str], stack: ExitStack
) -> http.client.HTTPResponse:
    """A good answer of the container, still to be read. Raises GoogleError, counted."""
    server = leased.server
    wire = server.wire if server is not None else None
    if server is None or wire is None:
        raise _unreachable(world, outcome, Unreachable(_DOWN))
    try:
        opened = wire.open("POST", server.plan.predict_route, data, headers, leased.seconds)
        response = stack.enter_context(opened)
    except (OSError, http.client.HTTPException) as error:
        failed = Unreachable(str(error), timed_out=isinstance(error, TimeoutError))
        raise _unreachable(world, outcome, failed) from None
    if response.status // 100 != 2:
        raise _refused(world, outcome, response.status, response.read())
    return response


def _refuse(method: str) -> None:
    @rpc(f"PredictionService.{method}")
    def handler(call: Call) -> Document:
        raise not_executed(method, "use Predict, RawPredict or StreamRawPredict")

    handler.__qualname__ = f"refused.{method}"


for _method in (
    "DirectPredict",
    "DirectRawPredict",
    "StreamDirectPredict",
    "StreamDirectRawPredict",
    "StreamingPredict",
    "StreamingRawPredict",
    "ServerStreamingPredict",
    "Explain",
):
    _refuse(_method)


def lease(call: Call, size: int) -> Leased:
    """Choose the deployed model for a request of so many bytes; `Leased.end` must follow. Raises GoogleError."""
    world = call.world
    with world.lock:
        endpoint = rows.find(world, names.canonical(world, call.params["endpoint"]))
        dedicated = bool(endpoint.get("dedicated_endpoint_enabled"))
        if dedicated:
            _check_host(call, endpoint)
        most = DEDICATED_BYTES if dedicated else SHARED_BYTES
        if size > most:
            raise invalid(f"Request payload size exceeds the limit: {most} bytes.")
        room = fleet(world)
        split = endpoint.get("traffic_split", {})
        if not split:
            raise failed_precondition(f"Endpoint {endpoint['name']} doesn't have traffic_split.")
        number = room.number(endpoint["name"])
        identifier = splits.choose(split, endpoint["name"], number)
        row = rows.deployed(endpoint, identifier) or {}
        limit = (endpoint.get("client_connection_config") or {}).get("inference_timeout")
        seconds = duration(limit) if limit else INFERENCE_SECONDS
        serving = endpoint["_serving"].get(identifier, {})
        server = room.server(endpoint["name"], identifier)
        if server is not None:  # under the lock: what undeploys it afterwards waits for this request
            server.enter()
        return Leased(endpoint, row, serving, server, number, seconds)


def _check_host(call: Call, endpoint: Document) -> None:
    host = next((value for key, value in call.http.items() if key.lower() in {"host", ":authority"}), "")
    if host.partition(":")[0].endswith(_DEDICATED_HOST):
        return
    if call.world.switches["dedicated-endpoint-shared-host"] == "refuse":
        raise failed_precondition(
            f"The dedicated endpoint {endpoint['name']!r} cannot be reached by the shared host; send the request to "
            f"{endpoint['dedicated_endpoint_dns']}."
        )


def _ask(world: World, leased: Leased, outcome: Outcome, data: bytes, headers: Mapping[str, str]) -> Reply:
    """A good answer of the container. Raises GoogleError, counted."""
    if leased.server is None:
        raise _unreachable(world, outcome, Unreachable(_DOWN))
    asked = time.perf_counter()
    try:
        reply = leased.server.post(leased.server.plan.predict_route, data, headers, leased.seconds)
    except Unreachable as error:
        raise _unreachable(world, outcome, error) from None
    finally:
        outcome.model_seconds = time.perf_counter() - asked
    if reply.status // 100 != 2:
        raise _refused(world, outcome, reply.status, reply.body)
    return reply


def _unreachable(world: World, outcome: Outcome, error: Unreachable) -> GoogleError:
    code = "DEADLINE_EXCEEDED" if error.timed_out else "UNAVAILABLE"
    found = GoogleError(code, f"The prediction request failed: {error}.")
    count(world, outcome, found.http)
    return found


def _refused(world: World, outcome: Outcome, status: int, body: bytes) -> GoogleError:
    """A container's own error: its status, its text."""
    count(world, outcome, status)
    return GoogleError(code_of(status), body.decode("utf-8", "replace")[:4096] or f"HTTP status {status}")


def code_of(status: int) -> str:
    """The canonical code of an HTTP status (google/rpc/code.proto; the more general one where several have it)."""
    known = {number: code for code, (_, number) in reversed(CODES.items())}
    general = {400: "INVALID_ARGUMENT", 409: "ABORTED", 500: "INTERNAL"}
    fallback = "INVALID_ARGUMENT" if 400 <= status < 500 else "INTERNAL"
    return general.get(status) or known.get(status, fallback)


def _predictions(world: World, reply: Reply) -> Document:
    try:
        answer = json.loads(reply.body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("predictions"), list):
        code = _CODES[world.switches["invalid-container-response"]]
        raise GoogleError(code, 'The container did not answer with JSON of the form {"predictions": [...]}.')
    return answer


def _raw(call: Call) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a raw request: what belongs to the connection or to Google is left out."""
    body = call.params.get("http_body") or {}
    headers = {
        key: value
        for key, value in call.http.items()
        if key.lower() not in _HOP and not key.startswith(":") and not key.lower().startswith(("x-goog-", "grpc-"))
    }
    headers["Content-Type"] = body.get("content_type") or "application/json"
    return base64.b64decode(body.get("data", "")), headers


def _google(leased: Leased) -> dict[str, str]:
    """What PredictionService.RawPredict's documentation promises, and the model that answered."""
    return {
        "X-Vertex-AI-Endpoint-Id": names.id_of(leased.endpoint["name"]),
        "X-Vertex-AI-Deployed-Model-Id": leased.row["id"],
        "X-Vertex-AI-Model": leased.row["model"],
        "X-Vertex-AI-Model-Version-Id": leased.row["model_version_id"],
    }
