"""What is known of objects besides their content: generations, metadata, checksums.

The content is a file (`core.gcs`), which jobs may write, replace and delete behind the server's back. So each record
carries the signature of the file that it describes: when the file is another one, it is a new generation, which begins
with the metadata of a file that was just written. A write keeps the coming record beside the old one until the file is
in its place, so that a kill in between leaves a whole object, old or new, with its own metadata.
"""

from __future__ import annotations

import base64
import mimetypes
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cloudml.mocks.store import Scope, Table
from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.storage import hashes
from cloudml_vertex.mock.storage.conditions import Conditions
from cloudml_vertex.mock.storage.errors import StorageError, no_bucket, no_object
from cloudml_vertex.mock.storage.hashes import Sums

Document = dict[str, Any]
FIELDS = (
    *("contentType", "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage"),
    *("customTime", "metadata", "storageClass", "temporaryHold", "eventBasedHold"),
)
"""What a client may set of an object's resource."""
_TABLE = "gcs_object"
_COUNTER = Scope("", "")
_TYPES = mimetypes.MimeTypes()
_TRIES = 5


@dataclass(frozen=True)
class Record:
    """One live object: its file, and the document that describes it."""

    bucket: str
    name: str
    path: Path
    size: int
    document: Document

    @property
    def generation(self) -> int:
        """Of the content."""
        return int(self.document["generation"])

    @property
    def metageneration(self) -> int:
        """Of the metadata."""
        return int(self.document["metageneration"])

    @property
    def fields(self) -> Document:
        """What clients set."""
        found: Document = self.document["fields"]
        return found

    @property
    def etag(self) -> str:
        """Of content and metadata: the two numbers, as protobuf would write them, in base64."""
        return etag(self.generation, self.metageneration)

    @property
    def state(self) -> tuple[int, int, str]:
        """What preconditions are held against."""
        return self.generation, self.metageneration, self.etag


def etag(*numbers: int) -> str:
    """An ETag of numbers."""
    data = b""
    for tag, number in enumerate(numbers, 1):
        groups = [number >> shift & 127 for shift in range(0, max(number.bit_length(), 1), 7)]
        data += bytes([tag << 3, *(group | 128 for group in groups[:-1]), groups[-1]])
    return base64.b64encode(data).decode()


class Records:
    """The objects of all buckets. Every method takes `World.lock` for as long as it looks, never while it reads."""

    def __init__(self, world: World) -> None:
        self.world = world

    def table(self, bucket: str) -> Table:
        """The documents of a bucket's objects, by name."""
        return self.world.table(_TABLE, Scope("", bucket))

    def need_bucket(self, bucket: str) -> None:
        """Raises StorageError (404) when there is no such bucket."""
        try:
            gcs.bucket_folder(self.world, bucket)
        except gcs.GcsMissing:
            raise no_bucket() from None

    def find(self, bucket: str, name: str, path: Path | None = None) -> Record | None:
        """The live object, or None. `path`: where a walk found it."""
        with self.world.lock:
            found = path or gcs.find(self.world, bucket, name)
            state = _stat(found) if found is not None else None
            if found is None or state is None:
                self.table(bucket).delete(name)
                return None
            return Record(bucket, name, found, state.st_size, self._document(bucket, name, _signature(state)))

    def get(self, bucket: str, name: str, generation: int | None = None) -> Record:
        """The live object. Raises StorageError (404), also when `generation` is another one."""
        self.need_bucket(bucket)
        found = self.find(bucket, name)
        if found is None or generation not in {None, found.generation}:
            raise no_object(bucket, name)
        return found

    def open(self, record: Record) -> tuple[Record, BinaryIO]:
        """The object and its content, of one generation. Raises StorageError (404)."""
        for _ in range(_TRIES):
            with self.world.lock, suppress(OSError):
                file = record.path.open("rb")
                state = os.fstat(file.fileno())
                if _signature(state) == record.document["signature"]:
                    return record, file
                file.close()
            record = self.get(record.bucket, record.name)
        raise StorageError(503, "backendError", "The object changes too fast to be read.")

    def sums(self, record: Record) -> Sums:
        """The checksums, calculated when they are not known yet; "" for what cannot be known."""
        known = record.document
        if "crc32c" not in known:
            try:
                found = hashes.of_file(record.path)
            except OSError:
                return Sums("", "")
            with self.world.lock:
                state = _stat(record.path)
                if state is None or _signature(state) != known["signature"]:
                    return Sums("", "")  # a job replaces it just now; the next request sees another generation
                known.update(md5="" if "componentCount" in known else found.md5, crc32c=found.crc32c)
                table = self.table(record.bucket)
                if table.get(record.name) is known:
                    table.put(record.name, known)
        return Sums(known["md5"], known["crc32c"])

    def commit(
        self,
        bucket: str,
        name: str,
        draft: Path,
        sums: Sums,
        fields: Document,
        conditions: Conditions,
        components: int = 0,
    ) -> Record:
        """Make a draft the object's content, if the conditions hold. Raises StorageError (404, 412)."""
        with self.world.lock:
            self.need_bucket(bucket)
            old = self.find(bucket, name)
            conditions.check(old.state if old else None)
            state = draft.stat()
            document = self._new(_signature(state), fields)
            document.update(md5="" if components else sums.md5, crc32c=sums.crc32c)
            if components:
                document["componentCount"] = components
            table = self.table(bucket)
            table.put(name, {**(old.document if old else {}), "next": document})
            path = gcs.place(self.world, bucket, name, draft)
            table.put(name, document)
            return Record(bucket, name, path, state.st_size, document)

    def change(self, record: Record, fields: Document) -> Record:
        """Set the metadata: another metageneration. Needs the lock, since the record was found."""
        document = {
            **record.document,
            "fields": fields,
            "metageneration": record.metageneration + 1,
            "updated": self.world.stamp(),
        }
        self.table(record.bucket).put(record.name, document)
        return Record(record.bucket, record.name, record.path, record.size, document)

    def delete(self, bucket: str, name: str, generation: int | None, conditions: Conditions) -> None:
        """Delete, if the conditions hold. Raises StorageError (403 when held, 404, 412)."""
        with self.world.lock:
            found = self.get(bucket, name, generation)
            conditions.check(found.state)
            for hold in ("temporaryHold", "eventBasedHold"):
                if found.fields.get(hold):
                    raise StorageError(403, "forbidden", f"Object '{bucket}/{name}' is under active {hold}.")
            gcs.remove(self.world, bucket, name)
            self.table(bucket).delete(name)

    def _document(self, bucket: str, name: str, signature: list[int]) -> Document:
        table = self.table(bucket)
        known = table.get(name)
        if known is not None and known.get("signature") == signature and "next" not in known:
            return known
        candidates = [known, known.get("next")] if known is not None else []
        document = next((one for one in candidates if one and one.get("signature") == signature), None)
        if document is None:
            kind = _TYPES.guess_type(name)[0]
            document = self._new(signature, {"contentType": kind} if kind else {})
        return table.put(name, {key: value for key, value in document.items() if key != "next"})

    def _new(self, signature: list[int], fields: Document) -> Document:
        stamp = self.world.stamp()
        return {
            "signature": signature,
            "generation": self.next_generation(),
            "metageneration": 1,
            "created": stamp,
            "updated": stamp,
            "fields": fields,
        }

    def next_generation(self) -> int:
        """A generation: microseconds since the epoch, larger than every one before. Needs the lock."""
        table = self.world.table("gcs_generation", _COUNTER)
        last = table.get("last") or {"value": 0}
        last["value"] = max(last["value"] + 1, int(self.world.now() * 1_000_000))
        return int(table.put("last", last)["value"])


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None


def _signature(state: os.stat_result) -> list[int]:
    return [state.st_ino, state.st_size, state.st_mtime_ns]
