"""Digests of files and folders: what an artifact is called, and how it is known to be whole."""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Event, Thread

    Pathlike = str | os.PathLike[str]

BLOCK = 1 << 20
FOLLOW_PAUSE = 0.001
THREAD_THRESHOLD = 4 << 20


class UnsafeTree(ValueError):
    """A folder holds something that has no portable content: a symbolic link, a device, a name with a line break."""


def file_digest(path: Pathlike) -> str:
    """`sha256:<hex>` of the file's content."""
    return _measure_file(path)[0]


def tree_digest(path: Pathlike) -> str:
    """`tree:<hex>` of a folder: the names, contents and executable bits of its files. Empty folders do not count.

    Raises:
        UnsafeTree: the folder holds a symbolic link or a special file.
    """
    return _measure_tree(path)[0]


def path_digest(path: Pathlike) -> str:
    """The digest of a file or of a folder."""
    return measure(path)[0]


def measure(path: Pathlike) -> tuple[str, int]:
    """Digest and size in bytes (of a folder: the sum of its files)."""
    return _measure_tree(path) if os.path.isdir(path) else _measure_file(path)


def _measure_file(path: Pathlike) -> tuple[str, int]:
    digest, size = sha256(), 0
    with open(path, "rb", buffering=0) as file:
        buffer = memoryview(bytearray(min(BLOCK, os.fstat(file.fileno()).st_size + 1)))
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            size += count
    return f"sha256:{digest.hexdigest()}", size


def _measure_tree(path: Pathlike) -> tuple[str, int]:
    lines: list[bytes] = []
    total = 0
    for name, full in _files(os.fspath(path)):
        mode = os.lstat(full).st_mode
        if not stat.S_ISREG(mode):
            raise UnsafeTree(f"{full} is not a regular file; an artifact's folder may hold only files and folders")
        digest, size = _measure_file(full)
        flag = b"x" if mode & stat.S_IXUSR else b"-"
        lines.append(b"%s %s %s\n" % (digest.removeprefix("sha256:").encode(), flag, os.fsencode(name)))
        total += size
    return f"tree:{sha256(b''.join(sorted(lines))).hexdigest()}", total


def _files(root: str) -> list[tuple[str, str]]:
    """Every entry below `root` that is not a folder: its relative posix path and its path."""
    found: list[tuple[str, str]] = []
    pending = [("", root)]
    while pending:
        prefix, folder = pending.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if "\n" in entry.name:
                    raise UnsafeTree(f"{entry.path!r}: a file's name may not hold a line break")
                if entry.is_dir(follow_symlinks=False):
                    pending.append((f"{prefix}{entry.name}/", entry.path))
                else:
                    found.append((prefix + entry.name, entry.path))
    return found


class BackgroundDigest:
    """Measures a file in a second thread (hashing lets other threads run).

    With `follow` the file may still be growing: the thread reads behind the writer until `finish` is called. That is
    right only for writers that append.
    """

    def __init__(self, path: Pathlike, *, follow: bool = False) -> None:
        from threading import Event, Thread

        self._path = path
        self._follow = follow
        self._written: Event = Event()
        self._answer: tuple[str, int] | None = None
        self._error: OSError | ValueError | None = None
        self._thread: Thread = Thread(target=self._run, name="cloudml-digest", daemon=True)
        self._thread.start()

    def finish(self) -> tuple[str, int]:
        """Digest and size, once the file is complete. Raises what reading it raised."""
        self._written.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self._answer is None:
            raise OSError(f"{os.fspath(self._path)} could not be measured")
        return self._answer

    def _run(self) -> None:
        try:
            self._answer = self._measure_growing() if self._follow else measure(self._path)
        except (OSError, ValueError) as error:
            self._error = error

    def _measure_growing(self) -> tuple[str, int]:
        digest, size = sha256(), 0
        buffer = memoryview(bytearray(BLOCK))
        with open(self._path, "rb", buffering=0) as file:
            while True:
                complete = self._written.is_set()  # asked before reading: an empty read after that is the end
                count = file.readinto(buffer)
                if count:
                    digest.update(buffer[:count])
                    size += count
                elif complete:
                    return f"sha256:{digest.hexdigest()}", size
                else:
                    self._written.wait(FOLLOW_PAUSE)
