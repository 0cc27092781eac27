"""What was deployed here, against what shall be: observe, apply, destroy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from cloudml.backend.records import Destroyed, Removed
from cloudml.errors import CloudmlError, Refused
from cloudml.plan import Observed, Plan, Resource, desired_state, state_of
from cloudml_local.endpoint.manager import EndpointManager
from cloudml_local.endpoint.paths import endpoint_names
from cloudml_local.state.database import Database, dumps
from cloudml_local.state.locks import holder
from cloudml_local.state.store import remove

DEFERRED = frozenset({"endpoint"})
"""A run's deploy step brings an endpoint into service."""

_KEPT = ("objects", "bundles", "runs", "state.db", "state.db-wal", "state.db-shm", "outbox.jsonl")
"""Data, models, logs: below the state's folder."""

_WORKING = ("endpoints", "workers.log")
"""What else lies there and is ours; the kept builds of `prepared` and `seen` belong to the project, not to a target."""


def observe(database: Database, state: Path, resources: Sequence[Resource]) -> list[Observed]:
    """Of these resources those that were applied; an endpoint only once it was deployed to."""
    rows = {(row["kind"], row["name"]): row for row in database.rows("SELECT * FROM resources")}
    deployed = set(endpoint_names(state))
    found = []
    for one in resources:
        row = rows.get((one.kind, one.name))
        if row is not None and (one.kind not in DEFERRED or one.name in deployed):
            live = Resource(row["kind"], row["name"], json.loads(row["document"]), row["digest"])
            found.append(Observed(live, live))
    return found


def apply(database: Database, state: Path, resources: Sequence[Resource], plan: Plan) -> None:
    """Write down what is desired, in one transaction. Raises Refused (CML530)."""
    with database.transaction():
        if state_of(observe(database, state, resources)) != plan.base or desired_state(resources) != plan.desired:
            raise Refused("the plan is stale: something was applied since", code="CML530", hint="plan again")
        for one in resources:
            database.execute(
                "INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?)",
                one.kind,
                one.name,
                one.digest,
                dumps(one.document),
            )


def destroy(database: Database, state: Path, dry_run: bool, keep_data: bool) -> Destroyed:
    """End the endpoints, forget what was applied, remove what the runs left; with `keep_data` only that.

    Raises Refused while a run is going on.
    """
    for lock in sorted((state / "runs").glob("*/lock")):
        if holder(lock) is not None:
            run = lock.parent.name
            raise Refused(f"{run} is running", hint=f"cloudml stop {run}")
    used = any(database.row(f"SELECT 1 FROM {table} LIMIT 1") for table in ("runs", "models"))  # noqa: S608
    removed = [*_endpoints(state, dry_run), *_applied(database, dry_run)]
    if not dry_run and not keep_data:
        database.close()
    folders = list(_folders(state, _WORKING if keep_data else (*_WORKING, *_KEPT), dry_run))
    removed += [one for one in folders if used or one.problem]  # an empty state is made by whoever looks at it
    kept = ("models, artifacts, logs and the records of runs: --keep-data",) if keep_data else ()
    return Destroyed(tuple(removed), kept, dry_run)


def _endpoints(state: Path, dry_run: bool) -> Iterator[Removed]:
    manager = EndpointManager(state)
    for name in endpoint_names(state):
        problem = ""
        if not dry_run:
            try:
                manager.delete(name)
            except CloudmlError as error:
                problem = error.message
        yield Removed("endpoint", name, problem)


def _applied(database: Database, dry_run: bool) -> Iterator[Removed]:
    for row in database.rows("SELECT kind, name FROM resources ORDER BY kind, name"):
        if row["kind"] not in DEFERRED:
            yield Removed(row["kind"], row["name"])
    if not dry_run:
        database.execute("DELETE FROM resources")


def _folders(state: Path, names: Sequence[str], dry_run: bool) -> Iterator[Removed]:
    for name in names:
        path = state / name
        if not path.exists() and not path.is_symlink():
            continue
        problem = ""
        if not dry_run:
            try:
                remove(path)
            except OSError as error:
                problem = error.strerror or str(error)
        if not name.startswith("state.db-"):  # parts of the database, told with it
            yield Removed("state", name, problem)
