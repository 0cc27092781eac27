"""Objects: get, list, patch, update, delete (https://cloud.google.com/storage/docs/json_api/v1/objects)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.storage import downloads, globbing
from cloudml_vertex.mock.storage.conditions import of_query
from cloudml_vertex.mock.storage.errors import invalid, not_executed
from cloudml_vertex.mock.storage.http import Answer, Request, json_answer
from cloudml_vertex.mock.storage.paging import page_size, read_token, token
from cloudml_vertex.mock.storage.records import Record, Records
from cloudml_vertex.mock.storage.resources import resource, settable

Document = dict[str, Any]
_AFTER = "\U0010ffff"
"""Behind every name that begins with the text before it."""


def get(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """objects.get, of the resource or (alt=media) of the content."""
    records = Records(world)
    record = records.get(names[0], names[1], request.number("generation"))
    of_query(request.query, request.headers).check(record.state, reading=True)
    if request.query.get("alt") == "media":
        return downloads.media(records, request, record)
    return json_answer(resource(records, request, record), headers=[("ETag", record.etag)])


def patch(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """objects.patch: given fields change, null clears, custom metadata is merged."""
    return _change(world, request, names, merge=True)


def update(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """objects.update: what is not given is cleared."""
    return _change(world, request, names, merge=False)


def _change(world: World, request: Request, names: tuple[str, ...], *, merge: bool) -> Answer:
    records, given = Records(world), request.document()
    with world.lock:
        record = records.get(names[0], names[1], request.number("generation"))
        of_query(request.query, request.headers).check(record.state)
        kept = record.fields if merge else {key: record.fields[key] for key in ("customTime",) if key in record.fields}
        record = records.change(record, settable(given, kept))
    return json_answer(resource(records, request, record))


def delete(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """objects.delete"""
    conditions = of_query(request.query, request.headers)
    Records(world).delete(names[0], names[1], request.number("generation"), conditions)
    return Answer(204)


def listed(world: World, request: Request, names: tuple[str, ...]) -> Answer:
    """objects.list"""
    if request.flag("softDeleted"):
        raise not_executed("listing soft-deleted objects", "a deleted object is gone")
    records = Records(world)
    records.need_bucket(names[0])
    listing = _Listing(records, request, names[0])
    listing.fill()
    result: Document = {"kind": "storage#objects"}
    if listing.next:
        result["nextPageToken"] = token(listing.next)
    if listing.prefixes:
        result["prefixes"] = listing.prefixes
    if listing.items:
        result["items"] = [resource(records, request, record) for record in listing.items]
    return json_answer(result)


class _Listing:
    """One page: objects and, with a delimiter, the prefixes that stand for objects; both count."""

    def __init__(self, records: Records, request: Request, bucket: str) -> None:
        query = request.query
        self._records, self._bucket = records, bucket
        self._prefix = query.get("prefix", "")
        self._delimiter = query.get("delimiter", "")
        self._end = query.get("endOffset", "")
        self._trailing = request.flag("includeTrailingDelimiter")
        self._glob = self._pattern(query.get("matchGlob", ""))
        self._size = page_size(request)
        self._last = read_token(request)
        self._start = max(query.get("startOffset", ""), self._last)
        self.items: list[Record] = []
        self.prefixes: list[str] = []
        self.next = ""

    def _pattern(self, glob: str) -> re.Pattern[str] | None:
        if glob and self._delimiter not in {"", "/"}:
            raise invalid("matchGlob can be used with the delimiter '/' only.")
        return globbing.pattern(glob) if glob else None

    def fill(self) -> None:
        """Look through the bucket until the page is full."""
        walk = gcs.Walk(self._records.world, self._bucket, self._prefix, self._start)
        given = self._last
        if self._common(given) == given != "":
            walk.skip_to(given + _AFTER)
        for name, path in walk:
            if self._end and name >= self._end:
                return
            common = self._common(name)
            if name == self._last or (common and common == given):
                continue
            if self._glob is None or self._glob.fullmatch(common or name):
                if len(self.items) + len(self.prefixes) >= self._size:
                    self.next = given
                    return
                self._show(name, path, common)
                given = common or name
            if common:
                walk.skip_to(common + _AFTER)

    def _common(self, name: str) -> str:
        """The prefix that stands for the name, "" when it stands for itself."""
        if not self._delimiter:
            return ""
        at = name.find(self._delimiter, len(self._prefix))
        return name[: at + len(self._delimiter)] if at >= 0 else ""

    def _show(self, name: str, path: Path, common: str) -> None:
        # The object that is called as the prefix comes before all others that the prefix stands for.
        if common:
            self.prefixes.append(common)
        if not common or (self._trailing and name == common):
            record = self._records.find(self._bucket, name, path)
            if record is not None:
                self.items.append(record)
