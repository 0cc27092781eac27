"""Brings what a job needs to S3: the resources of kind `job_code`, under keys that their content names.

An upload is safe to repeat and to break off: an object is put whole or not at all, S3 checks its SHA-256, and what is
there with the right mark is left alone. `step.json` is put last, so that where it lies everything else lies too.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudml.errors import Refused
from cloudml.plan.resource import Resource, canonical, digest_of
from cloudml_sagemaker import library
from cloudml_sagemaker.client import Client, bucket_and_key

KIND = "job_code"
STEP, BUNDLE = "step.json", "bundle.tar.gz"
MARK = "cloudml-content"
"""The user metadata that says what an object was made of. Of a bundle: of which files, not its bytes, which another
machine's compression may make otherwise."""

_PARALLEL = 16
_WORTH_A_COPY = 16 * 1024
"""Bytes from which a copy inside S3 is cheaper than sending them again."""


@dataclass(frozen=True)
class Uploaded:
    """An object that a job needs. `size` in bytes; `new`: whether it had to be put."""

    uri: str
    size: int
    new: bool


@dataclass
class Builder:
    """Makes the bytes of job code; a bundle that several jobs share is made once.

    `source` is where the project's modules lie, `project` where its requirements do.
    """

    source: Path
    project: Path
    _bundles: dict[str, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def build(self, document: Mapping[str, Any]) -> dict[str, bytes]:
        """The files of one `job_code` document. Raises Refused when the code is no longer what was compiled."""
        files: Mapping[str, Any] = document["files"]
        return {name: self._content(name, files[name]) for name in sorted(files, key=lambda name: (name == STEP, name))}

    def _content(self, name: str, wanted: Any) -> bytes:
        if name == BUNDLE:
            return self._bundle(wanted)
        if isinstance(wanted, str):
            return _checked(library.start_file(), wanted, f"cloudml's own {name}")
        return canonical(wanted).encode()

    def _bundle(self, wanted: Mapping[str, Any]) -> bytes:
        key = digest_of(wanted)
        with self._lock:
            if key not in self._bundles:
                self._bundles[key] = archive(self._members(wanted))
            return self._bundles[key]

    def _members(self, wanted: Mapping[str, Any]) -> dict[str, bytes]:
        members = {
            f"project/{name}": _checked(_inside(self.source, name), digest, name)
            for name, digest in wanted["project"].items()
        }
        if "requirements" in wanted:
            path, digest = wanted["requirements"]["path"], wanted["requirements"]["sha256"]
            members["requirements.txt"] = _checked(_inside(self.project, path), digest, path)
        own = {name: path.read_bytes() for name, path in library.files().items()}
        if library.digest_of(own) != wanted["library"]:
            raise Refused("cloudml is no longer what it was when the pipeline was compiled", hint="compile it again")
        return {**members, library.ARCHIVE: library.pack(own)}


def archive(members: Mapping[str, bytes]) -> bytes:
    """A tar.gz of these files: the same bytes for the same files, whoever makes it, wherever and whenever."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(members):
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(members[name]), 0o644, 0
            tar.addfile(info, io.BytesIO(members[name]))
    return gzip.compress(raw.getvalue(), compresslevel=6, mtime=0)


def upload(
    client: Client, resources: Iterable[Resource], source: Path, project: Path | None = None, kms: str | None = None
) -> tuple[Uploaded, ...]:
    """Put what is missing of every `job_code` among `resources`.

    `source` is where the project's modules lie, `project` its own folder (default: the same); `kms` the key that S3
    encrypts with (default: the bucket's own way). Raises AwsError, Refused.
    """
    uploader = Uploader(client, Builder(source, project or source), kms)
    jobs = {resource.document["prefix"]: resource.document for resource in resources if resource.kind == KIND}
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="upload") as pool:
        made = pool.map(uploader.put, jobs.values())
        return tuple(one for job in made for one in job)


class Uploader:
    """Puts job code; safe to share between threads.

    A bundle that several jobs share goes over the line once: for the others S3 copies it.
    """

    def __init__(self, client: Client, builder: Builder, kms: str | None = None) -> None:
        self._client = client
        self._builder = builder
        self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms} if kms else {}
        self._sent: dict[str, str] = {}
        self._turns: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def put(self, document: Mapping[str, Any]) -> list[Uploaded]:
        """What is missing of one `job_code` document; all of it where the last to come is. Raises AwsError, Refused."""
        prefix, files = document["prefix"].rstrip("/"), document["files"]
        contents = self._builder.build(document)
        there = self._size(f"{prefix}/{STEP}", mark(files[STEP])) is not None
        return [self._object(f"{prefix}/{name}", one, mark(files[name]), there) for name, one in contents.items()]

    def _size(self, uri: str, marked: str) -> int | None:
        """Bytes of what lies there with that mark; None when nothing does."""
        bucket, key = bucket_and_key(uri)
        found = self._client.find("s3", "HeadObject", Bucket=bucket, Key=key)
        if found is None or found.get("Metadata", {}).get(MARK) != marked:
            return None
        return int(found["ContentLength"])

    def _object(self, uri: str, content: bytes, marked: str, look: bool) -> Uploaded:
        bucket, key = bucket_and_key(uri)
        size = self._size(uri, marked) if look else None
        if size is not None:
            return Uploaded(uri, size, False)
        if len(content) < _WORTH_A_COPY:
            self._send(bucket, key, content, marked)
            return Uploaded(uri, len(content), True)
        with self._turn(marked):
            known = self._sent.get(marked)
            if known is None:
                self._send(bucket, key, content, marked)
                self._sent[marked] = uri
        if known is not None and not self._copy(known, bucket, key):
            self._send(bucket, key, content, marked)
        return Uploaded(uri, len(content), True)

    def _turn(self, marked: str) -> threading.Lock:
        """One sends it first; who comes meanwhile waits for that."""
        with self._lock:
            return self._turns.setdefault(marked, threading.Lock())

    def _send(self, bucket: str, key: str, content: bytes, marked: str) -> None:
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        self._client.call(
            "s3", "PutObject", Bucket=bucket, Key=key, Body=content, ChecksumSHA256=checksum, Metadata={MARK: marked},
            **self._encryption,
        )  # fmt: skip

    def _copy(self, uri: str, bucket: str, key: str) -> bool:
        """Whether S3 copied it, metadata included; what was sent may be gone already."""
        its_bucket, its_key = bucket_and_key(uri)
        source = {"Bucket": its_bucket, "Key": its_key}
        found = self._client.find("s3", "CopyObject", Bucket=bucket, Key=key, CopySource=source, **self._encryption)
        return found is not None


def mark(wanted: Any) -> str:
    """What the metadata of a file says, by its place in the document: a digest, or what it is made of."""
    return wanted if isinstance(wanted, str) else digest_of(wanted).partition(":")[2]


def _inside(root: Path, name: str) -> Path:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise Refused(f"the file {name!r} lies outside of the project", where=str(root))
    return path


def _checked(path: Path, digest: str, name: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refused(f"{name} cannot be read: {error}", hint="compile the pipeline again") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise Refused(f"{name} has changed since the pipeline was compiled", hint="compile it again")
    return content
