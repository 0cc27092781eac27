"""Data between moto's S3 and folders of jobs. Keys come from requests and buckets: none may lead out of its folder."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core.world import World

_PART = 64 << 20
_MISSING = frozenset({"NoSuchBucket", "NoSuchKey", "404", "NotFound", "InvalidBucketName"})
_NO_BUCKET = "The specified bucket does not exist"
"""S3's words for NoSuchBucket (API reference, "Error responses")."""
_PLAIN: Mapping[str, str] = {}
_TOLD = re.compile("<(Code|Message)>(.*?)</", re.DOTALL)


class S3Error(Exception):
    """Data cannot be brought from or to `uri`; the text says why."""

    def __init__(self, uri: str, message: str) -> None:
        super().__init__(message)
        self.uri = uri


class S3Missing(S3Error):
    """There is no such object, no object under the prefix, or no such bucket."""

    def __init__(self, uri: str, message: str = "") -> None:
        super().__init__(uri, message or f"No S3 objects found under S3 URL {uri}")


class S3Unsafe(S3Error):
    """A key cannot be a file below a folder: it leads out of it, or clashes with another."""


@dataclass(frozen=True)
class Entry:
    """One object, and the path below a folder at which it is to stand."""

    bucket: str
    key: str
    path: str
    size: int = 0

    @property
    def uri(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`; the key may be empty. Raises S3Missing for anything else."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() != "s3" or not bucket:
        raise S3Missing(uri)
    return bucket, key


@contextlib.contextmanager
def _missing(uri: str, message: str = "") -> Iterator[None]:
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _MISSING:
            raise S3Missing(uri, message) from None
        raise S3Error(uri, str(error)) from error


def _get(world: World, scope: Scope, uri: str, bucket: str, key: str) -> bytes:
    status, body = world.aws.ask_s3(scope, "GET", _path(uri, bucket, key))
    _refused(uri, status, body)
    return body


def _put(
    world: World, scope: Scope, uri: str, bucket: str, key: str, data: bytes, headers: Mapping[str, str] = _PLAIN
) -> None:
    status, body = world.aws.ask_s3(scope, "PUT", _path(uri, bucket, key), data, **headers)
    _refused(uri, status, body, _NO_BUCKET)


def _path(uri: str, bucket: str, key: str) -> str:
    """Of the request; without a key it would be one about the bucket."""
    if not key:
        raise S3Missing(uri)
    return f"/{quote(bucket)}/{quote(_named(uri, key), safe='/~')}"


def _named(uri: str, key: str) -> str:
    """The key, which must be UTF-8 (S3 user guide, "Naming Amazon S3 objects"); a job's file may have any name."""
    try:
        key.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(uri).decode(errors="backslashreplace")
        raise S3Error(shown, f"The name of the object {shown} is not UTF-8.") from None
    return key


def _refused(uri: str, status: int, body: bytes, message: str = "") -> None:
    if status < 300:
        return
    told = {name: unescape(text) for name, text in _TOLD.findall(body.decode(errors="replace"))}
    code = told.get("Code", str(status))
    if code in _MISSING:
        raise S3Missing(uri, message)
    text = told.get("Message", "No message")
    raise S3Error(uri, f"{text} (Service: Amazon S3; Status Code: {status}; Error Code: {code})")


def read(world: World, scope: Scope, uri: str) -> bytes:
    """The object's content. Raises S3Missing."""
    bucket, key = split_uri(uri)
    return _get(world, scope, uri, bucket, key)


def write(world: World, scope: Scope, uri: str, data: bytes | str, content_type: str | None = None) -> None:
    """Put an object. Raises S3Missing when there is no such bucket."""
    bucket, key = split_uri(uri)
    body = data.encode() if isinstance(data, str) else data
    _put(world, scope, uri, bucket, key, body, {"Content-Type": content_type} if content_type else {})


def list_keys(world: World, scope: Scope, uri: str) -> list[tuple[str, int]]:
    """Keys that begin with the URI's, with their sizes in bytes, in S3's order; none when nothing is there."""
    try:
        return [(found["Key"], found["Size"]) for found in _listing(world, scope, uri)]
    except S3Missing:
        return []


def exists(world: World, scope: Scope, uri: str) -> bool:
    """Whether any key begins with the URI's; one request."""
    with contextlib.suppress(S3Missing):
        bucket, prefix = split_uri(uri)
        with _missing(uri):
            answer = world.aws.client("s3", scope).list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        return bool(answer.get("KeyCount"))
    return False


def _listing(world: World, scope: Scope, uri: str) -> Iterator[dict[str, Any]]:
    bucket, prefix = split_uri(uri)
    client = world.aws.client("s3", scope)
    more: dict[str, str] = {}
    while True:
        with _missing(uri):
            answer = client.list_objects_v2(Bucket=bucket, Prefix=prefix, **more)
        yield from answer.get("Contents", ())
        if not answer.get("IsTruncated"):
            return
        more = {"ContinuationToken": answer["NextContinuationToken"]}


def entries(world: World, scope: Scope, uri: str, kind: str = "S3Prefix") -> list[Entry]:
    """What a data source names: every object under a key prefix, those of a manifest, or a single object.

    An S3Prefix takes all keys that begin with it (model documentation of `S3DataSource`). Raises S3Missing when that
    is nothing, S3Error for a manifest that is none.
    """
    return _KINDS[kind](world, scope, uri)


def _prefix(world: World, scope: Scope, uri: str) -> list[Entry]:
    bucket, prefix = split_uri(uri)
    from_slash = world.switches["prefix-inside-name"] == "from-slash"
    found = [
        Entry(bucket, one["Key"], _below(one["Key"], prefix, from_slash=from_slash), one["Size"])
        for one in _listing(world, scope, uri)
    ]
    if not found:
        raise S3Missing(uri)
    # A key that ends with a slash is the mark that consoles leave for a folder: there is no file of that name.
    return [entry for entry in found if not entry.key.endswith("/")]


def _below(key: str, prefix: str, *, from_slash: bool) -> str:
    """The path of a key below the folder that its prefix becomes."""
    if not prefix or prefix.endswith("/") or key[len(prefix) :].startswith("/"):
        return key[len(prefix) :].lstrip("/")
    if key == prefix or from_slash:
        return key[prefix.rfind("/") + 1 :]
    return key[len(prefix) :]


def _manifest(world: World, scope: Scope, uri: str) -> list[Entry]:
    """`[{"prefix": "s3://bucket/a/"}, "x.csv", ...]`: each name is a key below the prefix, and its path."""
    wrong = S3Error(uri, f"The manifest file {uri} is not in the format of a manifest.")
    try:
        told = json.loads(read(world, scope, uri))
        names: list[str] = told[1:]
        bucket, prefix = split_uri(told[0]["prefix"])
    except (ValueError, LookupError, TypeError, AttributeError):
        raise wrong from None
    if not names or not all(isinstance(name, str) for name in names):
        raise wrong
    return [Entry(bucket, prefix + name, name.lstrip("/")) for name in names]


def _object(world: World, scope: Scope, uri: str) -> list[Entry]:
    bucket, key = split_uri(uri)
    return [Entry(bucket, key, key.rpartition("/")[2])]


_KINDS: dict[str, Callable[[World, Scope, str], list[Entry]]] = {
    "S3Prefix": _prefix,
    "ManifestFile": _manifest,
    "S3Object": _object,
}


def fetch(world: World, scope: Scope, wanted: Iterable[Entry], folder: Path) -> list[Path]:
    """Bring objects to their paths below `folder`. Raises S3Missing, S3Unsafe."""
    base = folder.resolve()
    base.mkdir(parents=True, exist_ok=True)
    return [_fetch(world, scope, entry, base) for entry in wanted]


def _fetch(world: World, scope: Scope, entry: Entry, base: Path) -> Path:
    parts = entry.path.split("/")
    if not entry.path or any(part in {".", ".."} or "\0" in part for part in parts):
        raise S3Unsafe(entry.uri, f"{entry.uri} cannot be a file below a folder.")
    place = base.joinpath(*filter(None, parts))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.parent.resolve().is_relative_to(base):
            raise S3Unsafe(entry.uri, f"{entry.uri} cannot be a file below a folder.")
        data = _get(world, scope, entry.uri, entry.bucket, entry.key)
        with open(place, "wb", opener=_no_links) as file:
            file.write(data)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise S3Unsafe(
            entry.uri,
            f"Cannot download {entry.uri}, a previously downloaded file/folder clashes with it. Please check your s3 "
            "objects and ensure that there is no object that is both a folder as well as a file.",
        ) from None
    return place


def _no_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)


def download(world: World, scope: Scope, uri: str, folder: Path, *, kind: str = "S3Prefix") -> list[Path]:
    """Bring what a data source names into `folder`. Raises S3Missing, S3Unsafe, S3Error."""
    return fetch(world, scope, entries(world, scope, uri, kind), folder)


def files_of(folder: Path) -> list[Path]:
    """The regular files below a folder, sorted; symbolic links are neither followed nor listed."""
    found: list[Path] = []
    for place, _, names in os.walk(folder):
        found += [Path(place, name) for name in names if not os.path.islink(os.path.join(place, name))]
    return sorted(path for path in found if path.is_file())


def upload_folder(world: World, scope: Scope, folder: Path, uri: str) -> list[str]:
    """Put every file below `folder` under the URI as key prefix; the URIs of the new objects.

    Symbolic links are left out, as AWS leaves them. Raises S3Missing when there is no such bucket.
    """
    sent = []
    for path in files_of(folder):
        target = f"{uri.rstrip('/')}/{path.relative_to(folder).as_posix()}"
        upload_file(world, scope, path, target)
        sent.append(target)
    return sent


def upload_file(world: World, scope: Scope, path: Path, uri: str) -> None:
    """Put one file, in parts when it is large. Raises S3Missing when there is no such bucket."""
    bucket, key = split_uri(uri)
    with open(path, "rb", opener=_no_links) as file:
        if os.fstat(file.fileno()).st_size <= _PART:
            _put(world, scope, uri, bucket, key, file.read())
        else:
            with _missing(uri, _NO_BUCKET):
                _upload_parts(world.aws.client("s3", scope), bucket, _named(uri, key), file)


def _upload_parts(client: Any, bucket: str, key: str, file: BinaryIO) -> None:
    name = {"Bucket": bucket, "Key": key}
    upload = client.create_multipart_upload(**name)["UploadId"]
    parts: list[dict[str, Any]] = []
    while data := file.read(_PART):
        number = len(parts) + 1
        answer = client.upload_part(**name, UploadId=upload, PartNumber=number, Body=data)
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    client.complete_multipart_upload(**name, UploadId=upload, MultipartUpload={"Parts": parts})
