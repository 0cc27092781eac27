"""Log entries of a project: what Cloud Logging holds, written by rooms and by clients, bounded, kept with the state."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cloudml.mocks.store import Document, Scope, Table
from cloudml_vertex.mock.core.times import seconds, stamp
from cloudml_vertex.mock.core.world import World

KIND = "LogChunk"
"""The table: one document for each batch that was written, oldest first."""
MOST_ENTRIES = 50_000
MOST_CHARACTERS = 32_000_000
"""Bounds of one project; the oldest batches go first."""


def everywhere(account: str) -> Scope:
    """The scope of what has no location: logs, metrics, alerts, topics of the project with that number."""
    return Scope(account, "global")


def log_name(world: World, account: str, log: str) -> str:
    """`projects/ID/logs/LOG` with LOG percent-encoded, as LogEntry.log_name demands; a full name stays as it is."""
    if log.startswith("projects/"):
        return log
    return f"projects/{world.project_id(account)}/logs/{quote(log, safe='')}"


def write(
    world: World,
    scope: Scope,
    log: str,
    resource: Mapping[str, Any],
    labels: Mapping[str, str] | None,
    lines: Sequence[str | Mapping[str, Any]],
    severity: str = "INFO",
    at: float | None = None,
) -> None:
    """Write one entry for each line: a text, or a mapping (which becomes the JSON payload).

    `log` is the log's id or its full name; `resource` the monitored resource {"type", "labels"}; `at` the time in
    seconds since the epoch, now by the world's clock unless given. Takes the world's lock.
    """
    when = stamp(world.now() if at is None else at)
    common: Document = {
        "log_name": log_name(world, scope.account, log),
        "resource": dict(resource),
        "severity": severity,
        "timestamp": when,
    }
    if labels:
        common["labels"] = dict(labels)
    append(world, scope.account, [{**common, **_payload(line)} for line in lines])


def _payload(line: str | Mapping[str, Any]) -> Document:
    return {"text_payload": line} if isinstance(line, str) else {"json_payload": dict(line)}


def append(world: World, account: str, entries: Sequence[Document]) -> None:
    """Keep complete LogEntry documents as one batch; `insert_id`, `timestamp` and `receive_timestamp` are set where
    they lack. Of entries of one batch with equal log, time and insert id one is kept, as LogEntry.insert_id says.

    Takes the world's lock.
    """
    if not entries:
        return
    with world.lock:
        table = world.table(KIND, everywhere(account))
        book = _book(world, table)
        book.number += 1
        received = stamp(world.now())
        kept: dict[tuple[str, str, str], Document] = {}
        for index, entry in enumerate(entries):
            own = {"insert_id": f"{book.number:x}-{index:x}", "timestamp": received, "receive_timestamp": received}
            full = {**own, **entry}
            full["_at"] = seconds(full["timestamp"])
            kept.setdefault((full["log_name"], full["timestamp"], full["insert_id"]), full)
        batch = list(kept.values())
        size = len(json.dumps(batch))
        table.put(f"{book.number:012d}", {"entries": batch, "size": size})
        book.add(len(batch), size)
        _bound(table, book)


def read(world: World, scope: Scope) -> list[Document]:
    """Every entry of the scope's project, by time, in the order of writing where times are equal.

    `_at` is the time in seconds since the epoch. Do not change the documents.
    """
    with world.lock:
        chunks = [chunk["entries"] for chunk in world.table(KIND, everywhere(scope.account))]
    found = [entry for chunk in chunks for entry in chunk]
    found.sort(key=lambda entry: float(entry["_at"]))
    return found


def delete(world: World, account: str, name: str) -> int:
    """Forget the entries of the log with that full name; returns how many there were. Takes the world's lock."""
    gone = 0
    with world.lock:
        table = world.table(KIND, everywhere(account))
        book = _book(world, table)
        for key, chunk in table.items():
            left = [entry for entry in chunk["entries"] if entry["log_name"] != name]
            if len(left) == len(chunk["entries"]):
                continue
            gone += len(chunk["entries"]) - len(left)
            book.add(-len(chunk["entries"]), -chunk["size"])
            if left:
                size = len(json.dumps(left))
                table.put(key, {"entries": left, "size": size})
                book.add(len(left), size)
            else:
                table.delete(key)
    return gone


@dataclass
class _Book:
    """What one project's log holds: the newest batch's number, entries, characters."""

    number: int = 0
    entries: int = 0
    characters: int = 0

    def add(self, entries: int, characters: int) -> None:
        self.entries += entries
        self.characters += characters

    def full(self) -> bool:
        """Whether the oldest must go."""
        return self.entries > MOST_ENTRIES or self.characters > MOST_CHARACTERS


def _book(world: World, table: Table) -> _Book:
    """Counted once from what the store holds, then carried along."""
    room = f"entries:{table.scope.account}"
    book: _Book | None = world.rooms.get(room)
    if book is None:
        book = world.rooms[room] = _Book()
        for key, chunk in table.items():
            book.number = max(book.number, int(key))
            book.add(len(chunk["entries"]), chunk["size"])
    return book


def _bound(table: Table, book: _Book) -> None:
    """Drop the oldest batches while there is too much."""
    if not book.full():
        return
    for key, chunk in table.items()[:-1]:
        table.delete(key)
        book.add(-len(chunk["entries"]), -chunk["size"])
        if not book.full():
            return
