"""Answers: of our own services, and errors in the protocol of whichever service was asked."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.face.incoming import CBOR, EC2, JSON, QUERY, REST_XML

StartResponse = Callable[..., Any]


@dataclass(frozen=True)
class Reply:
    """Status, headers and body; a body that is no bytes is streamed."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | Iterable[bytes] = b""

    def send(self, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as WSGI wants it."""
        try:
            title = HTTPStatus(self.status).phrase
        except ValueError:
            title = "Error"
        headers = list(self.headers)
        # The answer to a HEAD brings the length of the body that it has not.
        if isinstance(self.body, bytes) and not any(name.lower() == "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(self.body))))
        start_response(f"{self.status} {title}", headers)
        return [self.body] if isinstance(self.body, bytes) else self.body


def as_json(document: Any, status: int = 200, content_type: str = "application/x-amz-json-1.1") -> Reply:
    """A JSON answer with a request id."""
    headers = (("Content-Type", content_type), ("x-amzn-RequestId", str(uuid.uuid4())))
    return Reply(status, headers, json.dumps(document).encode())


def refusal(error: AwsError, protocol: str) -> Reply:
    """The error as the protocol carries it; SDKs read code and message from it."""
    return _FORMS.get(protocol, _rest_json)(error)


def _json(error: AwsError) -> Reply:
    return as_json({"__type": error.code, "message": error.message, **error.details}, error.status)


def _rest_json(error: AwsError) -> Reply:
    reply = as_json({"message": error.message, **error.details}, error.status, "application/json")
    return Reply(reply.status, (*reply.headers, ("x-amzn-ErrorType", error.code)), reply.body)


def _xml(error: AwsError, form: str) -> Reply:
    request = str(uuid.uuid4())
    body = form.format(
        code=escape(error.code),
        message=escape(error.message),
        sender="Sender" if error.status < 500 else "Receiver",
        request=request,
    )
    headers = (("Content-Type", "text/xml"), ("x-amzn-RequestId", request))
    return Reply(error.status, headers, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode())


def _query(error: AwsError) -> Reply:
    return _xml(
        error,
        "<ErrorResponse><Error><Type>{sender}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>{request}</RequestId></ErrorResponse>",
    )


def _ec2(error: AwsError) -> Reply:
    return _xml(
        error,
        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>{request}</RequestID></Response>",
    )


def _rest_xml(error: AwsError) -> Reply:
    return _xml(error, "<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request}</RequestId></Error>")


def _cbor(error: AwsError) -> Reply:
    pairs = (("__type", error.code), ("message", error.message))
    body = bytes([0xA0 | len(pairs)]) + b"".join(_cbor_text(text) for pair in pairs for text in pair)
    headers = (("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor"))
    return Reply(error.status, headers, body)


def _cbor_text(text: str) -> bytes:
    """A text string of CBOR (RFC 8949, major type 3)."""
    data = text.encode()
    return b"\x7a" + len(data).to_bytes(4, "big") + data


_FORMS: dict[str, Callable[[AwsError], Reply]] = {
    JSON: _json,
    QUERY: _query,
    EC2: _ec2,
    REST_XML: _rest_xml,
    CBOR: _cbor,
}
