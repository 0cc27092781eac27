"""An open local backend: one state directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cloudml.backend.port import Target
from cloudml.backend.records import Collected, Destroyed
from cloudml.plan import Observed, Plan, Resource
from cloudml_local.endpoints import LocalEndpoints
from cloudml_local.registry import Registry
from cloudml_local.runs import LocalRuns
from cloudml_local.state.database import Database
from cloudml_local.state.journal import Journal
from cloudml_local.state.store import Store, store_error
from cloudml_local.target import read_target


class LocalSession:
    """Speaks `cloudml.backend.port.Session`."""

    def __init__(self, state: Path, parallel: int | None = None) -> None:
        try:
            (state / "objects").mkdir(parents=True, exist_ok=True)
            _ignore(state)
        except OSError as error:
            raise store_error(error, state) from error
        self._state = state
        self._database = Database(state / "state.db")
        self._journal = Journal(self._database)
        self._store = Store(state / "objects")
        self.models = Registry(self._journal, self._store, state / "bundles")
        self.runs = LocalRuns(state, self._journal, self._store, self.models, parallel)
        self.endpoints = LocalEndpoints(state, self._journal)

    def observe(self, resources: Sequence[Resource]) -> list[Observed]:
        from cloudml_local.applying import observe

        return observe(self._database, self._state, resources)

    def apply(self, resources: Sequence[Resource], plan: Plan) -> None:
        from cloudml_local.applying import apply

        apply(self._database, self._state, resources, plan)

    def destroy(self, dry_run: bool, keep_data: bool) -> Destroyed:
        from cloudml_local.applying import destroy

        return destroy(self._database, self._state, dry_run, keep_data)

    def collect(self, keep_runs: int, dry_run: bool, verify: bool) -> Collected:
        from cloudml_local.housekeeping import collect

        return collect(self._database, self._store, self._state, keep_runs, dry_run, verify)

    def close(self) -> None:
        self._database.close()


def _ignore(state: Path) -> None:
    """Keep the state out of version control without touching the project's own ignore file."""
    marker = state / ".gitignore"
    if not marker.exists():
        marker.write_text("*\n")


def connect(target: Target) -> LocalSession:
    """Open the state directory of a target, making it when it is not there."""
    place = read_target(target)
    return LocalSession(place.state, place.parallel)
