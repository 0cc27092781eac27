"""The durable state: one SQLite file in WAL mode, one transaction a transition.

`synchronous=NORMAL` survives the death of any process; a loss of power may lose the last transitions, never the file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloudml.errors import StateError

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE runs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, pipeline TEXT NOT NULL, status TEXT NOT NULL,
    parameters TEXT NOT NULL, document TEXT NOT NULL, created_at TEXT NOT NULL, scheduled_at TEXT NOT NULL,
    duration REAL NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', parent TEXT, fresh TEXT NOT NULL DEFAULT '[]');
CREATE TABLE documents (digest TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE tasks (
    run TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, started_at TEXT, duration REAL,
    attempts INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', failure TEXT,
    outputs TEXT NOT NULL DEFAULT '{}', vals TEXT NOT NULL DEFAULT '{}', key TEXT, parts TEXT, cached_from TEXT,
    PRIMARY KEY (run, id)) WITHOUT ROWID;
CREATE TABLE cache (
    key TEXT PRIMARY KEY, run TEXT NOT NULL, task TEXT NOT NULL, outputs TEXT NOT NULL, vals TEXT NOT NULL,
    created_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE trials (
    run TEXT NOT NULL, task TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, params TEXT NOT NULL,
    value REAL, reports TEXT NOT NULL, outputs TEXT NOT NULL, vals TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (run, task, number)) WITHOUT ROWID;
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY, subject TEXT NOT NULL, action TEXT NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL,
    at TEXT NOT NULL);
CREATE INDEX decisions_subject ON decisions (subject);
CREATE TABLE models (
    model TEXT NOT NULL, version INTEGER NOT NULL, origin TEXT NOT NULL, body TEXT NOT NULL, approval TEXT NOT NULL,
    PRIMARY KEY (model, version), UNIQUE (model, origin)) WITHOUT ROWID;
CREATE TABLE aliases (
    model TEXT NOT NULL, alias TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (model, alias)) WITHOUT ROWID;
CREATE TABLE resources (
    kind TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (kind, name)) WITHOUT ROWID;
CREATE TABLE digests (
    path TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;
"""


def dumps(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Database:
    """One connection. Raises StateError, naming the file and the remedy, whenever SQLite cannot do its work."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._told():
            self._connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA busy_timeout = 30000")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA_VERSION:
            self._connection.execute("PRAGMA synchronous = NORMAL")
            return
        if version > SCHEMA_VERSION:
            raise StateError(
                f"the state was written by a newer cloudml (schema {version}, this one knows {SCHEMA_VERSION})",
                where=str(self.path),
                hint="upgrade cloudml, or name another state directory in cloudml.toml",
            )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        with self.transaction():
            if self._connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in _SCHEMA.split(";"):
                    if statement.strip():
                        self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _state_error(error, self.path) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; takes the write lock at once, so that what was read stays true."""
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled it back already
                    self._connection.execute("ROLLBACK")
                raise

    def execute(self, sql: str, *values: Any) -> int:
        """One statement; the number of rows it changed."""
        with self._told():
            return self._connection.execute(sql, values).rowcount

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._told():
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row, or None."""
        with self._told():
            found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
            return found

    def close(self) -> None:
        self._connection.close()


def _state_error(error: sqlite3.Error, path: Path) -> StateError:
    text = str(error)
    if "readonly" in text or "unable to open" in text:
        return StateError(
            f"the state cannot be written: {text}",
            where=str(path),
            hint="make the directory writable, or set `state` in cloudml.toml",
        )
    if "full" in text:
        return StateError(
            "the disk is full",
            where=str(path),
            hint="free some space (`cloudml gc` removes old runs), then `cloudml resume`",
        )
    if "malformed" in text or "not a database" in text:
        return StateError(
            f"the state is damaged: {text}", where=str(path), hint="move the file away; artifacts and endpoints stay"
        )
    if "locked" in text:
        return StateError("another process holds the state for too long", where=str(path), hint="try again")
    return StateError(f"SQLite: {text}", where=str(path))
