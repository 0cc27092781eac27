"""What a build reads: files of the project and elsewhere, environment variables. So that its result may be kept.

An audit hook sees every file that Python opens; a subclass of the environment's own class sees every look-up.
Both watch only while a build is going on.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Reads:
    """What was read: absolute paths of files, and environment variables as they were before the build.

    Before, because a library may set a variable while it is imported, and read it back.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.names: set[str] = set()
        self._before = dict(os.environ)

    def variables(self) -> dict[str, str | None]:
        """The digest of each variable that was looked up; None for one that was not set."""
        return {name: _digest(self._before.get(name)) for name in sorted(self.names)}


class _Watch:
    """The one place that the hook and the environment look at; an audit hook can never be taken away again."""

    reads: Reads | None = None
    hooked = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _Watch.reads is not None and event == "open" and isinstance(arguments[0], (str, os.PathLike)):
        mode = arguments[1]
        if mode is None or "r" in str(mode):
            _Watch.reads.files.add(os.path.abspath(os.fspath(arguments[0])))


class _Watched(type(os.environ)):  # type: ignore[misc]
    def __getitem__(self, key: str) -> str:
        if _Watch.reads is not None and isinstance(key, str):
            _Watch.reads.names.add(key)
        value: str = super().__getitem__(key)
        return value


@contextmanager
def watch() -> Iterator[Reads]:
    """Collect what is read inside the block, by this thread or another."""
    if not _Watch.hooked:
        sys.addaudithook(_hook)
        _Watch.hooked = True
    plain = type(os.environ)
    reads = Reads()
    _Watch.reads = reads
    os.environ.__class__ = _Watched
    try:
        yield reads
    finally:
        _Watch.reads = None
        os.environ.__class__ = plain


def relevant(files: set[str], root: Path, ignored: Path) -> list[str]:
    """Files of the project, and files elsewhere that belong to no installation of Python."""
    installed = tuple(os.path.realpath(path) + os.sep for path in {sys.prefix, sys.base_prefix, *_site_folders()})
    kept = []
    for name in files:
        real = os.path.realpath(name)
        if not os.path.isfile(real) or "__pycache__" in real or real.startswith(str(ignored) + os.sep):
            continue
        if real.startswith(str(root) + os.sep) or not real.startswith(
            (*installed, "/proc/", "/sys/", "/dev/", "/etc/")
        ):
            kept.append(real)
    return sorted(set(kept))


def _site_folders() -> list[str]:
    """Where imports come from, other than the project: site-packages, and checkouts installed in place."""
    here = Path(__file__).resolve().parents[2]
    return [path for path in sys.path if path and "site-packages" in path] + [str(here)]


def project_modules(root: Path) -> set[str]:
    """Source files of the imported modules that lie in the project; byte code hides them from the audit hook."""
    found = set()
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.startswith(str(root) + os.sep):
            found.add(path)
    return found


def file_digest(path: str) -> str | None:
    """sha256 of a file, or None when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def listing_digest(folder: str) -> str | None:
    """What a folder holds, by name; byte code and hidden files left out."""
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith((".", "__pycache__")))
    except OSError:
        return None
    return hashlib.sha256("\0".join(names).encode()).hexdigest()


def variable_digest(name: str) -> str | None:
    """sha256 of an environment variable's value: what is kept on disk must not reveal it."""
    return _digest(os.environ.get(name))


def _digest(value: str | None) -> str | None:
    return None if value is None else hashlib.sha256(value.encode(errors="surrogateescape")).hexdigest()
