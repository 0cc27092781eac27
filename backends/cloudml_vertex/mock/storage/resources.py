"""Object resources, and the rules for what clients may say in them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.times import seconds
from cloudml_vertex.mock.storage.buckets import merged
from cloudml_vertex.mock.storage.errors import invalid
from cloudml_vertex.mock.storage.http import Request
from cloudml_vertex.mock.storage.records import FIELDS, Record, Records

Document = dict[str, Any]
METADATA = 8 * 1024
"""Bytes of an object's custom metadata, keys and values (https://cloud.google.com/storage/quotas#objects)."""
_TEXTS = ("contentType", "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "storageClass")
_FLAGS = ("temporaryHold", "eventBasedHold")


def resource(records: Records, request: Request, record: Record) -> Document:
    """The Object resource (https://cloud.google.com/storage/docs/json_api/v1/objects#resource)."""
    sums = records.sums(record)
    document, path = record.document, f"b/{record.bucket}/o/{quote(record.name, safe='')}"
    media = f"{request.base}/download/storage/v1/{path}?generation={record.generation}&alt=media"
    found = {
        "kind": "storage#object",
        "id": f"{record.bucket}/{record.name}/{record.generation}",
        "selfLink": f"{request.base}/storage/v1/{path}",
        "mediaLink": media,
        "name": record.name,
        "bucket": record.bucket,
        "generation": str(record.generation),
        "metageneration": str(record.metageneration),
        "storageClass": "STANDARD",
        "size": str(record.size),
        "md5Hash": sums.md5 or None,
        "crc32c": sums.crc32c or None,
        "etag": record.etag,
        "timeCreated": document["created"],
        "updated": document["updated"],
        "timeFinalized": document["created"],
        "timeStorageClassUpdated": document["created"],
        "componentCount": document.get("componentCount"),
        **record.fields,
    }
    return {key: value for key, value in found.items() if value is not None}


def need_name(name: str) -> str:
    """An object's name that may be. Raises StorageError."""
    if not name:
        raise invalid("Required parameter: name")
    if not gcs.is_object_name(name):
        raise invalid(f"Invalid object name: {name[:100]!r} must be UTF-8 of 1 to 1024 bytes, without line breaks.")
    return name


def settable(given: Document, old: Document | None = None) -> Document:
    """The fields that a client set, on top of `old` ones (JSON merge patch). Raises StorageError."""
    found: Document = merged(old or {}, {key: given[key] for key in FIELDS if key in given})
    for key in _TEXTS:
        if not isinstance(found.get(key, ""), str):
            raise invalid(f"Invalid value for {key}: it must be a text.")
    for key in _FLAGS:
        if not isinstance(found.get(key, False), bool):
            raise invalid(f"Invalid value for {key}: it must be true or false.")
    _check_metadata(found.get("metadata", {}))
    _check_custom_time(found, old or {})
    return {key: value for key, value in found.items() if value not in ("", {}, None)}


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise invalid("Invalid value for metadata: it must be a map of texts.")
    if sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items()) > METADATA:
        raise invalid(f"The custom metadata of an object has at most {METADATA} bytes.")


def _check_custom_time(found: Document, old: Document) -> None:
    """A custom time can be moved forward, and never removed (Object resource, `customTime`)."""
    try:
        times = [seconds(str(one["customTime"])) for one in (old, found) if "customTime" in one]
    except GoogleError as error:
        raise invalid(f"Invalid value for customTime: {error.message}") from None
    if ("customTime" in old and "customTime" not in found) or times != sorted(times):
        raise invalid("Custom time cannot be removed or set to an earlier time.")
