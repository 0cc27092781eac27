"""The mock's world: what every handler and every room works with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudml.mocks.store import Scope
from cloudml.mocks.world import BaseWorld
from cloudml_vertex.mock.core.times import stamp

_GLOBAL = Scope("", "")


@dataclass(kw_only=True)
class World(BaseWorld):
    """One mock of Google Cloud. A scope's account is a project's number, its region a location."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """The variables by which Google's clients find the mock; jobs get them too."""

    @property
    def gcs(self) -> Path:
        """Where the objects of Cloud Storage lie: bucket B is the folder B here, and /gcs/B in a job."""
        return self.folder / "gcs"

    def stamp(self) -> str:
        """The clock's time as documents have it."""
        return stamp(self.now())

    def call(self, scope: Scope, rpc: str, params: dict[str, Any], version: str = "v1") -> dict[str, Any]:
        """Call an RPC ("JobService.CreateCustomJob") as Google's own services do: validated and handled like any
        request, no faults of the API.

        Raises GoogleError.
        """
        from cloudml_vertex.mock.core.dispatch import call

        return call(self, scope, rpc, params, version)

    def project_number(self, project: str) -> str:
        """The number of a project; one that is a number already is its own. Every project exists."""
        if project.isascii() and project.isdigit():
            return project
        number = str(10**11 + int.from_bytes(hashlib.sha256(project.encode()).digest()[:8], "big") % (9 * 10**11))
        table = self.store.table("_project", _GLOBAL)
        if number not in table:
            with self.lock:
                table.put(number, {"id": project})
        return number

    def project_id(self, number: str) -> str:
        """The id by which the project of a number was called first; the number itself when it never was."""
        row = self.store.table("_project", _GLOBAL).get(number)
        return str(row["id"]) if row is not None else number
