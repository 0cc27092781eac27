"""Python packages of a job: brought from Cloud Storage and unpacked onto the module path.

Nothing is installed: what a package depends on has to be there, in the environment that stands for the executor image.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.world import World

_MOST_BYTES = 2 << 30
"""Of all files of one archive."""
_MOST_FILES = 20_000


class PackageRefused(Exception):
    """A package is not there, or is no archive that may be unpacked; the text says which and why."""


def bring(world: World, uris: Sequence[str], folder: Path) -> list[str]:
    """Unpack the packages below `folder`; the folders for PYTHONPATH, in order. Raises PackageRefused."""
    found: list[str] = []
    for number, uri in enumerate(uris):
        try:
            source = gcs.path_of(world, uri)
        except gcs.GcsMissing as error:
            raise PackageRefused(str(error)) from error
        if not source.is_file():
            raise PackageRefused(f"There is no object {uri}.")
        target = folder / f"package-{number}"
        target.mkdir(parents=True)
        try:
            _unpack(source, uri, target)
        except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
            raise PackageRefused(f"The package {uri} cannot be unpacked: {error}") from error
        found += [str(root.resolve()) for root in _roots(target)]
    return found


def _unpack(source: Path, uri: str, target: Path) -> None:
    if uri.endswith((".whl", ".zip")):
        _unzip(source, target)
        return
    with tarfile.open(source) as archive:
        members = archive.getmembers()
        _bound(len(members), sum(member.size for member in members))
        # The filter refuses links, devices and paths that lead out.
        archive.extractall(target, filter="data")


def _unzip(source: Path, target: Path) -> None:
    with zipfile.ZipFile(source) as archive:
        entries = archive.infolist()
        _bound(len(entries), sum(entry.file_size for entry in entries))
        for entry in entries:
            parts = PurePosixPath(entry.filename).parts
            if entry.filename.startswith("/") or "\\" in entry.filename or ".." in parts:
                raise ValueError(f"{entry.filename!r} leads out of the archive")
            place = target.joinpath(*parts)
            if entry.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as stream, place.open("wb") as file:
                shutil.copyfileobj(stream, file)


def _bound(files: int, size: int) -> None:
    if files > _MOST_FILES or size > _MOST_BYTES:
        raise ValueError(f"{files} files and {size} bytes are too much")


def _roots(folder: Path) -> list[Path]:
    """Where modules begin: a source distribution has one folder with setup.py or the like, and in it maybe src."""
    inside = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir()]
    if len(inside) == 1 and any((inside[0] / name).is_file() for name in ("setup.py", "pyproject.toml", "PKG-INFO")):
        source = inside[0] / "src"
        return [source, inside[0]] if source.is_dir() else [inside[0]]
    return [folder]
