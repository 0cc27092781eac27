"""What a step reads: artifacts of earlier steps, each in a folder with an `artifact.json` that says what it is."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudml.jobs import start
from cloudml.jobs.failure import Refused
from cloudml.jobs.platform import Layout
from cloudml.runtime.digest import MissingHash, matches
from cloudml.runtime.failures import CorruptArtifact

RECORD = "artifact.json"
ARCHIVE = "model.tar.gz"


@dataclass(frozen=True)
class Stored:
    """One artifact on this machine's disk; `type` is the declared type's name, `size` in bytes."""

    name: str
    type: str
    format: str
    digest: str
    size: int
    filename: str
    path: Path
    lineage: dict[str, Any] = field(default_factory=dict, compare=False)
    """What it was made of, as `cloudml.jobs.lineage` tells it; empty when nobody knows."""

    def document(self) -> dict[str, Any]:
        """The record without the place and the lineage."""
        names = ("name", "type", "format", "digest", "size", "filename")
        return {name: getattr(self, name) for name in names}

    def json(self) -> Any:
        """The value of a JSON artifact, verified. Raises Refused, CorruptArtifact."""
        if self.format != "json":
            raise Refused(f"{self.name} is {self.type}, not a JSON value")
        try:
            whole = matches(self.path, self.digest)
            content = self.path.read_bytes()
        except MissingHash as error:
            raise Refused(f"{self.name} cannot be verified: {error}") from None
        except OSError as error:
            raise CorruptArtifact(f"{self.name} cannot be read: {error}") from None
        if not whole:
            raise CorruptArtifact(f"{self.name} is damaged: {self.path} is not what its digest says")
        return json.loads(content)


class NotRun(Refused):
    """The step that makes an artifact was skipped."""


@dataclass
class Sources:
    """The inputs of one job, and the outputs of the members of a group that have run in it.

    `forms` says how each input is laid out: `port`, `ports` and `archive` tell themselves apart, `collected` has a
    folder for each item of a map, `external` is a user's own. `work` is a folder for what must be unpacked.
    """

    layout: Layout
    work: Path
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, dict[str, Stored]] = field(default_factory=dict)
    _unpacked: dict[Path, Path] = field(default_factory=dict)
    _copied: dict[Path, Path] = field(default_factory=dict)

    def one(self, reference: dict[str, Any]) -> Stored:
        """The artifact that `{"input", "port"}` or `{"member", "port"}` names. Raises Refused, NotRun."""
        port = reference["port"]
        if "member" in reference:
            made = self.members.get(reference["member"], {})
            if port not in made:
                raise NotRun(f"{reference['member']} did not run, or has no output {port!r}")
            return made[port]
        found = self._below(self.layout.input(reference["input"]), port)
        if found is None:
            raise Refused(f"the input {reference['input']} holds no artifact of the output {port!r}")
        return found

    def is_collected(self, reference: dict[str, Any]) -> bool:
        """Whether a reference means the list of all items' outputs."""
        return bool(self.forms.get(reference.get("input", ""), {}).get("form") == "collected")

    def all(self, reference: dict[str, Any]) -> list[Stored]:
        """The artifacts of every item of a map, in the items' order; items without that output are left out."""
        found = []
        for one in self.layout.items(reference["input"]):
            try:
                found.append(self._below(one, reference["port"]))
            except NotRun:
                continue
        return [one for one in found if one is not None]

    def external(self, name: str, uri: str) -> Path:
        """What lies at a user's address: that file, or the folder when it is a prefix."""
        return self.layout.external(name, uri)

    def _below(self, folder: Path, port: str) -> Stored | None:
        """An output's own folder, a folder of outputs, or the archive that a training job made of one."""
        for place in (folder / port, folder):
            if (place / RECORD).is_file():
                return _named(read(self._own(place)), port)
        archive = next((place for place in sorted(folder.rglob(ARCHIVE)) if place.is_file()), None)
        return None if archive is None else self._below(self._open(archive), port)

    def _own(self, folder: Path) -> Path:
        """The folder, or a copy of it where something must be put right that others would see."""
        if not self.layout.shared or not _lacks(folder):
            return folder
        if folder not in self._copied:
            target = self.work / f"own-{len(self._copied)}"
            shutil.copytree(folder, target, copy_function=shutil.copyfile)
            self._copied[folder] = target
        return self._copied[folder]

    def _open(self, archive: Path) -> Path:
        if archive not in self._unpacked:
            target = self.work / f"archive-{len(self._unpacked)}"
            unpack(archive, target)
            self._unpacked[archive] = target
        return self._unpacked[archive]


def _named(found: Stored, port: str) -> Stored | None:
    return found if found.name == port else None


def _lacks(folder: Path) -> bool:
    """Whether an artifact has executables or empty folders, which `read` has to make good."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
        empty = str(record["digest"]).startswith("tree:") and not (folder / _entry(record["filename"])).is_dir()
        return bool(record.get("executable")) or empty
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # `read` says what is wrong


def unpack(archive: Path, folder: Path) -> None:
    """The plain files of a gzipped tar archive. Raises Refused for a member that leads out of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        start.unpack(str(archive), str(folder))
    except (tarfile.TarError, OSError, ValueError, EOFError, zlib.error) as error:
        raise Refused(f"{archive.name} cannot be unpacked: {error}") from error


def read(folder: Path) -> Stored:
    """The artifact in an output's folder. Object stores keep neither the mode of a file nor an empty folder: both come
    back.

    Raises Refused: the record is none. NotRun: the step was skipped.
    """
    try:
        record = json.loads((folder / RECORD).read_bytes())
        if record.get("skipped"):
            raise NotRun(f"the step that makes {record.get('name')} did not run")
        path = folder / _entry(record.get("entry") or record["filename"])
        stored = Stored(
            record["name"], record["type"], record["format"], record["digest"], record["size"], record["filename"],
            path, record.get("lineage") or {},
        )  # fmt: skip
        for name in record.get("executable", ()):
            _inside(path, name).chmod(0o755)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(f"{folder / RECORD} is not the record of an artifact: {error!r}") from error
    if stored.digest.startswith("tree:"):
        path.mkdir(exist_ok=True)
    return stored


def _entry(name: str) -> str:
    if not name or name in (".", "..") or os.path.basename(name) != name:
        raise ValueError(f"{name!r} is not the name of a file")
    return name


def _inside(root: Path, name: str) -> Path:
    place = root / name if name else root
    if ".." in Path(name).parts or place.is_symlink() or not place.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"{name!r} leads out of the artifact")
    return place
