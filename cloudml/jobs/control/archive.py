"""The archive of a model: the artifact, what it is, and the code that serves it. The same content, the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from pkgutil import get_data
from typing import Any

SERVED = "cloudml.json"


def pack(
    target: Path,
    model: Path,
    served: dict[str, Any],
    library: Path,
    project: Path,
    scripts: Mapping[str, tuple[str, str]],
) -> None:
    """Write the archive. `served`: what a serving container reads of the model. `scripts`: files of installed packages
    by their names in the archive, each a package and a name.
    """
    with (
        open(target, "wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        _add(archive, SERVED, json.dumps(served, sort_keys=True).encode(), False)
        for name, (package, file) in scripts.items():
            _add(archive, name, get_data(package, file) or b"", False)
        for name, path in _files(model, f"model/{served['filename']}"):
            _add_file(archive, name, path)
        for root, prefix in ((library, "code/library.zip"), (project, "code/project")):
            for name, path in _files(root, prefix):
                if "__pycache__" not in name:
                    _add_file(archive, name, path)


def digest(path: Path) -> str:
    """sha256 of the archive."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(root: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    if root.is_file():
        yield prefix, root
        return
    found = sorted(Path(where, name) for where, _, names in os.walk(root) for name in names)
    for path in found:
        if path.is_file() and not path.is_symlink():
            yield f"{prefix}/{path.relative_to(root).as_posix()}", path


def _member(name: str, size: int, executable: bool) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o755 if executable else 0o644
    return member


def _add(archive: tarfile.TarFile, name: str, content: bytes, executable: bool) -> None:
    archive.addfile(_member(name, len(content), executable), io.BytesIO(content))


def _add_file(archive: tarfile.TarFile, name: str, path: Path) -> None:
    stat = path.stat()
    with open(path, "rb") as file:
        archive.addfile(_member(name, stat.st_size, bool(stat.st_mode & 0o100)), file)
