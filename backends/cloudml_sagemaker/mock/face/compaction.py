"""Shortening the journal: what a later request made void is left out, so that a long life makes no long start.

S3 objects: of each key of a bucket without versions only the last state counts. Log events: neighbours of a stream
become one request.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from cloudml_sagemaker.mock.face.bodies import Entry

EVENTS = 5000
"""Log events of one joined request (AWS allows 10,000)."""


def compact(entries: list[Entry], load: Callable[[Entry], bytes], keep: Callable[[bytes], Entry]) -> list[Entry]:
    """The entries that are still needed, in order, with their numbers."""
    void = _void_objects(entries)
    return _joined_logs([entry for at, entry in enumerate(entries) if at not in void], load, keep)


@dataclass
class _Key:
    """What happened to one key: positions of requests, by upload; `last` made its present state."""

    changes: list[tuple[int, str]] = field(default_factory=list)
    open: set[str] = field(default_factory=set)
    last: int = -1
    last_upload: str = ""
    gone: bool = False


def _void_objects(entries: list[Entry]) -> set[int]:
    keys: dict[tuple[str, str, str], _Key] = {}
    excepted = _versioned(entries)
    for at, entry in enumerate(entries):
        place = _object(entry)
        if place is None or place[1] in excepted:
            continue
        query = parse_qs(entry["query"], keep_blank_values=True)
        key = keys.setdefault(place, _Key())
        _follow(key, at, entry, query)
    copied = _copied(entries)
    void: set[int] = set()
    for (_, bucket, name), key in keys.items():
        if (bucket, name) in copied or key.last < 0:
            continue
        for at, upload in key.changes:
            needed = at == key.last or (upload and (upload in key.open or upload == key.last_upload))
            if at <= key.last and (not needed or (key.gone and at == key.last)):
                void.add(at)
    return void


def _follow(key: _Key, at: int, entry: Entry, query: dict[str, list[str]]) -> None:
    upload = query.get("uploadId", [""])[0]
    if "uploads" in query:
        # The upload's id is moto's answer, which is not here: keep the beginning of every upload.
        return
    key.changes.append((at, upload))
    if upload:
        if entry["method"] == "PUT":
            key.open.add(upload)
            return
        key.open.discard(upload)
        if entry["method"] == "POST":
            key.last, key.last_upload, key.gone = at, upload, False
    elif not query or set(query) <= {"x-id"}:
        key.last, key.last_upload, key.gone = at, "", entry["method"] == "DELETE"
    else:
        key.changes.pop()  # tags and the like: harmless when the object is made later


def _object(entry: Entry) -> tuple[str, str, str] | None:
    """Account's key, bucket and key of a request about one object."""
    if entry["service"] != "s3" or entry["method"] not in {"PUT", "POST", "DELETE"}:
        return None
    bucket, _, name = entry["path"].lstrip("/").partition("/")
    host = entry["headers"].get("HTTP_HOST", "").split(":")[0]
    if not name or not (host.replace(".", "").isdigit() or host == "localhost"):
        return None  # a bucket in the host's name: leave such requests as they are
    return "", bucket, name


def _versioned(entries: list[Entry]) -> set[str]:
    """Buckets whose objects have versions, locks or notifications: every request counts there."""
    special = {"versioning", "object-lock", "notification", "replication"}
    return {
        entry["path"].strip("/").split("/")[0]
        for entry in entries
        if entry["service"] == "s3" and special & set(parse_qs(entry["query"], keep_blank_values=True))
    }


def _copied(entries: list[Entry]) -> set[tuple[str, str]]:
    """Objects from which others were copied: their history is kept."""
    found = set()
    for entry in entries:
        source = entry["headers"].get("HTTP_X_AMZ_COPY_SOURCE")
        if source:
            bucket, _, name = unquote(source.split("?")[0]).lstrip("/").partition("/")
            found.add((bucket, name))
    return found


def _joined_logs(entries: list[Entry], load: Callable[[Entry], bytes], keep: Callable[[bytes], Entry]) -> list[Entry]:
    result: list[Entry] = []
    current: dict[tuple[str, str, str], _Joined] = {}
    joined: list[_Joined] = []
    for entry in entries:
        if entry["service"] == "logs" and entry["operation"] == "PutLogEvents":
            try:
                params = json.loads(load(entry))
            except OSError:  # the replay tells
                result.append(entry)
                continue
            signed = entry["headers"].get("HTTP_AUTHORIZATION", "").partition("/aws4_request")[0]
            stream = (signed, params["logGroupName"], params["logStreamName"])
            found = current.get(stream)
            if found is not None and len(found.params["logEvents"]) + len(params["logEvents"]) <= EVENTS:
                found.params["logEvents"].extend(params["logEvents"])
                found.count += 1
                continue
            current[stream] = _Joined(len(result), params)
            joined.append(current[stream])
        elif entry["service"] == "logs":
            current.clear()  # a stream may have been made, or deleted
        result.append(entry)
    for one in joined:
        if one.count > 1:
            head = {key: value for key, value in result[one.at].items() if key not in {"body", "file"}}
            result[one.at] = head | keep(json.dumps(one.params).encode())
    return result


@dataclass
class _Joined:
    """Requests of one log stream that become one, at position `at`."""

    at: int
    params: dict[str, Any]
    count: int = 1
