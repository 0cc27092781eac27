"""objects.insert: simple, multipart and resumable uploads.

https://cloud.google.com/storage/docs/performing-resumable-uploads: a session lives for a week; what it got so far is a
file beside the buckets, and survives the server.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.storage import hashes, multipart
from cloudml_vertex.mock.storage.conditions import Conditions, of_query
from cloudml_vertex.mock.storage.errors import StorageError, invalid
from cloudml_vertex.mock.storage.http import Answer, Request, document, json_answer
from cloudml_vertex.mock.storage.records import Record, Records
from cloudml_vertex.mock.storage.resources import need_name, resource, settable

Document = dict[str, Any]
UNIT = 256 * 1024
"""Chunks that are not the last are kept in multiples of this many bytes."""
WEEK = 7 * 86400.0
_SPAN = re.compile(r"bytes (?:(\d{1,19})-(\d{1,19})|\*)/(\d{1,19}|\*)")


def insert(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """objects.insert, by `uploadType`."""
    if "x-goog-encryption-key" in request.headers:
        raise StorageError(501, "notImplemented", "Customer-supplied encryption keys: not executed by this mock.")
    kind = request.query.get("uploadType", "media")
    if kind not in _KINDS:
        raise invalid(f"Invalid upload type: {kind[:50]!r}.")
    Records(world).need_bucket(names[0])
    return _KINDS[kind](world, request, names[0])


def _simple(world: World, request: Request, bucket: str) -> Answer:
    given = {"contentType": request.headers.get("content-type") or "application/octet-stream"}
    if "contentEncoding" in request.query:
        given["contentEncoding"] = request.query["contentEncoding"]
    return _put(world, request, bucket, request.query.get("name", ""), given, request.body)


def _multipart(world: World, request: Request, bucket: str) -> Answer:
    parts = multipart.split(request.headers.get("content-type", ""), request.body)
    if len(parts) != 2:
        raise invalid(f"Malformed multipart body: it has {len(parts)} parts, and must have metadata and content.")
    (_, told), (headers, content) = parts
    given = document(told)
    given.setdefault("contentType", headers.get("content-type") or "application/octet-stream")
    name = request.query.get("name") or str(given.get("name") or "")
    return _put(world, request, bucket, name, given, content)


def _put(
    world: World, request: Request, bucket: str, name: str, given: Document, content: bytes | memoryview
) -> Answer:
    need_name(name)
    fields = settable(given)
    records, draft = Records(world), gcs.new_draft(world)
    try:
        sums = hashes.write(draft, content)
        hashes.verify(sums, given, request.headers.get("x-goog-hash", ""))
        record = records.commit(bucket, name, draft, sums, fields, of_query(request.query))
    finally:
        draft.unlink(missing_ok=True)
    return json_answer(resource(records, request, record), headers=[("ETag", record.etag)])


def _resumable(world: World, request: Request, bucket: str) -> Answer:
    """Begin a session, or go on with one when `upload_id` is there."""
    if "upload_id" in request.query:
        return _continue(world, request, bucket)
    given = request.document()
    name = need_name(request.query.get("name") or str(given.get("name") or ""))
    kind = request.headers.get("x-upload-content-type") or "application/octet-stream"
    length = request.headers.get("x-upload-content-length", "")
    given.setdefault("contentType", kind)
    conditions = of_query(request.query)
    with world.lock:
        old = Records(world).find(bucket, name)
        conditions.check(old.state if old else None)
        identity = world.unique("upload") + world.unique("upload", name)
        session = {
            "bucket": bucket,
            "name": name,
            "fields": settable(given),
            "sums": {key: given[key] for key in ("md5Hash", "crc32c") if key in given},
            "conditions": conditions.document(),
            "total": int(length) if length.isascii() and length.isdigit() else None,
            "begun": world.now(),
        }
        _sessions(world).put(identity, session)
        _content(world, identity).touch()
    link = f"{request.base}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&name={quote(name, safe='')}"
    for key in ("ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch", "ifMetagenerationNotMatch"):
        link += f"&{key}={request.query[key]}" if key in request.query else ""
    headers = [("Location", f"{link}&upload_id={identity}"), ("X-GUploader-UploadID", identity)]
    return Answer(200, [*headers, ("Content-Length", "0")], [])


def _continue(world: World, request: Request, bucket: str) -> Answer:
    identity = request.query["upload_id"]
    with _uploading(world):
        session = _sessions(world).get(identity)
        if session is None or session["bucket"] != bucket:
            raise StorageError(404, "notFound", "There is no such resumable upload.")
        if world.now() - session["begun"] > WEEK:
            raise StorageError(410, "gone", "The resumable upload has expired.")
        if session.get("cancelled"):
            raise StorageError(499, "cancelled", "The upload was cancelled.")
        if request.method == "DELETE":
            return _cancel(world, identity, session)
        return _chunk(world, request, identity, session)


def _cancel(world: World, identity: str, session: Document) -> Answer:
    if "generation" not in session:
        _content(world, identity).unlink(missing_ok=True)
        _keep(world, identity, {**session, "cancelled": True})
    return Answer(499, [("Content-Length", "0")], [])


def _chunk(world: World, request: Request, identity: str, session: Document) -> Answer:
    """One PUT of a session: some bytes, the last ones, or only the question how many there are."""
    records, path = Records(world), _content(world, identity)
    if "generation" in session:
        record = records.get(session["bucket"], session["name"], session["generation"])
        return json_answer(resource(records, request, record))
    have = path.stat().st_size
    first, size, total = _announced(request, have, session["total"])
    if total is not None and session["total"] is not None and total != session["total"]:
        raise invalid(f"The total of {total} bytes is not the {session['total']} that were announced.")
    if first > have:
        raise invalid(f"The chunk begins at byte {first}, and only {have} bytes have arrived.")
    last = total is not None and first + size == total
    data = memoryview(request.body)[have - first :]
    if size and len(data):
        keep = len(data) if last else max(0, (have + len(data)) // UNIT * UNIT - have)
        with path.open("ab") as file:
            file.write(data[:keep])
        have += keep
    if total is None or have < total:
        range_ = [("Range", f"bytes=0-{have - 1}")] if have else []
        return Answer(308, [*range_, ("X-GUploader-UploadID", identity), ("Content-Length", "0")], [])
    record = _finish(world, request, identity, session)
    return json_answer(resource(records, request, record), headers=[("ETag", record.etag)])


def _announced(request: Request, have: int, promised: int | None) -> tuple[int, int, int | None]:
    """First byte and number of bytes of a chunk, and the total if it is known. Raises StorageError."""
    header, length = request.headers.get("content-range", ""), len(request.body)
    if not header:
        return 0, length, length
    found = _SPAN.fullmatch(header.strip())
    if found is None:
        raise invalid(f"Invalid Content-Range: {header[:80]!r}.")
    total = promised if found[3] == "*" else int(found[3])
    if found[1] is None:
        if length:
            raise invalid("A request for the status of an upload has no body.")
        return have, 0, total
    first, last = int(found[1]), int(found[2])
    if last - first + 1 != length or (total is not None and last >= total):
        raise invalid(
            f"Invalid request. There were {length} byte(s) in the request body. There should have been "
            f"{last - first + 1} byte(s) (starting at offset {first} and ending at offset {last})."
        )
    return first, length, total


def _finish(world: World, request: Request, identity: str, session: Document) -> Record:
    path = _content(world, identity)
    sums = hashes.of_file(path)
    try:
        hashes.verify(sums, session["sums"], request.headers.get("x-goog-hash", ""))
    except StorageError:
        path.unlink(missing_ok=True)
        _keep(world, identity, None)
        raise
    draft = gcs.new_draft(world)
    os.replace(path, draft)
    try:
        record = Records(world).commit(
            session["bucket"], session["name"], draft, sums, session["fields"], Conditions(**session["conditions"])
        )
    except StorageError:
        _keep(world, identity, None)
        raise
    finally:
        draft.unlink(missing_ok=True)
    _keep(world, identity, {**session, "generation": record.generation})
    return record


def _sessions(world: World) -> Any:
    return world.table("gcs_upload", Scope("", ""))


def _keep(world: World, identity: str, session: Document | None) -> None:
    with world.lock:
        if session is None:
            _sessions(world).delete(identity)
        else:
            _sessions(world).put(identity, session)


def _uploading(world: World) -> threading.Lock:
    """Held while a chunk is written and summed up, which may be too long for the world's lock."""
    found: threading.Lock = world.rooms.setdefault("storage.uploads", threading.Lock())
    return found


def _content(world: World, identity: str) -> Path:
    folder = gcs.side(world) / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / identity


_KINDS = {"media": _simple, "multipart": _multipart, "resumable": _resumable}
