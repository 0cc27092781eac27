"""The HTTP front: JSON by the bindings of google.api.http, strictly parsed."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from google.protobuf import json_format

from cloudml.mocks import control
from cloudml.mocks.http.guard import stranger
from cloudml.mocks.http.serving import DROP
from cloudml_vertex.mock import storage
from cloudml_vertex.mock.core import catalog, wire
from cloudml_vertex.mock.core.errors import GoogleError, internal, invalid, unimplemented
from cloudml_vertex.mock.face import metadata
from cloudml_vertex.mock.face.answering import Gate, Lost, answer
from cloudml_vertex.mock.face.proxy import TUNNEL

log = logging.getLogger(__name__)

_RAW = frozenset({"RawPredict", "StreamRawPredict"})
_SYSTEM = frozenset(
    {"alt", "$alt", "key", "prettyPrint", "fields", "access_token", "callback", "quotaUser", "uploadType"}
)
"""System parameters of Google's APIs: not of the request's message."""
Reply = tuple[int, str, bytes, dict[str, str]]
"""Status, media type, body, and further headers."""


class Application:
    """The WSGI application: Vertex AI's REST, Cloud Storage, tokens, the metadata server, the control interface.

    `project` is the one that the metadata server says its machine is of.
    """

    def __init__(self, gate: Gate, subject: control.Subject, project: str) -> None:
        self._gate = gate
        self._subject = subject
        self._project = project

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = str(environ.get("RAW_URI", "/")).partition("?")[0]
        refused = _stranger(environ)
        if not refused and path.startswith(storage.PREFIXES):
            return storage.app(self._gate.world())(environ, start_response)
        if refused:
            status, kind, data, more = _refusal(GoogleError("PERMISSION_DENIED", refused))
        else:
            status, kind, data, more = self._caught(environ, path)
        headers = [("Content-Type", kind), ("Content-Length", str(len(data))), *more.items()]
        start_response(f"{status} {_title(status)}", headers)
        return [data]

    def _caught(self, environ: dict[str, Any], path: str) -> Reply:
        try:
            return self._answer(environ, path)
        except GoogleError as error:
            return _refusal(error)
        except Lost:
            environ[DROP]()
            return _refusal(internal())
        except Exception as error:
            log.exception("a request failed inside the mock")
            return _refusal(internal(f"{type(error).__name__}: {error}"))

    def _answer(self, environ: dict[str, Any], path: str) -> Reply:
        verb, body = environ["REQUEST_METHOD"], environ["wsgi.input"].read()
        if path == "/" or path.startswith(control.PREFIX):
            document, status = control.answer(self._subject, self._gate.world(), verb, path, body)
            return status, "application/json", json.dumps(document).encode(), {}
        if path == "/token" and verb == "POST":
            token = {"access_token": "mock", "expires_in": 3600, "token_type": "Bearer"}
            return 200, "application/json", json.dumps(token).encode(), {}
        headers = {
            key[5:].lower().replace("_", "-"): str(value) for key, value in environ.items() if key[:5] == "HTTP_"
        }
        if path.startswith(f"{metadata.PREFIX}/") and verb == "GET":
            return metadata.answer(self._gate.world(), self._project, path, headers)
        found = catalog.route(verb, path)
        if found is None:
            raise GoogleError("NOT_FOUND", f"The requested URL {path} was not found on this server.")
        method, variables, binding = found
        if method.client_streaming:
            raise unimplemented(f"{method.rpc} is served over gRPC only.")
        message = _request(method, variables, binding.body, environ, body)
        told: dict[str, str] = {}
        result = answer(self._gate.world(), method, message, http=headers, headers=told)
        return *_reply(method, result, "enum-encoding=int" in str(environ.get("QUERY_STRING", ""))), told


def _stranger(environ: dict[str, Any]) -> str:
    """Why a request is refused, if it is: in a tunnel it must be for the host that the tunnel was asked for."""
    if TUNNEL not in environ:
        return stranger(environ)
    if str(environ.get("HTTP_HOST", "")).lower().removesuffix(":443") == environ[TUNNEL]:
        return stranger({**environ, "HTTP_HOST": "localhost"})
    return f"The request is not for the tunnel's host, {environ[TUNNEL]}."


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _request(
    method: catalog.Method, variables: dict[str, str], where: str, environ: dict[str, Any], body: bytes
) -> Any:
    kind = method.request.DESCRIPTOR
    document: dict[str, Any] = {}
    for key, value in parse_qsl(str(environ.get("QUERY_STRING", "")), keep_blank_values=True):
        if key.partition(";")[0] not in _SYSTEM:
            _put(document, kind, key.split("."), value)
    if where and method.name in _RAW:
        document |= _raw(environ, body)
    elif where:
        found = _json(body)
        if where == "*":
            document |= found
        else:
            document[where] = found
    for key, value in variables.items():
        _put(document, kind, key.split("."), value)
    try:
        return json_format.ParseDict(document, method.request())
    except json_format.ParseError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise invalid(f"Invalid JSON payload received. {error}") from None
    if not isinstance(found, dict):
        raise invalid("Invalid JSON payload received. The body is not an object.")
    return found


def _raw(environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The body of a raw prediction is the container's; Google's REST clients wrap it as `httpBody`."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if isinstance(found, dict) and set(found) <= {"httpBody", "endpoint"} and "httpBody" in found:
        return {"httpBody": found["httpBody"]}
    kind = str(environ.get("CONTENT_TYPE", ""))
    return {"httpBody": {"contentType": kind, "data": base64.b64encode(body).decode()}}


def _put(document: dict[str, Any], kind: Any, path: list[str], value: str) -> None:
    """Put a text where a field's path says; a list when the field is one."""
    field = next((one for one in kind.fields if path[0] in {one.name, one.json_name}), None)
    if field is None:
        raise invalid(f'Invalid JSON payload received. Unknown name "{path[0]}": Cannot bind query parameter.')
    if len(path) > 1:
        if field.message_type is None:
            raise invalid(f'Invalid value at "{path[0]}": it has no fields.')
        inner = document.setdefault(field.name, {})
        _put(inner, field.message_type, path[1:], value)
        return
    known = {"true": True, "false": False} if field.type == field.TYPE_BOOL else {}
    given: Any = known.get(value, value)
    if wire.is_repeated(field):
        document.setdefault(field.name, []).append(given)
    else:
        document[field.name] = given


def _reply(method: catalog.Method, result: Any, numbers: bool) -> tuple[int, str, bytes]:
    raw = method.response.DESCRIPTOR.full_name == "google.api.HttpBody"
    if method.server_streaming and raw:
        # The container's own bytes, as they are: no messages around its parts.
        parts = list(result)
        return 200, parts[0].content_type if parts else "application/json", b"".join(part.data for part in parts)
    if method.server_streaming:
        texts = [_text(message, numbers) for message in result]
        return 200, "application/json", f"[{','.join(texts)}]".encode()
    if raw:
        return 200, result.content_type or "application/json", bytes(result.data)
    return 200, "application/json; charset=UTF-8", _text(result, numbers).encode()


def _text(message: Any, numbers: bool) -> str:
    return str(json_format.MessageToJson(message, use_integers_for_enums=numbers, indent=None))


def _refusal(error: GoogleError) -> Reply:
    inner: dict[str, Any] = {"code": error.http, "message": error.message, "status": error.code}
    if error.details:
        inner["details"] = list(error.details)
    return error.http, "application/json; charset=UTF-8", json.dumps({"error": inner}).encode(), {}
