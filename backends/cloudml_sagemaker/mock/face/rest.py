"""The REST services of SageMaker (runtime, metrics): requests and answers by the traits of botocore's models."""

from __future__ import annotations

import base64
import binascii
import json
import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.face.incoming import Incoming
from cloudml_sagemaker.mock.face.replies import Reply
from cloudml_sagemaker.mock.face.routes import path_pattern
from cloudml_sagemaker.service.model import operation_model, operation_names

SERVICES = ("sagemaker-runtime", "sagemaker-metrics")
_PREFIXES = ("/endpoints/", "/BatchPutMetrics", "/BatchGetMetrics")


@dataclass(frozen=True)
class Found:
    """An operation and what the path says."""

    service: str
    operation: str
    path: Mapping[str, str]


def find(incoming: Incoming) -> Found | None:
    """The operation of runtime or metrics that the request is, signed for SageMaker or not signed; else None."""
    if not incoming.path.startswith(_PREFIXES) or incoming.service not in {"", "sagemaker"} or incoming.target:
        return None
    for service, operation, method, pattern in _routes():
        match = pattern.fullmatch(incoming.path.rstrip("/"))
        if match is not None and method == incoming.method:
            return Found(service, operation, {name: unquote(text) for name, text in match.groupdict().items()})
    return None


@cache
def _routes() -> tuple[tuple[str, str, str, Any], ...]:
    found = []
    for service in SERVICES:
        for operation in sorted(operation_names(service)):
            http = operation_model(operation, service).http
            found.append((service, operation, http["method"], path_pattern(http["requestUri"].partition("?")[0])))
    return tuple(found)


def parse(found: Found, incoming: Incoming) -> dict[str, Any]:
    """The request's parameters. Raises AwsError (SerializationException) for what is no such request."""
    shape = operation_model(found.operation, found.service).input_shape
    payload = shape.serialization.get("payload")
    params: dict[str, Any] = {}
    for name, member in shape.members.items():
        place, called = member.serialization.get("location"), member.serialization.get("name", name)
        text: str | None = None
        if place == "uri":
            text = found.path.get(name)
        elif place == "querystring":
            text = incoming.query.get(called)
        elif place == "header":
            text = _header(incoming.environ, called)
        if text is not None:
            params[name] = _typed(member, text, called)
    if payload is None:
        params |= _document(incoming)
    elif shape.members[payload].type_name == "blob":
        # A body of no bytes is a body all the same: the model requires none, the operations do.
        params[payload] = incoming.body
    elif incoming.body:
        params[payload] = _document(incoming)
    return params


def _header(environ: Mapping[str, Any], name: str) -> str | None:
    key = name.upper().replace("-", "_")
    return environ.get(key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}") or None


def _document(incoming: Incoming) -> dict[str, Any]:
    try:
        document = incoming.json()
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise AwsError("SerializationException", "The request's body is not a JSON object.")
    return document


def _typed(shape: Any, text: str, name: str) -> Any:
    try:
        if shape.type_name in {"integer", "long"}:
            return int(text)
        if shape.type_name in {"float", "double"}:
            return float(text)
        if shape.type_name == "boolean":
            return {"true": True, "false": False}[text.lower()]
        if shape.serialization.get("jsonvalue"):
            return base64.b64decode(text)
    except (ValueError, KeyError, binascii.Error):
        raise AwsError("SerializationException", f"{name} is no {shape.type_name}: {text}") from None
    return text


def serialise(found: Found, result: Mapping[str, Any]) -> Reply:
    """The answer: members into headers, the payload as it is, the rest as JSON."""
    model = operation_model(found.operation, found.service)
    status = int(model.http.get("responseCode", 200))
    headers = {"x-amzn-RequestId": str(uuid.uuid4())}
    shape = model.output_shape
    if shape is None:
        return Reply(status, tuple(headers.items()))
    document: dict[str, Any] = {}
    payload = shape.serialization.get("payload")
    for name, member in shape.members.items():
        value = result.get(name)
        if value is None or name == payload:
            continue
        if member.serialization.get("location") == "header":
            headers[member.serialization["name"]] = str(value)
        else:
            document[name] = value
    if payload is None:
        headers.setdefault("Content-Type", "application/json")
        return Reply(status, tuple(headers.items()), json.dumps(document).encode())
    body = result.get(payload)
    if shape.members[payload].serialization.get("eventstream"):
        headers["Content-Type"] = "application/vnd.amazon.eventstream"
        return Reply(status, tuple(headers.items()), event_stream(body or ()))
    return Reply(status, tuple(headers.items()), _bytes(body))


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else bytes(body)


def event_stream(parts: Iterable[Any]) -> Iterator[bytes]:
    """PayloadPart events, one for each part; an AwsError among them, or raised on the way, becomes the last event."""
    try:
        for part in parts:
            if isinstance(part, AwsError):
                raise part
            data = part["PayloadPart"]["Bytes"] if isinstance(part, dict) else part
            if data:
                yield event(
                    {
                        ":message-type": "event",
                        ":event-type": "PayloadPart",
                        ":content-type": "application/octet-stream",
                    },
                    data,
                )
    except AwsError as error:
        yield event(
            {
                ":message-type": "exception",
                ":exception-type": error.code,
                ":content-type": "application/json",
            },
            json.dumps({"Message": error.message}).encode(),
        )


def event(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message of AWS's event stream encoding (application/vnd.amazon.eventstream): lengths and checksums around."""
    encoded = b"".join(
        bytes([len(name.encode())]) + name.encode() + b"\x07" + struct.pack("!H", len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    total = 4 + 4 + 4 + len(encoded) + len(payload) + 4
    prelude = struct.pack("!II", total, len(encoded))
    prelude += struct.pack("!I", binascii.crc32(prelude))
    message = prelude + encoded + payload
    return message + struct.pack("!I", binascii.crc32(message))
