"""The world as this machine saw it last: what a plan compares with while it is offline.

One file for each target and pipeline below `.cloudml/seen`. It holds what was observed, never what was only wished for;
losing it costs nothing but the comparison.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cloudml.backend.port import Target
from cloudml.operations.project import Project
from cloudml.plan import Observed, digest_of

_FORMAT = 1


@dataclass(frozen=True)
class Seen:
    """What was there, and when (UTC, ISO 8601)."""

    at: str
    observed: tuple[Observed, ...]


def keep(project: Project, target: Target, pipeline: str, observed: Sequence[Observed]) -> None:
    """Remember it. A project that cannot be written to just remembers nothing."""
    path = _path(project, target, pipeline)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    stored = {
        "format": _FORMAT,
        "place": _place(target),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "observed": [one.to_dict() for one in observed],
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        marker = path.parents[1] / ".gitignore"
        if not marker.exists():
            marker.write_text("*\n")
        temporary.write_text(json.dumps(stored), encoding="utf-8")
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def recall(project: Project, target: Target, pipeline: str) -> Seen | None:
    """What was seen last; None when that was nothing, was another place, or cannot be read."""
    try:
        stored = json.loads(_path(project, target, pipeline).read_bytes())
        if stored["format"] != _FORMAT or stored["place"] != _place(target):
            return None
        return Seen(str(stored["at"]), tuple(Observed.of_dict(one) for one in stored["observed"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget(project: Project, target: Target) -> None:
    """After a destroy nothing that was seen of the target holds any more."""
    for path in _folder(project).glob(f"{target.name}@*.json"):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _path(project: Project, target: Target, pipeline: str) -> Path:
    """No name of a target holds the `@`: two pairs of names never share a file."""
    return _folder(project) / f"{target.name}@{pipeline}.json"


def _folder(project: Project) -> Path:
    return project.root / ".cloudml" / "seen"


def _place(target: Target) -> str:
    """Another account, bucket or region is another world."""
    return digest_of({"backend": target.backend, "project": target.project, "settings": dict(target.settings)})
