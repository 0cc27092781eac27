"""An output brought from S3 to this machine: one file, a folder, or a part of a training job's archive; checked."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from cloudml.backend.records import ArtifactRecord, TaskRecord
from cloudml.errors import CorruptArtifact, NotFound, Refused
from cloudml.jobs.failure import Refused as NoArtifact
from cloudml.jobs.sources import NotRun, read
from cloudml.runtime.digest import measure
from cloudml_sagemaker.client import Client, bucket_and_key

_CHUNK = 1 << 20


def fetch(client: Client, task: TaskRecord, output: str, folder: Path) -> Path:
    """The output of a task in `folder`, under its own file name; what is there with the right content is left alone.

    Raises NotFound (no such output), Refused (something else is there), CorruptArtifact, AwsError.
    """
    found = next((one for one in task.outputs if one.name == output), None)
    if found is None or not found.path:
        names = ", ".join(one.name for one in task.outputs if one.path)
        why = f"its outputs are {names}" if names else f"it is {task.status}"
        raise NotFound(f"{task.id} has no output {output!r}", hint=why)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as work:
        _download(client, found, Path(work))
        try:
            stored = read(Path(work))
        except (NoArtifact, NotRun) as error:
            raise CorruptArtifact(f"{found.path}: {error}", hint="cloudml rerun computes it anew") from error
        digest = measure(stored.path)[0] if stored.path.exists() else "nothing"
        if digest != found.digest:
            message = f"{found.path} is not what {task.id} put out: its digest is {digest}, not {found.digest}"
            raise CorruptArtifact(message, hint="cloudml rerun computes it anew")
        return _place(stored.path, folder / _name(stored.filename), found)


def _place(source: Path, target: Path, found: ArtifactRecord) -> Path:
    if target.exists() or target.is_symlink():
        if not target.is_symlink() and measure(target)[0] == found.digest:
            return target
        raise Refused(f"{target} is there already, and is something else", hint="name another folder")
    shutil.move(source, target)
    return target


def _name(name: str) -> str:
    if not name or name in (".", "..") or os.path.basename(name) != name:
        raise CorruptArtifact(f"{name!r} is not the name of a file")
    return name


def _download(client: Client, found: ArtifactRecord, work: Path) -> None:
    archive, _, inside = found.path.partition("#")
    if inside:
        client.stream(archive, lambda body: _unpack(body, inside.rpartition("/")[0], work))
        return
    bring(client, found.path.rpartition("/")[0] + "/", work)


def bring(client: Client, uri: str, folder: Path) -> None:
    """What lies below a prefix of S3, as SageMaker lays an input of type S3Prefix into a container.

    Raises CorruptArtifact for a key that leads out of the folder, Refused when there is nothing, AwsError.
    """
    bucket, prefix = bucket_and_key(uri)
    rows = client.pages("s3", "ListObjectsV2", "Contents", Bucket=bucket, Prefix=prefix)
    found = [str(one["Key"]) for one in rows]
    if not found:
        raise Refused(f"nothing lies at {uri} any more", hint="cloudml rerun computes it anew")
    for key in found:
        whole = key.startswith(prefix.rstrip("/") + "/")
        name = key[len(prefix) :].lstrip("/") if whole else key[len(prefix.rpartition("/")[0]) :].lstrip("/")
        path = _below(folder, name)
        if path is not None:
            client.stream(f"s3://{bucket}/{key}", partial(_write, path))


def _unpack(body: IO[bytes], port: str, work: Path) -> None:
    """The members of the archive below the port's folder."""
    with tarfile.open(fileobj=body, mode="r|gz") as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if member.isfile() and name.startswith(f"{port}/"):
                path, content = _below(work, name[len(port) + 1 :]), tar.extractfile(member)
                if path is not None and content is not None:
                    _write(path, content)


def _below(work: Path, name: str) -> Path | None:
    """Where a key of S3 or a member goes; None for the mark of a folder. Raises CorruptArtifact for a way out."""
    if not name or name.endswith("/"):
        return None
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise CorruptArtifact(f"{name!r} leads out of the artifact")
    return work.joinpath(*parts)


def _write(path: Path, body: IO[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while chunk := body.read(_CHUNK):
            file.write(chunk)
