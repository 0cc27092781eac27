"""What the state tells of runs: records, lists, log lines. Reads only."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloudml.backend.records import ENDED, ArtifactRecord, RunRecord, RunStatus, TaskRecord
from cloudml_local.state.journal import Journal, RunRow
from cloudml_local.state.locks import holder
from cloudml_local.state.store import Store


def list_runs(journal: Journal, state: Path, pipeline: str | None, limit: int) -> list[RunRecord]:
    """Newest first, without tasks."""
    where, values = ("WHERE pipeline = ?", (pipeline,)) if pipeline else ("", ())
    rows = journal.database.rows(f"SELECT * FROM runs {where} ORDER BY seq DESC LIMIT ?", *values, limit)  # noqa: S608
    return [
        RunRecord(
            id=row["id"], pipeline=row["pipeline"], status=_status(state, row["id"], row["status"]),
            parameters=json.loads(row["parameters"]), created_at=row["created_at"], duration=row["duration"],
            reason=row["reason"], parent=row["parent"],
        )
        for row in rows
    ]  # fmt: skip


def _status(state: Path, run: str, status: str) -> RunStatus:
    """A run that says it runs while nobody holds its lock was cut off."""
    if status == "running" and holder(state / "runs" / run / "lock") is None:
        return "interrupted"
    return status  # type: ignore[return-value]


def run_record(journal: Journal, store: Store, state: Path, row: RunRow) -> RunRecord:
    """A run with its tasks: in the author's order, items of a map after one another, pending ones included."""
    stored = journal.tasks(row.id)
    status = _status(state, row.id, row.status)
    items: dict[str, list[str]] = {}
    for name in stored:
        items.setdefault(name.partition("[")[0], []).append(name)
    tasks = []
    for template in row.document["tasks"]:
        ids = sorted(items.get(template["id"], ()), key=indices) if template["maps"] else [template["id"]]
        tasks += [
            _task(store, template, name, stored.get(name), status, state / "runs" / row.id / name) for name in ids
        ]
    return RunRecord(
        id=row.id, pipeline=row.pipeline, status=status, parameters=row.parameters, created_at=row.created_at,
        duration=row.duration, reason=row.reason, parent=row.parent, tasks=tuple(tasks),
    )  # fmt: skip


def indices(task: str) -> tuple[int, ...]:
    """`score[2][0]` -> (2, 0)."""
    return tuple(int(part.rstrip("]")) for part in task.split("[")[1:])


def _task(
    store: Store, template: dict[str, Any], name: str, stored: dict[str, Any] | None, run_status: str, folder: Path
) -> TaskRecord:
    base = {"id": name, "kind": template["kind"], "needs": tuple(template["needs"]), "parent": template["parent"]}
    if stored is None:
        return TaskRecord(status="pending", **base)
    status = stored["status"]
    if status in ("running", "waiting") and run_status == "interrupted":
        status = "interrupted"
    outputs = tuple(
        ArtifactRecord(
            output,
            record["type"],
            record["format"],
            record["digest"],
            record["size"],
            str(store.path(record["digest"])),
        )
        for output, record in stored["outputs"].items()
    )
    return TaskRecord(
        status=status, started_at=stored["started_at"], duration=stored["duration"], attempts=stored["attempts"],
        reason=stored["reason"], failure=stored["failure"], outputs=outputs, metrics=_metrics(template, stored["vals"]),
        values=stored["vals"], progress=_progress(folder, status), cached_from=stored["cached_from"], **base,
    )  # fmt: skip


def _metrics(template: dict[str, Any], values: dict[str, Any]) -> dict[str, float]:
    """Numbers of a task: the fields of its metrics outputs, and single numbers under their output's name."""
    ports = {port["name"] for port in template["reads"].get("outputs", ()) if port["mode"] == "metrics"}
    found: dict[str, float] = {}
    for name, value in values.items():
        if name in ports and isinstance(value, dict):
            found.update({key: number for key, number in value.items() if _number(number)})
        elif _number(value):
            found[name] = value
    return found


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _progress(folder: Path, status: str) -> tuple[int, int] | None:
    if status != "running" or not folder.is_dir():
        return None
    for path in sorted(folder.glob("*/progress.json"), reverse=True):
        try:
            told = json.loads(path.read_bytes())
            return int(told["done"]), int(told["total"])
        except (OSError, ValueError, KeyError):
            continue
    return None


def log_paths(state: Path, run: str, task: str) -> list[Path]:
    """The logs of a task: its attempts, or its trials, in order; a step's name without an item means all items."""
    folder = state / "runs" / run / task
    own = sorted(folder.glob("*.log"), key=_log_order) if folder.is_dir() else []
    if own or "[" in task:
        return own
    parent = state / "runs" / run
    items = [path for path in parent.iterdir() if path.name.startswith(task + "[")] if parent.is_dir() else []
    return [
        log for item in sorted(items, key=lambda path: indices(path.name)) for log in log_paths(state, run, item.name)
    ]


def _log_order(path: Path) -> tuple[str, int]:
    name, _, number = path.stem.rpartition("-")
    return name, int(number) if number.isdigit() else 0


def log_lines(journal: Journal, state: Path, row: RunRow, task: str, follow: bool) -> Iterator[str]:
    """Lines of every log of a task. Following ends with the task, or with the run."""
    seen: dict[Path, int] = {}
    while True:
        over = not follow or _over(journal, state, row.id, task)
        paths = log_paths(state, row.id, task)
        for path in paths:
            if len(paths) > 1 and path not in seen:
                yield f"==> {path.parent.name}/{path.stem} <=="
            yield from _new_lines(path, seen)
        if over:
            return
        time.sleep(0.2)


def _over(journal: Journal, state: Path, run: str, task: str) -> bool:
    stored = journal.task(run, task)
    return (stored is not None and stored["status"] in ENDED) or holder(state / "runs" / run / "lock") is None


def _new_lines(path: Path, seen: dict[Path, int]) -> Iterator[str]:
    with open(path, "rb") as file:
        file.seek(seen.get(path, 0))
        while line := file.readline():
            yield line.decode(errors="replace").rstrip("\r\n")
        seen[path] = file.tell()
