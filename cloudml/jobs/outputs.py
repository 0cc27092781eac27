"""What a job leaves: a folder for each output with its record, and `result.json`, which says how it went."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudml.jobs.platform import Layout
from cloudml.jobs.sources import RECORD, Stored


@dataclass(frozen=True)
class Outcome:
    """How a step ended: `status` succeeded, failed, pruned or skipped; `metrics` are the numbers of metrics ports."""

    status: str
    outputs: dict[str, Stored] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    failure: dict[str, Any] | None = None
    more: dict[str, Any] = field(default_factory=dict)
    """Further members of its result: the attempts, a trial's parameters, the members of a group."""

    def document(self) -> dict[str, Any]:
        """As `result.json` has it."""
        return {
            "status": self.status,
            "values": self.values,
            "metrics": self.metrics,
            "outputs": [one.document() for one in self.outputs.values()],
            "failure": self.failure,
            **self.more,
        }


def publish(outcome: Outcome, layout: Layout) -> None:
    """Bring the outputs to where the service takes them from, then write the result."""
    for name, stored in outcome.outputs.items():
        place(stored, layout.output(name))
    layout.result.parent.mkdir(parents=True, exist_ok=True)
    temporary = layout.result.with_suffix(".tmp")
    temporary.write_text(json.dumps(outcome.document()), encoding="utf-8")
    os.replace(temporary, layout.result)


def place(stored: Stored, folder: Path) -> None:
    """One artifact and its record into a folder, which is emptied before."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():  # the folder itself may be a mount
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    entry = stored.filename if stored.filename != RECORD else f"content-{RECORD}"
    record = {**stored.document(), "executable": executables(stored.path)}
    if stored.lineage:
        record["lineage"] = stored.lineage
    if entry != stored.filename:
        record["entry"] = entry
    shutil.move(stored.path, folder / entry)
    (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")


def executables(path: Path) -> list[str]:
    """The files below a folder that may be run; they count in its digest, and object stores forget them."""
    if not path.is_dir():
        return []
    files = (Path(where, name) for where, _, names in os.walk(path) for name in names)
    return sorted(one.relative_to(path).as_posix() for one in files if one.lstat().st_mode & stat.S_IXUSR)


def metric_lines(metrics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The numbers as lines of the log, for services that look for them there."""
    return [
        f"cloudml:metric {port}.{name}={number!r}"
        for port, fields in metrics.items()
        for name, number in fields.items()
    ]
