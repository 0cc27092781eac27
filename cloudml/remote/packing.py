"""Makes the bytes of what a job starts from: the files that a resource of kind `job_code` speaks of."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudml.errors import Refused
from cloudml.plan.resource import canonical, digest_of
from cloudml.remote import library

KIND = "job_code"
STEP, BUNDLE = "step.json", "bundle.tar.gz"


@dataclass
class Builder:
    """Makes the bytes of job code; a bundle that several jobs share is made once.

    `source` is where the project's modules lie, `project` where its requirements do; `library`: the files of cloudml
    that travel, by their paths inside it.
    """

    source: Path
    project: Path
    library: Callable[[], Mapping[str, Path]]
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
        own = {name: path.read_bytes() for name, path in self.library().items()}
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
