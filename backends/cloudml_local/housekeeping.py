"""gc: what no run, cache entry or model version needs any more, and, when asked, what is damaged."""

from __future__ import annotations

import json
from pathlib import Path

from cloudml.backend.records import Collected
from cloudml_local.state.bundles import Bundles, bundle_files, bundle_name
from cloudml_local.state.database import Database
from cloudml_local.state.locks import holder
from cloudml_local.state.store import Store, remove


def collect(database: Database, store: Store, state: Path, keep_runs: int, dry_run: bool, verify: bool) -> Collected:
    """Keep the newest `keep_runs` runs of each pipeline, whatever is active, and every registered model.

    Raises nothing for objects that vanish meanwhile. While a run is active its objects are kept, known or not yet.
    """
    active = any(holder(lock) is not None for lock in (state / "runs").glob("*/lock"))
    old = _old_runs(database, state, keep_runs)
    corrupt = [digest for digest in store.digests() if not store.verify(digest)] if verify else []
    if not dry_run:
        _forget(database, state, old)
        _forget_objects(database, corrupt)
        Bundles(state / "bundles").collect(_bundles(database))
    needed = _needed(database, set(old))
    removed = size = 0
    for digest in list(store.digests()):
        if digest in corrupt or (digest not in needed and not active):
            removed += 1
            size += _size(store.path(digest)) if dry_run else store.discard(digest)
    return Collected(removed, size, len(old), tuple(corrupt), dry_run)


def _old_runs(database: Database, state: Path, keep: int) -> list[str]:
    rows = database.rows("SELECT id, pipeline FROM runs ORDER BY seq DESC")
    kept: dict[str, int] = {}
    old = []
    for row in rows:
        kept[row["pipeline"]] = kept.get(row["pipeline"], 0) + 1
        if kept[row["pipeline"]] > keep and holder(state / "runs" / row["id"] / "lock") is None:
            old.append(row["id"])
    return old


def _forget(database: Database, state: Path, runs: list[str]) -> None:
    for run in runs:
        with database.transaction():
            for table, column in (("tasks", "run"), ("trials", "run"), ("cache", "run"), ("runs", "id")):
                database.execute(f"DELETE FROM {table} WHERE {column} = ?", run)  # noqa: S608
        remove(state / "runs" / run)
    database.execute("DELETE FROM documents WHERE digest NOT IN (SELECT document FROM runs)")


def _forget_objects(database: Database, digests: list[str]) -> None:
    for digest in digests:
        database.execute("DELETE FROM cache WHERE instr(outputs, ?) > 0", digest)


def _needed(database: Database, without: set[str]) -> set[str]:
    needed: set[str] = set()
    for table in ("tasks", "cache"):
        for row in database.rows(f"SELECT run, outputs FROM {table}"):  # noqa: S608
            if row["run"] not in without:
                needed.update(output["digest"] for output in json.loads(row["outputs"]).values())
    unfinished = (
        "SELECT trials.outputs, trials.run FROM trials JOIN runs ON runs.id = trials.run WHERE status != 'succeeded'"
    )
    for row in database.rows(unfinished):
        if row["run"] not in without:
            needed.update(output["digest"] for output in json.loads(row["outputs"]).values())
    for row in database.rows("SELECT body FROM models"):
        needed.add(json.loads(row["body"])["digest"])
    return needed


def _bundles(database: Database) -> set[str]:
    """The code of every run that is left and of every model version."""
    needed = {json.loads(row["body"])["bundle"] for row in database.rows("SELECT body FROM models")}
    for row in database.rows("SELECT body FROM documents"):
        needed.add(bundle_name(bundle_files(json.loads(row["body"]))))
    return needed


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size if path.exists() else 0
