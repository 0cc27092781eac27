"""Folders of a job. Its program was free to put anything there: links are not trusted, nothing outside is read."""

from __future__ import annotations

import os
import tarfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.core.container import BASE
from cloudml_sagemaker.mock.core.world import World

_LOOK_SECONDS = 1.0
"""Real seconds between two looks at a folder that is uploaded while the job runs."""


def within(root: Path, path: str) -> Path:
    """Where the container's absolute `path` below /opt/ml lies in the root that stands there.

    Raises ValueError for a path that leads elsewhere; requests are checked for that before.
    """
    parts = path[len(BASE) :].split("/") if path == BASE or path.startswith(BASE + "/") else [".."]
    if ".." in parts or "\0" in path:
        raise ValueError(f"{path} is not below {BASE}")
    return root.joinpath(*(part for part in parts if part not in {"", "."}))


def untouched(root: Path, folder: Path) -> bool:
    """Whether `folder` is still a folder of the root, and not a link that the program put in its place."""
    return folder.is_dir() and folder.resolve() == root.resolve() / folder.relative_to(root)


def read_text(root: Path, path: str, limit: int) -> str:
    """The first `limit` bytes of a file as text; empty when there is no such plain file."""
    place = within(root, path)
    if not place.is_file() or place.is_symlink() or not untouched(root, place.parent):
        return ""
    with place.open("rb") as file:
        return file.read(limit).decode(errors="ignore")


def shard(found: list[s3.Entry], distribution: str, number: int, count: int) -> list[s3.Entry]:
    """What host `number` (from 0) of `count` gets: all, or with ShardedByS3Key every count-th object."""
    return found[number::count] if distribution == "ShardedByS3Key" else found


def tar(folders: Iterable[Path], target: Path) -> int:
    """Pack the files of the folders, one over the other, into a gzipped archive; how many files there were.

    Folders are members of their own, so that empty ones arrive (TensorFlow's `assets`). A link to a file of the same
    folder becomes that file; other links are left out.
    """
    seen: set[str] = set()
    files = 0
    with tarfile.open(target, "w:gz", compresslevel=6, dereference=True) as archive:
        for folder in folders:
            for name, path in _members(folder):
                if name not in seen:
                    seen.add(name)
                    archive.add(path, arcname=name, recursive=False)
                    files += path.is_file()
    return files


def _members(folder: Path) -> Iterator[tuple[str, Path]]:
    base = folder.resolve()
    for place, folders, names in os.walk(base):
        folders.sort()
        for name in folders:
            if not os.path.islink(os.path.join(place, name)):
                yield Path(place, name).relative_to(base).as_posix(), Path(place, name)
        for name in sorted(names):
            path = Path(place, name)
            real = path.resolve()
            if real.is_file() and real.is_relative_to(base):
                yield path.relative_to(base).as_posix(), real


class Mirror:
    """Uploads what is new or changed below folders while a job runs (upload mode Continuous, checkpoints)."""

    def __init__(self, world: World, scope: Scope, places: list[tuple[Path, Path, str]]) -> None:
        """`places`: root, folder and the URI that the folder's files go under."""
        self._world = world
        self._scope = scope
        self._places = places
        self._sent: dict[Path, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look, on a thread of its own."""
        if self._places:
            self._thread = threading.Thread(target=self._run, name="mock-mirror", daemon=True)
            self._thread.start()

    def note(self) -> None:
        """Take what is there now as known: it came from S3. Before the program can have written anything."""
        self._sent.update((path, seen) for path, seen, _ in self._new())

    def stop(self) -> None:
        """Upload the rest. Raises S3Error."""
        self.halt()
        self._look()

    def halt(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            try:
                self._look()
            except (s3.S3Error, OSError):  # the last look tells
                continue

    def _look(self) -> None:
        with self._lock:
            for path, seen, uri in self._new():
                try:
                    s3.upload_file(self._world, self._scope, path, uri)
                except FileNotFoundError:
                    continue
                self._sent[path] = seen

    def _new(self) -> Iterator[tuple[Path, tuple[int, int], str]]:
        """What is not sent yet: the file, its time and size, and its URI."""
        for root, folder, uri in self._places:
            for path in s3.files_of(folder) if untouched(root, folder) else ():
                try:
                    stat = path.lstat()
                except FileNotFoundError:
                    continue
                seen = (stat.st_mtime_ns, stat.st_size)
                if self._sent.get(path) != seen:
                    yield path, seen, f"{uri.rstrip('/')}/{path.relative_to(folder).as_posix()}"
