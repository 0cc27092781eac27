"""What the mock knows: tables of plain documents, by account and region; kept in SQLite when a state folder is given.

A document is a dict that JSON can hold, in the shape of the resource's Describe response (timestamps: seconds since the
epoch, as on the wire) plus private keys that begin with "_". Read and change documents only under `World.lock`, and
call `put` after a change.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True)
class Scope:
    """Whose resources: an account (AWS: 12 digits; Google Cloud: the project) and a region (there: the location)."""

    account: str
    region: str


class Table:
    """The documents of one kind in one scope, by name, oldest first."""

    def __init__(self, store: Store, kind: str, scope: Scope) -> None:
        self._store = store
        self.kind = kind
        self.scope = scope
        self._rows: dict[str, Document] = {}

    def get(self, name: str) -> Document | None:
        """The document, or None."""
        return self._rows.get(name)

    def __getitem__(self, name: str) -> Document:
        return self._rows[name]

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Document]:
        return iter(list(self._rows.values()))

    def items(self) -> list[tuple[str, Document]]:
        """Name and document of each."""
        return list(self._rows.items())

    def put(self, name: str, document: Document) -> Document:
        """Keep the document (new or changed); returns it."""
        self._rows[name] = document
        self._store.write(self, name, document)
        return document

    def delete(self, name: str) -> Document | None:
        """Forget it; returns what was there."""
        gone = self._rows.pop(name, None)
        if gone is not None:
            self._store.write(self, name, None)
        return gone


class Store:
    """Every table. `path` None: in memory only."""

    def __init__(self, path: Path | None = None) -> None:
        self._tables: dict[tuple[str, Scope], Table] = {}
        self._database = _open(path) if path is not None else None
        if self._database is not None:
            self._load(self._database)

    def table(self, kind: str, scope: Scope) -> Table:
        """The table of that kind, made when it is first asked for."""
        key = (kind, scope)
        found = self._tables.get(key)
        if found is None:
            # In one step: two threads that ask first must not get two tables.
            found = self._tables.setdefault(key, Table(self, kind, scope))
        return found

    def tables(self, kind: str) -> list[Table]:
        """The tables of a kind, of every scope."""
        return [table for (name, _), table in list(self._tables.items()) if name == kind]

    def write(self, table: Table, name: str, document: Document | None) -> None:
        """Write one document through; None removes it."""
        if self._database is None:
            return
        key = (table.kind, table.scope.account, table.scope.region, name)
        if document is None:
            self._database.execute("DELETE FROM documents WHERE kind=? AND account=? AND region=? AND name=?", key)
        else:
            self._database.execute(
                "INSERT INTO documents (kind, account, region, name, body) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (kind, account, region, name) DO UPDATE SET body = excluded.body",
                (*key, json.dumps(document)),
            )

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _load(self, database: sqlite3.Connection) -> None:
        query = "SELECT kind, account, region, name, body FROM documents ORDER BY number"
        for kind, account, region, name, body in database.execute(query):
            self.table(kind, Scope(account, region))._rows[name] = json.loads(body)


def _open(path: Path) -> sqlite3.Connection:
    # Autocommit and one lock above it (`World.lock`): every put is durable against a kill of this process.
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(
        "CREATE TABLE IF NOT EXISTS documents (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, "
        "account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, "
        "UNIQUE (kind, account, region, name))"
    )
    return database
