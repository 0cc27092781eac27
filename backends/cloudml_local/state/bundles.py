"""The code of a run, copied once under the digest of its files.

Steps and endpoints run this copy, never the working tree: an edit during a run cannot reach a step whose cache key was
made of the code before it, and what a version was deployed with is what serves it for as long as it lives.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cloudml.errors import Refused
from cloudml_local.state.store import remove, store_error


def bundle_files(document: dict[str, Any]) -> dict[str, str]:
    """Every file that a step of a pipeline document may import or read, with its sha256."""
    files: dict[str, str] = {}
    for task in document["tasks"]:
        files.update((path, digest) for path, digest in task["reads"].get("files", ()))
    return dict(sorted(files.items()))


def bundle_name(files: dict[str, str]) -> str:
    """The digest that names a bundle."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:32]


def files_of(folder: Path) -> dict[str, str]:
    """The files of a bundle with their sha256: what it was materialized from."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


class Bundles:
    """Copies of the project's code below one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def materialize(self, project: Path, files: dict[str, str]) -> Path:
        """The folder that holds exactly these files; copied from the project when it is not there yet.

        Raises Refused when a file is no longer what it was compiled from, StateError when the copy cannot be written.
        """
        target = self.root / bundle_name(files)
        if target.is_dir():
            return target
        temporary = self.root / f".{target.name}.{os.getpid()}"
        try:
            temporary.mkdir(parents=True, exist_ok=True)
            for path, digest in files.items():
                _copy(project / path, temporary / path, digest)
            os.rename(temporary, target)
        except Refused:
            remove(temporary)
            raise
        except OSError as error:
            remove(temporary)
            if not target.is_dir():  # another run may have been quicker
                raise store_error(error, target) from error
        return target

    def collect(self, needed: Iterable[str]) -> None:
        """Remove every bundle that is not needed."""
        kept = set(needed)
        for folder in list(self.root.iterdir()) if self.root.is_dir() else ():
            if folder.name not in kept:
                remove(folder)


def _copy(source: Path, target: Path, digest: str) -> None:
    try:
        content = source.read_bytes()
    except FileNotFoundError:
        content = b""
    if hashlib.sha256(content).hexdigest() != digest:
        raise Refused(
            "the file changed while the run was being started", where=str(source), hint="run the same command again"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
