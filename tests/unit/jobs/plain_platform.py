"""A platform without a cloud: folders, a dictionary of objects, and notes of what it was told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudml.jobs.control.posting import Message
from cloudml.jobs.failure import Refused
from cloudml.jobs.outputs import Outcome
from cloudml.jobs.values import given
from cloudml.runtime.digest import path_digest

Document = dict[str, Any]


@dataclass
class Folders:
    """A `cloudml.jobs.platform.Layout` below one folder."""

    base: Path
    rank: int = 0
    shared: bool = False

    def input(self, name: str) -> Path:
        return self.base / "in" / name

    def items(self, name: str) -> list[Path]:
        return sorted(self.input(name).iterdir())

    def external(self, name: str, uri: str) -> Path:
        return self.base / "outside" / uri.rpartition("/")[2]

    def output(self, name: str) -> Path:
        return self.base / "out" / name

    @property
    def result(self) -> Path:
        return self.output("result") / "result.json"

    @property
    def checkpoints(self) -> Path:
        return self.base / "checkpoints"

    def hosts(self) -> tuple[list[str], int]:
        return ["a", "b"], self.rank


@dataclass
class Objects:
    """A `cloudml.jobs.platform.Store` in memory."""

    kept: dict[str, bytes] = field(default_factory=dict)

    def get(self, uri: str) -> bytes:
        if uri not in self.kept:
            raise FileNotFoundError(uri)
        return self.kept[uri]

    def find(self, uri: str) -> tuple[bytes, str] | None:
        return (self.kept[uri], "1") if uri in self.kept else None

    def put(self, uri: str, content: bytes, *, kms: str | None = None) -> None:
        self.kept[uri] = content

    def put_once(self, uri: str, content: bytes | Path, *, kms: str | None = None) -> None:
        self.kept.setdefault(uri, content if isinstance(content, bytes) else content.read_bytes())

    def put_if(self, uri: str, content: bytes, version: str | None, *, kms: str | None = None) -> bool:
        raise AssertionError(uri)

    def list(self, prefix: str) -> Iterator[str]:
        return iter(sorted(one for one in self.kept if one.startswith(prefix)))

    def download(self, uri: str, target: Path) -> None:
        target.write_bytes(self.get(uri))


@dataclass
class Plain:
    """A `cloudml.jobs.platform.Platform`."""

    layout: Folders
    store: Objects = field(default_factory=Objects)
    actions: Mapping[str, str] = field(default_factory=dict)
    refuses: str = ""
    service: str = "Nowhere"
    seen: list[tuple[str, Any]] = field(default_factory=list)

    def given(self, step: Document, arguments: Sequence[str]) -> dict[str, str]:
        return given(arguments, {})

    def tuned(self) -> Mapping[str, str]:
        return {"rate": "0.5"}

    def run(self) -> str:
        return "job-1"

    def secret(self, project: str, name: str) -> str:
        if name == "NONE":
            raise Refused("the secret NONE is not there")
        return f"{project}/{name}"

    def alert(self, channel: Document, message: Message) -> str:
        self.seen.append(("alert", message))
        return str(channel.get("broken", ""))

    def told(self, error: BaseException) -> str:
        return f"told: {error}"

    def measured(self, metrics: Mapping[str, Mapping[str, Any]], objective: float | None) -> None:
        self.seen.append(("measured", objective))

    def finished(self, step: Document, outcome: Outcome) -> None:
        self.seen.append(("finished", outcome.status))
        if self.refuses:
            raise Refused(self.refuses)

    def failed(self, failure: Document) -> None:
        self.seen.append(("failed", failure["message"]))


def artifact(folder: Path, name: str, value: Any) -> None:
    """A JSON artifact as an earlier job has left it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(value))
    record = {"name": name, "type": "Any", "format": "json", "filename": file.name, "size": file.stat().st_size}
    (folder / "artifact.json").write_text(json.dumps({**record, "digest": path_digest(file)}))
