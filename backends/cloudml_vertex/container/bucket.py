"""Cloud Storage as a job's store of objects, by its JSON API; STORAGE_EMULATOR_HOST leads elsewhere, as usual."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote, urlencode

from cloudml_vertex.container.http import (
    ATTEMPTS,
    Answer,
    GoogleError,
    Request,
    delay,
    opened,
    passes,
    pause,
    send,
)

HOST, HOST_VARIABLE = "https://storage.googleapis.com", "STORAGE_EMULATOR_HOST"
TRANSFER = 300.0
"""Seconds that a single read or write of a large object may stand still."""


def split(uri: str) -> tuple[str, str]:
    """Bucket and name of a gs:// address."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name


class Bucket:
    """The `cloudml.jobs.platform.Store` of the job's service account; errors besides FileNotFoundError are GoogleError.

    An object's version is its generation.
    """

    def get(self, uri: str) -> bytes:
        """The content. Raises FileNotFoundError."""
        found = self.find(uri)
        if found is None:
            raise FileNotFoundError(uri)
        return found[0]

    def find(self, uri: str) -> tuple[bytes, str] | None:
        """The content and its generation."""
        try:
            answer = send(Request("GET", _object(uri, alt="media"), safe=True, seconds=TRANSFER))
        except GoogleError as error:
            if error.http == 404:
                return None
            raise
        return answer.body, answer.headers.get("x-goog-generation", "")

    def put(self, uri: str, content: bytes, *, kms: str | None = None) -> None:
        """Write the object."""
        _upload(uri, content, {}, kms)

    def put_once(self, uri: str, content: bytes | Path, *, kms: str | None = None) -> None:
        """Write the object unless there is one."""
        try:
            _upload(uri, content, {"ifGenerationMatch": "0"}, kms)
        except GoogleError as error:
            if error.http != 412:
                raise

    def put_if(self, uri: str, content: bytes, version: str | None, *, kms: str | None = None) -> bool:
        """By the generation ("Request preconditions"). After a lost answer the content tells whose write it was."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _upload(uri, content, {"ifGenerationMatch": version or "0"}, kms, safe=False)
            except GoogleError as error:
                if error.http == 412:
                    found = self.find(uri) if attempt > 1 else None
                    return found is not None and found[0] == content
                if attempt == ATTEMPTS or not passes(error):
                    raise
                pause(delay(attempt))
            else:
                return True
        raise AssertionError("the last attempt returns or raises")

    def list(self, prefix: str) -> Iterator[str]:
        """All pages; Cloud Storage lists in the order of the names."""
        bucket, name = split(prefix)
        token = ""
        while True:
            query = {"prefix": name, "fields": "items(name),nextPageToken", **({"pageToken": token} if token else {})}
            url = f"{_host()}/storage/v1/b/{quote(bucket, safe='')}/o?{urlencode(query)}"
            page = send(Request("GET", url, safe=True)).document()
            yield from (f"gs://{bucket}/{one['name']}" for one in page.get("items", ()))
            token = page.get("nextPageToken", "")
            if not token:
                return

    def download(self, uri: str, target: Path) -> None:
        """A large object into a file. Raises FileNotFoundError."""
        try:
            with opened(Request("GET", _object(uri, alt="media"), safe=True, seconds=TRANSFER)) as response:
                with open(target, "wb") as file:
                    shutil.copyfileobj(response, file, 1 << 20)
                size = response.headers.get("Content-Length")
        except GoogleError as error:
            if error.http == 404:
                raise FileNotFoundError(uri) from error
            raise
        except HTTPException as error:
            raise GoogleError("UNAVAILABLE", f"{uri} broke off: {error!r}") from error
        if size is not None and target.stat().st_size != int(size):
            raise GoogleError("UNAVAILABLE", f"{uri} broke off after {target.stat().st_size} of {size} bytes")


def _host() -> str:
    found = os.environ.get(HOST_VARIABLE)
    if not found:
        return HOST
    return (found if "://" in found else f"http://{found}").rstrip("/")


def _object(uri: str, **query: str) -> str:
    bucket, name = split(uri)
    return f"{_host()}/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}?{urlencode(query)}"


def _upload(
    uri: str, content: bytes | Path, conditions: Mapping[str, str], kms: str | None, *, safe: bool = True
) -> Answer:
    """objects.insert, media. Not `safe` with a condition that its own effect makes false."""
    bucket, name = split(uri)
    query = {"uploadType": "media", "name": name, **conditions, **({"kmsKeyName": kms} if kms else {})}
    url = f"{_host()}/upload/storage/v1/b/{quote(bucket, safe='')}/o?{urlencode(query)}"
    kind = "application/json" if name.endswith(".json") else "application/octet-stream"
    if isinstance(content, bytes):
        headers = {"Content-Type": kind}
        return send(Request("POST", url, content, headers, safe=safe, seconds=TRANSFER))
    headers = {"Content-Type": kind, "Content-Length": str(content.stat().st_size)}
    with open(content, "rb") as file, opened(Request("POST", url, None, headers, safe, TRANSFER), file) as response:
        return Answer(response.headers, response.read())
