"""The routes of the storage server, and its WSGI application."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import Any

from cloudml.mocks.faults import Fault
from cloudml.mocks.http.serving import DROP
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.storage import batch, buckets, copies, objects, uploads
from cloudml_vertex.mock.storage.downloads import RangeError
from cloudml_vertex.mock.storage.errors import StorageError
from cloudml_vertex.mock.storage.http import Answer, Request, decoded, from_environ, json_answer
from cloudml_vertex.mock.storage.partial import selected

log = logging.getLogger(__name__)
Handler = Callable[[World, Request, tuple[str, ...]], Answer]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_API = r"/storage/v1"
_BUCKET = rf"{_API}/b/([^/]+)"
_OBJECT = rf"{_BUCKET}/o/([^/]+)"
_UPLOAD = r"(?:/resumable)?/upload/storage/v1/b/([^/]+)/o"

ROUTES: tuple[tuple[str, str, str, Handler], ...] = (
    ("storage.buckets.insert", "POST", rf"{_API}/b", buckets.insert),
    ("storage.buckets.list", "GET", rf"{_API}/b", buckets.listed),
    ("storage.buckets.get", "GET", _BUCKET, buckets.get),
    ("storage.buckets.patch", "PATCH", _BUCKET, buckets.patch),
    ("storage.buckets.update", "PUT", _BUCKET, buckets.update),
    ("storage.buckets.delete", "DELETE", _BUCKET, buckets.delete),
    ("storage.buckets.getStorageLayout", "GET", rf"{_BUCKET}/storageLayout", buckets.layout),
    ("storage.buckets.getIamPolicy", "GET", rf"{_BUCKET}/iam", buckets.get_policy),
    ("storage.buckets.setIamPolicy", "PUT", rf"{_BUCKET}/iam", buckets.set_policy),
    ("storage.buckets.testIamPermissions", "GET", rf"{_BUCKET}/iam/testPermissions", buckets.test_permissions),
    ("storage.objects.insert", "POST", _UPLOAD, uploads.insert),
    ("storage.objects.insert", "PUT", _UPLOAD, uploads.insert),
    ("storage.objects.insert", "DELETE", _UPLOAD, uploads.insert),
    ("storage.objects.list", "GET", rf"{_BUCKET}/o", objects.listed),
    ("storage.objects.get", "GET", rf"(?:/download)?{_OBJECT}", objects.get),
    ("storage.objects.patch", "PATCH", _OBJECT, objects.patch),
    ("storage.objects.update", "PUT", _OBJECT, objects.update),
    ("storage.objects.delete", "DELETE", _OBJECT, objects.delete),
    ("storage.objects.compose", "POST", rf"{_OBJECT}/compose", copies.compose),
    ("storage.objects.copy", "POST", rf"{_OBJECT}/copyTo/b/([^/]+)/o/([^/]+)", copies.copy),
    ("storage.objects.rewrite", "POST", rf"{_OBJECT}/rewriteTo/b/([^/]+)/o/([^/]+)", copies.rewrite),
)
"""Name of the method, verb, path (percent-encoded), handler."""
_ROUTES = [(name, verb, re.compile(path), handler) for name, verb, path, handler in ROUTES]
_BATCH = re.compile(r"/batch(?:/storage/v1)?")
_NO_BODY = frozenset({204, 304, 499})
PREFIXES = ("/storage/v1/", "/upload/storage/v1/", "/resumable/upload/storage/v1/", "/download/storage/v1/", "/batch")
"""How the paths begin that belong to this server."""

_FAULTS = {
    "throttle": (429, "rateLimitExceeded", "The rate of requests to the bucket is too high."),
    "internal-error": (500, "internalError", "We encountered an internal error. Please try again."),
    "unavailable": (503, "backendError", "Service is temporarily unavailable."),
}


def app(world: World) -> WsgiApp:
    """The WSGI application: Cloud Storage's JSON API over `World.gcs`."""
    world.gcs.mkdir(parents=True, exist_ok=True)

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        found = _answered(world, environ)
        start(found.line, found.headers)
        return found.chunks

    return answer


def _answered(world: World, environ: dict[str, Any]) -> Answer:
    try:
        request = from_environ(environ)
    except StorageError as error:
        return refusal(error)
    fault = None
    route = _route(request)
    if route is not None:
        fault = world.faults.strike("operation", route[0], route[0].rpartition(".")[2])
        refused = _struck(world, fault)
        if refused is not None:
            return refusal(refused)
    found = serve(world, request)
    if fault is not None and fault.kind == "lost-response" and DROP in environ:
        environ[DROP]()
    return found


def _struck(world: World, fault: Fault | None) -> StorageError | None:
    if fault is not None and fault.kind == "latency":
        world.closing.wait(fault.seconds)  # real time, as the fault says
    known = _FAULTS.get(fault.kind) if fault is not None else None
    return StorageError(*known) if known else None


def serve(world: World, request: Request) -> Answer:
    """Answer one request; errors become answers."""
    try:
        if request.method == "POST" and _BATCH.fullmatch(request.path):
            return batch.handle(request, lambda inner: serve(world, inner))
        return _handled(world, request)
    except StorageError as error:
        return refusal(error, media=request.query.get("alt") == "media")
    except OSError:
        log.exception("storage: %s %s", request.method, request.path[:200])
        return refusal(StorageError(500, "internalError", "The file system refused; see the mock's log."))


def _handled(world: World, request: Request) -> Answer:
    route = _route(request)
    if route is None:
        raise StorageError(404, "notFound", f"Not Found: {request.method} {request.path[:200]}")
    _, handler, names = route
    answer = handler(world, request, tuple(map(decoded, names)))
    if "fields" in request.query and request.query.get("alt") != "media" and answer.status == 200:
        return selected(answer, request.query["fields"])
    return answer


def _route(request: Request) -> tuple[str, Handler, tuple[str, ...]] | None:
    for name, verb, pattern, handler in _ROUTES:
        found = pattern.fullmatch(request.path) if verb == request.method else None
        if found is not None:
            return name, handler, found.groups()
    return None


def refusal(error: StorageError, *, media: bool = False) -> Answer:
    """The answer of an error; in plain text to who asked for a content."""
    if error.status in _NO_BODY:
        return Answer(error.status, [("Content-Length", "0")] if error.status != 304 else [], [])
    if not media:
        return json_answer(error.envelope(), error.status)
    text = error.message.encode()
    headers = [("Content-Type", "text/html; charset=UTF-8"), ("Content-Length", str(len(text)))]
    if isinstance(error, RangeError):
        headers.append(("Content-Range", f"bytes */{error.size}"))
    return Answer(error.status, headers, [text])
