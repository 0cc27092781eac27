"""Reads and writes of runs, tasks, cache and trials: each function is one transaction."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudml.errors import NotFound
from cloudml_local.state.database import Database, dumps


def now() -> str:
    """The time for people to read; nothing is decided by it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class RunRow:
    """A run as stored, its document included."""

    id: str
    seq: int
    pipeline: str
    status: str
    parameters: dict[str, Any]
    document: dict[str, Any]
    created_at: str
    scheduled_at: str
    duration: float
    reason: str
    parent: str | None
    fresh: list[str]


@dataclass(frozen=True)
class CacheEntry:
    """A result that may be reused."""

    run: str
    task: str
    outputs: dict[str, dict[str, Any]]
    values: dict[str, Any]
    age: float


class Journal:
    def __init__(self, database: Database) -> None:
        self.database = database

    def create_run(
        self,
        pipeline: str,
        document: dict[str, Any],
        digest: str,
        parameters: dict[str, Any],
        parent: str | None = None,
        fresh: list[str] | None = None,
    ) -> str:
        """A new run in state `running`; its id is the pipeline's name and a number that is never used again."""
        at = now()
        with self.database.transaction():
            row = self.database.row("SELECT coalesce(max(seq), 0) + 1 AS next FROM sqlite_sequence WHERE name = 'runs'")
            assert row is not None
            run = f"{pipeline}-{row['next']}"
            self.database.execute("INSERT OR IGNORE INTO documents VALUES (?, ?)", digest, dumps(document))
            self.database.execute(
                "INSERT INTO runs (id, pipeline, status, parameters, document, created_at, scheduled_at, parent, fresh)"
                " VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?)",
                run, pipeline, dumps(parameters), digest, at, at, parent, dumps(fresh or []),
            )  # fmt: skip
        return run

    def run(self, run: str) -> RunRow:
        """Raises NotFound. `last` names the newest run."""
        where = "ORDER BY seq DESC LIMIT 1" if run == "last" else "WHERE runs.id = ?"
        row = self.database.row(
            f"SELECT runs.*, body FROM runs JOIN documents ON documents.digest = document {where}",  # noqa: S608
            *(() if run == "last" else (run,)),
        )
        if row is None:
            recent = [one["id"] for one in self.database.rows("SELECT id FROM runs ORDER BY seq DESC LIMIT 5")]
            hint = f"the newest are {', '.join(recent)}" if recent else "nothing has run yet: `cloudml run`"
            raise NotFound("there is no run yet" if run == "last" else f"there is no run {run!r}", hint=hint)
        plain = ("id", "seq", "pipeline", "status", "created_at", "scheduled_at", "duration", "reason", "parent")
        return RunRow(
            **{name: row[name] for name in plain},
            parameters=json.loads(row["parameters"]),
            document=json.loads(row["body"]),
            fresh=json.loads(row["fresh"]),
        )

    def set_document(self, run: str, document: dict[str, Any], digest: str) -> None:
        with self.database.transaction():
            self.database.execute("INSERT OR IGNORE INTO documents VALUES (?, ?)", digest, dumps(document))
            self.database.execute("UPDATE runs SET document = ? WHERE id = ?", digest, run)

    def set_status(self, run: str, status: str, reason: str = "", elapsed: float = 0.0) -> None:
        self.database.execute(
            "UPDATE runs SET status = ?, reason = ?, duration = duration + ? WHERE id = ?", status, reason, elapsed, run
        )

    def begin_task(self, run: str, task: str, kind: str, attempts: int) -> None:
        self.database.execute(
            "INSERT INTO tasks (run, id, kind, status, started_at, attempts, outputs)"
            " VALUES (?, ?, ?, 'running', ?, ?, '{}')"
            " ON CONFLICT (run, id) DO UPDATE SET status = 'running', attempts = excluded.attempts, reason = ''",
            run, task, kind, now(), attempts,
        )  # fmt: skip

    def wait_task(self, run: str, task: str, asked_at: str) -> None:
        """A task waits for a person, since the moment it first asked."""
        self.database.execute(
            "UPDATE tasks SET status = 'waiting', started_at = ? WHERE run = ? AND id = ?", asked_at, run, task
        )

    def end_task(
        self,
        run: str,
        task: str,
        kind: str,
        status: str,
        *,
        duration: float = 0.0,
        reason: str = "",
        failure: dict[str, Any] | None = None,
        outputs: dict[str, dict[str, Any]] | None = None,
        values: dict[str, Any] | None = None,
        key: str | None = None,
        parts: dict[str, Any] | None = None,
        cached_from: str | None = None,
        reusable: bool = False,
    ) -> None:
        """The end of a task and, when `reusable`, the cache entry of its result: both or neither."""
        listed, kept = dumps(outputs or {}), dumps(values or {})
        statement = (
            "INSERT INTO tasks (run, id, kind, status, started_at, duration, reason, failure, outputs, vals, key,"
            " parts, cached_from) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (run, id) DO UPDATE SET status = excluded.status, duration = excluded.duration,"
            " reason = excluded.reason, failure = excluded.failure, outputs = excluded.outputs, vals = excluded.vals,"
            " key = excluded.key, parts = excluded.parts, cached_from = excluded.cached_from"
        )
        row = (
            run, task, kind, status, now(), duration, reason, dumps(failure) if failure else None, listed, kept, key,
            dumps(parts) if parts is not None else None, cached_from,
        )  # fmt: skip
        if not (reusable and key):
            self.database.execute(statement, *row)
            return
        with self.database.transaction():
            self.database.execute(statement, *row)
            self.database.execute(
                "INSERT OR REPLACE INTO cache VALUES (?, ?, ?, ?, ?, ?)", key, run, task, listed, kept, time.time()
            )

    def tasks(self, run: str) -> dict[str, dict[str, Any]]:
        """Every task of a run that has begun or ended, by id, JSON columns decoded."""
        return {row["id"]: _task(row) for row in self.database.rows("SELECT * FROM tasks WHERE run = ?", run)}

    def task(self, run: str, task: str) -> dict[str, Any] | None:
        row = self.database.row("SELECT * FROM tasks WHERE run = ? AND id = ?", run, task)
        return None if row is None else _task(row)

    def close_open_tasks(self, run: str, status: str) -> None:
        """What still counts as running when nobody drives the run any more did not end."""
        self.database.execute(
            "UPDATE tasks SET status = ? WHERE run = ? AND status IN ('running', 'waiting')", status, run
        )

    def cached(self, key: str) -> CacheEntry | None:
        row = self.database.row("SELECT * FROM cache WHERE key = ?", key)
        if row is None:
            return None
        # A clock that was set back makes entries look newer than now, never older than they are.
        age = max(0.0, time.time() - row["created_at"])
        return CacheEntry(row["run"], row["task"], json.loads(row["outputs"]), json.loads(row["vals"]), age)

    def drop_cached(self, digest: str) -> list[str]:
        """Forget every cached result that holds an artifact; the tasks that made them."""
        found = self.database.rows("SELECT key, task FROM cache WHERE instr(outputs, ?) > 0", digest)
        with self.database.transaction():
            for row in found:
                self.database.execute("DELETE FROM cache WHERE key = ?", row["key"])
        return [row["task"] for row in found]

    def drop_key(self, key: str) -> None:
        self.database.execute("DELETE FROM cache WHERE key = ?", key)

    def save_trial(self, run: str, task: str, number: int, state: str, **fields: Any) -> None:
        self.database.execute(
            "INSERT OR REPLACE INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            run, task, number, state, dumps(fields["params"]), fields.get("value"), dumps(fields.get("reports", [])),
            dumps(fields.get("outputs", {})), dumps(fields.get("values", {})), fields.get("reason", ""),
        )  # fmt: skip

    def trials(self, run: str, task: str) -> list[dict[str, Any]]:
        """Finished trials, by number."""
        rows = self.database.rows("SELECT * FROM trials WHERE run = ? AND task = ? ORDER BY number", run, task)
        decoded = ("params", "reports", "outputs", "vals")
        return [{**dict(row), **{name: json.loads(row[name]) for name in decoded}} for row in rows]

    def decide(self, subject: str, action: str, who: str, reason: str) -> None:
        self.database.execute(
            "INSERT INTO decisions (subject, action, who, reason, at) VALUES (?, ?, ?, ?, ?)",
            subject, action, who, reason, now(),
        )  # fmt: skip

    def carry(self, subject: str, decision: dict[str, str]) -> None:
        """A decision that was made elsewhere, with its own time."""
        self.database.execute(
            "INSERT INTO decisions (subject, action, who, reason, at) VALUES (?, ?, ?, ?, ?)",
            subject, decision["action"], decision["who"], decision["reason"], decision["at"],
        )  # fmt: skip

    def decisions(self, subject: str) -> list[dict[str, Any]]:
        rows = self.database.rows(
            "SELECT action, who, reason, at FROM decisions WHERE subject = ? ORDER BY id", subject
        )
        return [dict(row) for row in rows]

    def earlier_task(self, pipeline: str, before: int, task: str) -> tuple[str, dict[str, Any]] | None:
        """The newest earlier run's computed task of the same id, with the parts of its key."""
        row = self.database.row(
            "SELECT tasks.*, runs.id AS run_id FROM tasks JOIN runs ON runs.id = tasks.run WHERE runs.pipeline = ?"
            " AND runs.seq < ? AND tasks.id = ? AND parts IS NOT NULL AND tasks.status IN ('succeeded', 'cached')"
            " ORDER BY runs.seq DESC LIMIT 1",
            pipeline, before, task,
        )  # fmt: skip
        return None if row is None else (row["run_id"], _task(row))


def _task(row: Any) -> dict[str, Any]:
    task = dict(row)
    for name in ("failure", "outputs", "vals", "parts"):
        task[name] = json.loads(task[name]) if task[name] else None
    return task
