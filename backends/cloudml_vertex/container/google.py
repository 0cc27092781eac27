"""Google's APIs inside a job, by the names of their RPCs: documents go in and come out in snake_case proto JSON.

CLOUDML_VERTEX_REST may name another address than Google's (http://…), for all services.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from cloudml_vertex.container.http import GoogleError, Request, pause, send
from cloudml_vertex.container.rpcs import HOSTS, RPCS, Rpc

__all__ = ["GoogleError", "call", "find", "pages", "start", "wait"]

Document = dict[str, Any]

REST = "CLOUDML_VERTEX_REST"
OPERATION_SECONDS = 1800.0
"""How long an operation is waited for when nothing says how long: a deployment takes 10 to 20 minutes."""
_FIRST, _LONGEST = 0.5, 10.0
"""Seconds between two looks at an operation."""
_SAFE = frozenset({"GET"})
_FIELD = re.compile(r"\{([\w.]+)\}")
_REGION = re.compile(r"projects/[^/]+/locations/([a-z0-9-]+)")
_FREE = frozenset({
    "attributionScoreDriftThresholds", "attributionScoreSkewThresholds", "driftThresholds", "featureAlertConditions",
    "instances", "labels", "metadata", "parameterValues", "pipelineSpec", "predictions", "skewThresholds",
    "structValue", "trafficSplit", "userLabels",
})  # fmt: skip
"""Members whose own members are no fields: maps, and values of any form. (An operation's `metadata` is not needed.)"""
_NAMES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
"""google.rpc.Code, by number."""


def call(rpc: str, /, seconds: float = OPERATION_SECONDS, **request: Any) -> Document:
    """One call, `EndpointService.GetEndpoint` or the like; an operation is waited for, and its response returned.

    Raises GoogleError; of an operation that goes on after `seconds`, with code DEADLINE_EXCEEDED.
    """
    answer = start(rpc, **request)
    if not RPCS[rpc].operation:
        return answer
    return wait(answer["name"], seconds, answer, "v1beta1" if rpc.startswith("v1beta1.") else "v1")


def start(rpc: str, /, **request: Any) -> Document:
    """One call; of an operation, its first state: keep its `name` to `wait` for it later. Raises GoogleError."""
    known = RPCS[rpc]
    left = dict(request)
    path = _FIELD.sub(lambda match: _filled(match[1], request, left), known.path)
    body = _body(known, left)
    query = urlencode(list(_query(left))) if left else ""
    url = f"{_base(rpc, path)}/{path}" + (f"?{query}" if query else "")
    headers = {} if body is None else {"Content-Type": "application/json"}
    found: Document = snake(send(Request(known.verb, url, body, headers, safe=known.verb in _SAFE)).document())
    return found


def find(rpc: str, /, **request: Any) -> Document | None:
    """What a Get tells; None when there is no such thing. Raises GoogleError."""
    try:
        return call(rpc, **request)
    except GoogleError as error:
        if error.code == "NOT_FOUND":
            return None
        raise


def pages(rpc: str, member: str, /, **request: Any) -> Iterator[Any]:
    """The entries of all pages of a List, which are its answers' `member`. Raises GoogleError."""
    asked = dict(request)
    while True:
        page = call(rpc, **asked)
        yield from page.get(member, ())
        if not page.get("next_page_token"):
            return
        asked["page_token"] = page["next_page_token"]


def wait(name: str, seconds: float = OPERATION_SECONDS, known: Document | None = None, version: str = "v1") -> Document:
    """The response of an operation. `known`: its last known state; `version`: of the API that began it.

    Raises GoogleError: it failed, or goes on after so many seconds (DEADLINE_EXCEEDED); then nothing was cancelled.
    """
    until, interval = time.monotonic() + seconds, _FIRST
    found = known or {}
    while not found.get("done"):
        if time.monotonic() >= until:
            raise GoogleError("DEADLINE_EXCEEDED", f"the operation {name} goes on after {seconds:g} s")
        if found:
            pause(min(interval, max(0.0, until - time.monotonic())))
            interval = min(_LONGEST, interval * 1.5)
        url = f"{_base('', name)}/{version}/{quote(name, safe='/')}"
        found = snake(send(Request("GET", url, safe=True)).document())
    if "error" in found:
        error = found["error"]
        number = int(error.get("code", 2))
        code = _NAMES[number] if 0 <= number < len(_NAMES) else "UNKNOWN"
        raise GoogleError(code, str(error.get("message", "")), 200)
    response: Document = found.get("response", {})
    return {key: value for key, value in response.items() if key != "@type"}


def _filled(field: str, request: Document, left: Document) -> str:
    """A field's value for the path; nested ones stay in the body."""
    first, *rest = field.split(".")
    value: Any = request[first]
    for name in rest:
        value = value[name]
    if not rest:
        del left[first]
    return quote(str(value), safe="/@")


def _body(known: Rpc, left: Document) -> bytes | None:
    """The body; what it takes is no more `left` for the query."""
    if not known.body:
        return None
    if known.body != "*":
        return json.dumps(left.pop(known.body)).encode()
    body = json.dumps(left).encode()
    left.clear()
    return body


def _query(left: Document, prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in left.items():
        key = f"{prefix}{camel(name)}"
        if isinstance(value, dict):
            yield from _query(value, f"{key}.")
        elif isinstance(value, (list, tuple)):
            yield from ((key, str(one)) for one in value)
        elif isinstance(value, bool):
            yield key, str(value).lower()
        else:
            text = str(value)
            yield key, ",".join(camel(one) for one in text.split(",")) if name.endswith("_mask") else text


def _base(rpc: str, path: str) -> str:
    own = os.environ.get(REST)
    if own:
        return own.rstrip("/")
    service = rpc.partition(".")[0]
    if service in HOSTS:
        return f"https://{HOSTS[service]}"
    region = _REGION.search(path)
    if region is None:
        raise GoogleError("INVALID_ARGUMENT", f"{path} names no region", 400)
    return f"https://{region[1]}-aiplatform.googleapis.com"


def camel(name: str) -> str:
    """A field's name as JSON has it."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def snake(document: Any) -> Any:
    """A document with its fields named as the protos have them."""
    if isinstance(document, list):
        return [snake(one) for one in document]
    if not isinstance(document, dict):
        return document
    return {
        re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", key): value if key in _FREE else snake(value)
        for key, value in document.items()
    }
