"""Media: the content of an object, whole or a range, and gzip passed through or decompressed.

https://cloud.google.com/storage/docs/transcoding
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from email.utils import formatdate
from typing import BinaryIO

from cloudml_vertex.mock.core.times import seconds
from cloudml_vertex.mock.storage import hashes
from cloudml_vertex.mock.storage.errors import StorageError
from cloudml_vertex.mock.storage.http import Answer, Headers, Request
from cloudml_vertex.mock.storage.records import Record, Records

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_SENT = {
    "cacheControl": "Cache-Control",
    "contentDisposition": "Content-Disposition",
    "contentLanguage": "Content-Language",
    "contentEncoding": "Content-Encoding",
}


def media(records: Records, request: Request, record: Record) -> Answer:
    """The content. Raises StorageError (416 for a range outside of it)."""
    records.sums(record)
    record, file = records.open(record)
    try:
        sums = records.sums(record)
        headers = _headers(record, sums)
        if _to_be_inflated(request, record):
            return _inflated(record, file, headers)
        span = _span(request.headers.get("range", ""), record.size)
    except BaseException:
        file.close()
        raise
    headers += [(name, record.fields[key]) for key, name in _SENT.items() if key in record.fields]
    headers.append(("Accept-Ranges", "bytes"))
    if span is None:
        headers.append(("Content-Length", str(record.size)))
        return Answer(200, headers, _Content(file, 0, record.size))
    first, last = span
    headers.append(("Content-Range", f"bytes {first}-{last}/{record.size}"))
    headers.append(("Content-Length", str(last - first + 1)))
    return Answer(206, headers, _Content(file, first, last - first + 1))


def _headers(record: Record, sums: hashes.Sums) -> Headers:
    told = [f"{kind}={value}" for kind, value in (("crc32c", sums.crc32c), ("md5", sums.md5)) if value]
    return [
        ("Content-Type", record.fields.get("contentType", "application/octet-stream")),
        ("ETag", record.etag),
        ("Last-Modified", formatdate(seconds(record.document["updated"]), usegmt=True)),
        ("X-Goog-Generation", str(record.generation)),
        ("X-Goog-Metageneration", str(record.metageneration)),
        ("X-Goog-Hash", ",".join(told)),
        ("X-Goog-Storage-Class", record.fields.get("storageClass", "STANDARD")),
        ("X-Goog-Stored-Content-Encoding", record.fields.get("contentEncoding", "identity")),
        ("X-Goog-Stored-Content-Length", str(record.size)),
    ]


def _to_be_inflated(request: Request, record: Record) -> bool:
    takes_gzip = "gzip" in request.headers.get("accept-encoding", "").lower()
    kept = "no-transform" in record.fields.get("cacheControl", "")
    return record.fields.get("contentEncoding") == "gzip" and not takes_gzip and not kept


def _inflated(record: Record, file: BinaryIO, headers: Headers) -> Answer:
    """Decompressed for a client that takes no gzip: always the whole, whatever range was asked."""
    with file:
        try:
            data = gzip.decompress(file.read())
        except (OSError, EOFError, zlib.error):
            raise StorageError(503, "backendError", "The content says gzip and is none.") from None
    headers += [(_SENT[key], record.fields[key]) for key in _SENT if key != "contentEncoding" and key in record.fields]
    return Answer(200, [*headers, ("Warning", '214 UploadServer "gunzipped"')], [data])


def _span(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte; None for the whole, also for ranges that are no single one of bytes (RFC 9110)."""
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or found.groups() == ("", ""):
        return None
    if found[1]:
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
        if found[2] and int(found[2]) < first:
            return None
    else:
        first, last = max(size - int(found[2]), 0), size - 1
    if first >= size or first > last:
        raise RangeError(size)
    return first, last


class RangeError(StorageError):
    """416: the range lies outside of the content of `size` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(416, "requestedRangeNotSatisfiable", "The requested range cannot be satisfied.")
        self.size = size


class _Content:
    """A part of a file, in pieces; the server closes it."""

    def __init__(self, file: BinaryIO, first: int, size: int) -> None:
        self._file = file
        self._file.seek(first)
        self._size = size

    def __iter__(self) -> Iterator[bytes]:
        with self._file:
            yield from hashes.pieces(self._file, self._size)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
