"""Objects of Cloud Storage as files: object K of bucket B is the file B/K below `World.gcs`, which jobs see as /gcs.

Names that a file system cannot hold (`a//b`, `..`, a trailing slash, parts of more than 255 bytes, a name that is both
an object and a prefix) lie aside, outside of the buckets' folders, each under the digest of its name. No name leads out
of its folder, and symbolic links that a job made are neither followed nor objects.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudml_vertex.mock.core.world import World

LONGEST = 1024
"""Bytes of an object's name (https://cloud.google.com/storage/docs/objects#naming)."""
_PART = 255
_BUCKET = re.compile(r"(?!goog)(?!.*(?:\.\.|\.-|-\.))(?!\d+\.\d+\.\d+\.\d+\Z)[a-z0-9][-_.a-z0-9]{1,220}[a-z0-9]")


class GcsError(Exception):
    """What was wanted of `uri` cannot be done; the text says why."""

    def __init__(self, uri: str, message: str) -> None:
        super().__init__(message)
        self.uri = uri


class GcsMissing(GcsError):
    """There is no such object, or no such bucket."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri, f"There is no object or bucket {uri}.")


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and object name of `gs://bucket/name`; the name may be empty. Raises GcsMissing for anything else."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    if not uri.startswith("gs://") or not is_bucket_name(bucket) or (name and not is_object_name(name)):
        raise GcsMissing(uri)
    return bucket, name


def is_bucket_name(bucket: str) -> bool:
    """Whether a bucket may be called so (https://cloud.google.com/storage/docs/buckets#naming)."""
    return _BUCKET.fullmatch(bucket) is not None and all(len(part) <= 63 for part in bucket.split("."))


def is_object_name(name: str) -> bool:
    """Whether an object may be called so: UTF-8 of 1 to 1,024 bytes, no line breaks, neither `.` nor `..`."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    return 1 <= size <= LONGEST and not {"\r", "\n", "\0"} & set(name) and name not in {".", ".."}


def path_of(world: World, uri: str) -> Path:
    """Where the object's content is, or would be written; for a bucket or a name with a slash at its end, the folder
    of that prefix. It need not exist. Raises GcsMissing when there is no such bucket."""
    bucket, name = split_uri(uri)
    folder = bucket_folder(world, bucket)
    name = name.rstrip("/")
    if not name:
        return folder
    return find(world, bucket, name) or plain(folder, name) or aside(world, bucket, name)


def read(world: World, uri: str) -> bytes:
    """The object's content. Raises GcsMissing."""
    bucket, name = split_uri(uri)
    found = find(world, bucket, name) if name else None
    if found is None:
        raise GcsMissing(uri)
    try:
        return found.read_bytes()
    except OSError:
        raise GcsMissing(uri) from None


def write(world: World, uri: str, data: bytes) -> None:
    """Put an object, whole or not at all. Raises GcsMissing when there is no such bucket."""
    bucket, name = split_uri(uri)
    bucket_folder(world, bucket)
    if not name:
        raise GcsMissing(uri)
    draft = new_draft(world)
    try:
        draft.write_bytes(data)
        place(world, bucket, name, draft)
    finally:
        draft.unlink(missing_ok=True)


def exists(world: World, uri: str) -> bool:
    """Whether there is such an object; for a bucket or a name with a slash at its end, also any object below it."""
    try:
        bucket, name = split_uri(uri)
        bucket_folder(world, bucket)
    except GcsMissing:
        return False
    if not name or name.endswith("/"):
        return next(iter(Walk(world, bucket, name)), None) is not None
    return find(world, bucket, name) is not None


def walk(world: World, uri: str) -> list[str]:
    """The URIs of all objects whose names begin with the URI's, in order. Raises GcsMissing without such a bucket."""
    bucket, prefix = split_uri(uri)
    bucket_folder(world, bucket)
    return [f"gs://{bucket}/{name}" for name, _ in Walk(world, bucket, prefix)]


def bucket_folder(world: World, bucket: str) -> Path:
    """The folder of a bucket. Raises GcsMissing when there is none."""
    folder = world.gcs / bucket
    if not is_bucket_name(bucket) or folder.is_symlink() or not folder.is_dir():
        raise GcsMissing(f"gs://{bucket}")
    return folder


def make_bucket(world: World, bucket: str) -> Path:
    """The folder of a bucket, made when it is not there. Raises GcsMissing for what is no bucket's name."""
    if not is_bucket_name(bucket):
        raise GcsMissing(f"gs://{bucket}")
    (world.gcs / bucket).mkdir(parents=True, exist_ok=True)
    return bucket_folder(world, bucket)


def side(world: World) -> Path:
    """What belongs to objects and lies outside of the buckets."""
    return world.folder / "gcs-side"


def new_draft(world: World) -> Path:
    """A new empty file on the buckets' file system, to be written and then moved by `place`."""
    folder = side(world) / "drafts"
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder)
    os.close(handle)
    return Path(name)


def plain(folder: Path, name: str) -> Path | None:
    """The path below a bucket's folder that a name has as a file; None when no file can have it."""
    parts = name.split("/")
    if any(part in {"", ".", ".."} or len(part.encode()) > _PART for part in parts):
        return None
    found = folder.joinpath(*parts)
    for parent in found.parents:
        if parent == folder:
            return found
        if parent.is_symlink():
            return None
    return None


def aside(world: World, bucket: str, name: str) -> Path:
    """Where the content lies when it cannot be a file of that name."""
    return side(world) / "odd" / bucket / hashlib.sha256(name.encode()).hexdigest()


def find(world: World, bucket: str, name: str) -> Path | None:
    """The file with an object's content, None when there is no such object."""
    if not is_bucket_name(bucket) or not is_object_name(name):
        return None
    folder = world.gcs / bucket
    if folder.is_symlink() or not folder.is_dir():
        return None
    first = plain(folder, name)
    candidates = (first, aside(world, bucket, name))
    return next((path for path in candidates if path is not None and path.is_file() and not path.is_symlink()), None)


def place(world: World, bucket: str, name: str, draft: Path) -> Path:
    """Make a draft the object's content in one step; where it is now."""
    odd = aside(world, bucket, name)
    target = plain(world.gcs / bucket, name)
    if target is not None and _moved(draft, target):
        if odd.exists():
            odd.unlink(missing_ok=True)
            odd.with_suffix(".name").unlink(missing_ok=True)
        return target
    odd.parent.mkdir(parents=True, exist_ok=True)
    label = new_draft(world)
    label.write_text(name, encoding="utf-8", newline="")
    os.replace(label, odd.with_suffix(".name"))
    os.replace(draft, odd)
    if name.endswith("/") and (seen := plain(world.gcs / bucket, name[:-1])) is not None:
        with suppress(OSError):  # the mark of a folder: jobs see one
            seen.mkdir(parents=True, exist_ok=True)
    return odd


def _moved(draft: Path, target: Path) -> bool:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir() and not target.is_symlink():
            remove_empty(target)
        os.replace(draft, target)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not draft.exists():
            raise
        return False
    return True


def remove(world: World, bucket: str, name: str) -> bool:
    """Delete an object's content; whether there was any."""
    found = find(world, bucket, name)
    if found is None:
        return False
    found.unlink(missing_ok=True)
    odd = aside(world, bucket, name)
    if odd == found:
        odd.with_suffix(".name").unlink(missing_ok=True)
        if name.endswith("/") and (seen := plain(world.gcs / bucket, name[:-1])) is not None and seen.is_dir():
            with suppress(OSError):
                seen.rmdir()
    return True


def remove_empty(folder: Path) -> None:
    """Remove the folder as far as there are no files in it."""
    for base, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            os.rmdir(base)


class Walk:
    """The objects of a bucket whose names begin with `prefix`, from the name `start` on, in the order of names.

    `skip_to` moves on without looking at what lies between.
    """

    def __init__(self, world: World, bucket: str, prefix: str = "", start: str = "") -> None:
        self._world = world
        self._bucket = bucket
        self._prefix = prefix
        self._start = start

    def skip_to(self, name: str) -> None:
        """Names before this one are left out from now on."""
        self._start = max(self._start, name)

    def __iter__(self) -> Iterator[tuple[str, Path]]:
        last = None
        for name, path in heapq.merge(self._files(str(self._world.gcs / self._bucket), ""), self._odd()):
            if name >= self._start and name != last:
                yield name, path
            last = name

    def _files(self, folder: str, base: str) -> Iterator[tuple[str, Path]]:
        try:
            with os.scandir(folder) as found:
                entries = sorted((_key(entry, base), entry) for entry in found)
        except OSError:
            return  # gone in the meantime
        for name, entry in entries:
            if name.endswith("/"):
                if self._leads_on(name):
                    yield from self._files(entry.path, name)
            elif self._wanted(name) and is_object_name(name) and entry.is_file(follow_symlinks=False):
                yield name, Path(entry.path)

    def _wanted(self, name: str) -> bool:
        return name >= self._start and name.startswith(self._prefix)

    def _leads_on(self, base: str) -> bool:
        below = base.startswith(self._prefix) or self._prefix.startswith(base)
        return below and (base >= self._start or self._start.startswith(base))

    def _odd(self) -> Iterator[tuple[str, Path]]:
        folder = side(self._world) / "odd" / self._bucket
        found = []
        for label in folder.glob("*.name"):
            with suppress(OSError):
                found.append((label.read_bytes().decode(), label.with_suffix("")))
        for name, path in sorted(found):
            if self._wanted(name) and path.is_file():
                yield name, path


def _key(entry: os.DirEntry[str], base: str) -> str:
    # With the slash at their ends folders sort among files as the names of the objects in them do.
    return f"{base}{entry.name}/" if entry.is_dir(follow_symlinks=False) else base + entry.name
