"""Content-addressed artifacts: a file or a directory lies under its own digest, read-only, written by one rename."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from cloudml.errors import CorruptArtifact, MissingExtra, StateError
from cloudml.runtime.digest import MissingHash, matches

_SUFFIXES = {"sha256": "", "tree": ".d", "blake3": ".b3"}
_SCHEMES = {suffix: scheme for scheme, suffix in _SUFFIXES.items()}


class Store:
    """Objects below one directory, on one filesystem with the attempts that make them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """Where the object of a digest (`sha256:`, `blake3:` or `tree:<hex>`) lies, whether it exists or not."""
        scheme, _, name = digest.partition(":")
        if scheme not in _SUFFIXES or not name or not all(c in "0123456789abcdef" for c in name):
            raise CorruptArtifact(f"{digest!r} is not a digest")
        return self.root / name[:2] / f"{name}{_SUFFIXES[scheme]}"

    def has(self, digest: str) -> bool:
        """Whether the object exists. Its content is verified when it is read."""
        return self.path(digest).exists()

    def adopt(self, source: Path, digest: str) -> Path:
        """Move what was just written and measured into the store; a second copy of the same content is dropped."""
        target = self.path(digest)
        try:
            if target.exists():
                remove(source)
                return target
            target.parent.mkdir(parents=True, exist_ok=True)
            _protect(source)
            os.rename(source, target)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY) and target.exists():
                remove(source)  # another run was quicker with the same content
                return target
            raise store_error(error, target) from error
        return target

    def verify(self, digest: str) -> bool:
        """Whether the object exists and its content still hashes to its name.

        Raises MissingExtra for an object whose hash is not installed here.
        """
        path = self.path(digest)
        try:
            return path.exists() and matches(path, digest)
        except MissingHash as error:
            raise MissingExtra("local", "blake3") from error

    def discard(self, digest: str) -> int:
        """Remove an object; the bytes it took."""
        path = self.path(digest)
        size = _size(path)
        remove(path)
        return size

    def digests(self) -> Iterator[str]:
        """Every object."""
        for folder in sorted(self.root.iterdir()) if self.root.is_dir() else ():
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                yield f"{_SCHEMES.get(path.suffix, 'sha256')}:{path.stem}"


def store_error(error: OSError, path: Path) -> StateError:
    """An OSError of the state directory, told as what it means."""
    if error.errno == errno.ENOSPC:
        hint = "free some space (`cloudml gc` removes old runs), then `cloudml resume`"
        return StateError("the disk is full", where=str(path), hint=hint)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        hint = "make the directory writable, or set `state` in cloudml.toml"
        return StateError(f"the state directory cannot be written: {error.strerror}", where=str(path), hint=hint)
    return StateError(f"{error.strerror}", where=str(path))


def remove(path: Path) -> None:
    """Remove a file or a directory tree, read-only or not; nothing is an error."""
    try:
        if path.is_dir() and not path.is_symlink():
            for folder, _, _ in os.walk(path):
                os.chmod(folder, 0o700)
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        pass


def sweep(path: Path) -> None:
    """Remove what is of no use any more; what cannot be removed now stays until `gc` removes its run."""
    with contextlib.suppress(OSError):
        remove(path)


def copy_out(source: Path, target: Path) -> None:
    """Copy a file or a folder, links as links, so that its owner may write to the copy."""
    if not source.is_dir() or source.is_symlink():
        _copy_file(str(source), str(target))
        return
    shutil.copytree(source, target, symlinks=True, copy_function=_copy_file)


def _copy_file(source: str, target: str) -> None:
    shutil.copy(source, target, follow_symlinks=False)
    if not os.path.islink(target):
        os.chmod(target, stat.S_IMODE(os.stat(target).st_mode) | stat.S_IWUSR)


def _protect(path: Path) -> None:
    """Take write permission away, so that a step cannot change an input by accident. Directories stay renamable."""
    if path.is_dir():
        for folder, _, files in os.walk(path):
            for name in files:
                _readonly(os.path.join(folder, name))
    else:
        _readonly(str(path))


def _readonly(path: str) -> None:
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) & 0o555)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, files in os.walk(path) for name in files)
    return path.stat().st_size if path.exists() else 0
