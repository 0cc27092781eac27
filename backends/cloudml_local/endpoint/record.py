"""The endpoint's record: one JSON file, replaced whole. Its router writes it; commands only when no router runs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from cloudml_local.endpoint import faults
from cloudml_local.endpoint.deployment import Deployment
from cloudml_local.endpoint.paths import EndpointPaths

_VERSION = 1


@dataclass(frozen=True)
class Served:
    """A deployment with its number at this endpoint and the moment it took over."""

    id: int
    deployment: Deployment
    since: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON types: the identity first, everything needed to serve it again under `spec`."""
        d = self.deployment
        identity = {"id": self.id, "model": d.model, "version": d.version, "digest": d.digest, "since": self.since}
        return {**identity, "spec": d.to_dict()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Served:
        """The inverse of `to_dict`."""
        return cls(int(document["id"]), Deployment.from_dict(document["spec"]), str(document.get("since", "")))


@dataclass(frozen=True)
class ServerEntry:
    """One model server process in the table."""

    name: str
    pid: int | None
    port: int | None
    weight: float
    version: int


@dataclass(frozen=True)
class Record:
    """What is known about an endpoint. `folder` tells a copied state directory from the original."""

    name: str
    folder: str
    port: int = 0
    control: str = ""
    pid: int | None = None
    start_time: str = ""
    status: str = "creating"
    deployment: Served | None = None
    previous: Served | None = None
    variants: tuple[ServerEntry, ...] = ()
    updated_at: str = ""
    error: str = ""
    last_id: int = 0

    def belongs_to(self, paths: EndpointPaths) -> bool:
        """False for a record that came along with a copied or moved folder: its process is not this folder's."""
        try:
            return os.path.samefile(self.folder, paths.folder)
        except OSError:
            return False

    @property
    def url(self) -> str:
        """The data plane's address."""
        return f"http://127.0.0.1:{self.port}"

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "record_version": _VERSION,
            "name": self.name,
            "folder": self.folder,
            "port": self.port,
            "url": self.url,
            "control": self.control,
            "pid": self.pid,
            "start_time": self.start_time,
            "status": self.status,
            "deployment": self.deployment and self.deployment.to_dict(),
            "previous": self.previous and self.previous.to_dict(),
            "variants": [asdict(variant) for variant in self.variants],
            "updated_at": self.updated_at,
            "error": self.error,
            "last_id": self.last_id,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Record:
        """The inverse of `to_dict`. Raises KeyError, TypeError or ValueError for another document."""
        if document["record_version"] != _VERSION:
            raise ValueError(f"record_version {document['record_version']!r} is not {_VERSION}")
        served, before = document["deployment"], document["previous"]
        return cls(
            name=document["name"],
            folder=document["folder"],
            port=int(document["port"]),
            control=document["control"],
            pid=document["pid"],
            start_time=document["start_time"],
            status=document["status"],
            deployment=Served.from_dict(served) if served else None,
            previous=Served.from_dict(before) if before else None,
            variants=tuple(ServerEntry(**variant) for variant in document["variants"]),
            updated_at=document["updated_at"],
            error=document["error"],
            last_id=int(document["last_id"]),
        )


def utc_now() -> str:
    """ISO 8601, UTC, seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_record(paths: EndpointPaths) -> Record | None:
    """The record, or None when there is no such endpoint. Raises StateError (CML527) for a damaged one."""
    try:
        text = paths.record.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise faults.unusable_state(str(paths.record), str(error)) from error
    try:
        return Record.from_dict(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise faults.damaged_record(paths.name, str(paths.record), f"{type(error).__name__}: {error}") from error


def write_record(paths: EndpointPaths, record: Record) -> None:
    """Replace the record; readable by its owner only, as the environment of a deployment may be private."""
    temporary = paths.record.with_name(f"record.json.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(record.to_dict(), file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, paths.record)
    except OSError as error:
        raise faults.unusable_state(str(paths.record), str(error)) from error
