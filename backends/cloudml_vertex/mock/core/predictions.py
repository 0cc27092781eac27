"""Requests that endpoints answered, one row for each instance: what model monitoring analyses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudml.mocks.store import Document, Scope, Table
from cloudml_vertex.mock.core.names import parse
from cloudml_vertex.mock.core.world import World

KIND = "PredictionChunk"
MOST_ROWS = 100_000
"""Rows of one deployed model that are kept; the oldest go first."""
_CHUNK = 50
"""Rows of a document: a put writes all of them."""


@dataclass(frozen=True)
class Logged:
    """One instance with its prediction; `at` in seconds since the epoch."""

    endpoint: str
    deployed_model_id: str
    instance: Any
    prediction: Any
    at: float


def record(
    world: World, endpoint: str, deployed_model_id: str, instance: Any, prediction: Any, at: float | None = None
) -> None:
    """Keep one instance and its prediction (JSON values). `endpoint` is the full name. Takes the world's lock.

    `at`: seconds since the epoch, now by the world's clock unless given; times of one deployed model never run back.
    Raises GoogleError for a name that is no endpoint's.
    """
    row = [world.now() if at is None else at, instance, prediction]
    with world.lock:
        table = _table(world, endpoint)
        key, chunk = _open_chunk(world, table, endpoint, deployed_model_id)
        chunk["rows"].append(row)
        table.put(key, chunk)


def read(
    world: World,
    endpoint: str,
    deployed_model_id: str | None = None,
    start: float | None = None,
    end: float | None = None,
) -> list[Logged]:
    """What was logged from `start` until before `end` (seconds since the epoch), oldest first. Takes the world's lock.

    Of every deployed model of the endpoint unless one is named.
    """
    first = float("-inf") if start is None else start
    last = float("inf") if end is None else end
    with world.lock:
        chunks = [chunk for chunk in _table(world, endpoint) if _belongs(chunk, endpoint, deployed_model_id)]
        found = [
            Logged(endpoint, chunk["deployed_model_id"], instance, prediction, at)
            for chunk in chunks
            for at, instance, prediction in chunk["rows"]
            if first <= at < last
        ]
    found.sort(key=lambda row: row.at)
    return found


def _belongs(chunk: Document, endpoint: str, deployed_model_id: str | None) -> bool:
    return chunk["endpoint"] == endpoint and deployed_model_id in {None, chunk["deployed_model_id"]}


def _table(world: World, endpoint: str) -> Table:
    project, location, _ = parse(endpoint, "projects/*/locations/*/endpoints/*")
    return world.table(KIND, Scope(project, location))


def _open_chunk(world: World, table: Table, endpoint: str, deployed: str) -> tuple[str, Document]:
    """The chunk that takes the next row; the oldest is dropped when there are too many. Needs the lock."""
    room = f"predictions:{endpoint}/{deployed}"
    numbers: list[int] | None = world.rooms.get(room)
    if numbers is None:
        kept = [int(chunk["number"]) for chunk in table if _belongs(chunk, endpoint, deployed)]
        numbers = world.rooms[room] = sorted(kept)
    name = f"{endpoint}/{deployed}#"
    chunk = table.get(f"{name}{numbers[-1]}") if numbers else None
    if chunk is None or len(chunk["rows"]) >= _CHUNK:
        number = numbers[-1] + 1 if numbers else 1
        numbers.append(number)
        chunk = {"endpoint": endpoint, "deployed_model_id": deployed, "number": number, "rows": []}
    if len(numbers) > MOST_ROWS // _CHUNK:
        table.delete(f"{name}{numbers.pop(0)}")
    return f"{name}{chunk['number']}", chunk
