"""Digests of files and folders: what an artifact is called, and how it is known to be whole.

A digest names its scheme: `sha256:` for files, `tree:` for folders, and `blake3:`, which is several times faster, for
files of at least `LARGE` bytes where the package blake3 is installed.
"""

from __future__ import annotations

import importlib.util
import os
import stat
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    Pathlike = str | os.PathLike[str]

LARGE = 16 << 20
"""From this size on hashing takes long enough (some 10 ms) to be worth a faster hash, and a thread of its own."""

_BLOCK = 4 << 20
_STEP = 1 << 19
_HASHING_THREADS = min(4, os.cpu_count() or 1)


class UnsafeTree(ValueError):
    """A folder holds something that has no portable content: a symbolic link, a device, a name with a line break."""


class MissingHash(RuntimeError):
    """A digest of scheme `blake3` cannot be checked, because the package is not installed."""


class _Hash(Protocol):
    def update(self, data: memoryview, /) -> Any: ...
    def hexdigest(self) -> str: ...


def file_digest(path: Pathlike) -> str:
    """The digest of a file's content."""
    return _measure_file(path, None)[0]


def tree_digest(path: Pathlike) -> str:
    """`tree:<hex>` of a folder: the names, contents and executable bits of its files. Empty folders do not count.

    Raises:
        UnsafeTree: the folder holds a symbolic link or a special file.
    """
    return _measure_tree(path)[0]


def path_digest(path: Pathlike) -> str:
    """The digest of a file or of a folder."""
    return measure(path)[0]


def measure(path: Pathlike, like: str | None = None) -> tuple[str, int]:
    """Digest and size in bytes (of a folder: the sum of its files).

    `like` is a digest to compare with: a file is then hashed by that digest's scheme.

    Raises:
        UnsafeTree: see `tree_digest`.
        MissingHash: `like` is of a scheme whose package is not installed.
    """
    if os.path.isdir(path):
        return _measure_tree(path)
    return _measure_file(path, None if like is None else like.partition(":")[0])


def matches(path: Pathlike, digest: str) -> bool:
    """Whether the content at `path` is what the digest says. Raises what `measure` raises."""
    return measure(path, digest)[0] == digest


def _measure_file(path: Pathlike, scheme: str | None) -> tuple[str, int]:
    with open(path, "rb", buffering=0) as file:
        expected = os.fstat(file.fileno()).st_size
        chosen = scheme or _scheme_of_size(expected)
        digest, size = _new_hash(chosen), 0
        # Read, not mapped: a file that shrinks under a mapping would kill the process.
        buffer = memoryview(bytearray(min(_BLOCK, expected + 1)))
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            size += count
    return f"{chosen}:{digest.hexdigest()}", size


def _scheme_of_size(size: int) -> str:
    return "blake3" if size >= LARGE and has_blake3() else "sha256"


@cache
def has_blake3() -> bool:
    """Whether the faster hash is installed."""
    try:
        return importlib.util.find_spec("blake3") is not None
    except ValueError:  # a module that was imported without a spec, or taken away
        return False


def _new_hash(scheme: str) -> _Hash:
    if scheme != "blake3":
        return sha256()
    try:
        from blake3 import blake3
    except ImportError as error:
        raise MissingHash(
            "its digest is of scheme blake3, and the package blake3 is not installed: "
            "pip install 'cloudml-pipelines[local]'"
        ) from error
    return blake3(max_threads=_HASHING_THREADS)


def _measure_tree(path: Pathlike) -> tuple[str, int]:
    lines: list[bytes] = []
    total = 0
    for name, full in _files(os.fspath(path)):
        mode = os.lstat(full).st_mode
        if not stat.S_ISREG(mode):
            raise UnsafeTree(f"{full} is not a regular file; an artifact's folder may hold only files and folders")
        digest, size = _measure_file(full, "sha256")
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


def write_measured(path: Pathlike, pieces: Sequence[memoryview]) -> tuple[str, int]:
    """Make a file of pieces of memory, which a second thread hashes meanwhile; digest and size in bytes."""
    size = sum(piece.nbytes for piece in pieces)
    background = Background(lambda: (_hash_memory(pieces, size), size))
    try:
        with open(path, "wb", buffering=0) as file:
            for piece in pieces:
                _write_all(file.write, piece.cast("B"))
    finally:
        measured = background.finish()
    return measured


def _hash_memory(pieces: Sequence[memoryview], size: int) -> str:
    scheme = _scheme_of_size(size)
    digest = _new_hash(scheme)
    for piece in pieces:
        digest.update(piece)
    return f"{scheme}:{digest.hexdigest()}"


def _write_all(write: Callable[[memoryview], int | None], piece: memoryview) -> None:
    done = 0
    while done < len(piece):  # in steps: one call takes 2 GiB at most, and a very long one keeps others from the disk
        done += write(piece[done : done + _STEP]) or 0


class Background:
    """Measures in a second thread (hashing lets other threads run)."""

    def __init__(self, work: Callable[[], tuple[str, int]]) -> None:
        from threading import Thread

        self._work = work
        self._answer: tuple[str, int] | None = None
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, name="cloudml-digest", daemon=True)
        self._thread.start()

    def finish(self) -> tuple[str, int]:
        """Digest and size. Raises what measuring raised."""
        self._thread.join()
        if self._answer is None:
            raise self._error or OSError("the content could not be measured")
        return self._answer

    def _run(self) -> None:
        try:
            self._answer = self._work()
        except Exception as error:  # noqa: BLE001 - raised again where the answer is asked for
            self._error = error
