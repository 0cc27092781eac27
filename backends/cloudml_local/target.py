"""The target's settings: where the state lies, how many cores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloudml.backend.port import Target
from cloudml.errors import ProjectError

SETTINGS = {
    "state": "directory of the local state, relative to the project (default: .cloudml)",
    "parallel": "cores to use at once (default: all)",
}


@dataclass(frozen=True)
class LocalTarget:
    """Where the local backend keeps its state, and how many cores a run may use (None: all)."""

    state: Path
    parallel: int | None


def read_target(target: Target) -> LocalTarget:
    """Raises ProjectError for a setting that is unknown or of another type."""
    where = f"cloudml.toml [targets.{target.name}]"
    for name in target.settings:
        if name not in SETTINGS:
            raise ProjectError(f"unknown setting {name!r}", where=where, hint=f"the settings are {', '.join(SETTINGS)}")
    state = target.settings.get("state", ".cloudml")
    parallel = target.settings.get("parallel")
    if not isinstance(state, str) or not state:
        raise ProjectError("state must be a path", where=where)
    if parallel is not None and (not isinstance(parallel, int) or isinstance(parallel, bool) or parallel < 1):
        raise ProjectError("parallel must be a whole number of at least 1", where=where)
    return LocalTarget((target.root / state).resolve(), parallel)
