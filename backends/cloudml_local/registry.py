"""The model registry: versions with lineage, approval, aliases, and the record of who decided what."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from cloudml.backend.records import ModelVersion
from cloudml.errors import NotFound, Refused
from cloudml_local.state.database import dumps
from cloudml_local.state.journal import Journal, now
from cloudml_local.state.store import Store


class Registry:
    """Speaks `cloudml.backend.port.Models`."""

    def __init__(self, journal: Journal, store: Store, bundles: Path) -> None:
        self._bundles = bundles
        self._journal = journal
        self._database = journal.database
        self._store = store

    def register(self, model: str, body: dict[str, Any], approval: str) -> ModelVersion:
        """A new version, or the existing one when the same artifact was registered with the same evidence before."""
        identity = {name: body[name] for name in ("digest", "metrics", "predictor", "predictor_code")}
        origin = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        with self._database.transaction():
            row = self._database.row("SELECT version FROM models WHERE model = ? AND origin = ?", model, origin)
            if row is not None:
                version = int(row["version"])
            else:
                last = self._database.row("SELECT coalesce(max(version), 0) AS last FROM models WHERE model = ?", model)
                assert last is not None
                version = int(last["last"]) + 1
                stored = dumps({**body, "created_at": now()})
                self._database.execute(
                    "INSERT INTO models VALUES (?, ?, ?, ?, ?)", model, version, origin, stored, approval
                )
        return self.get(model, version)

    def list(self, model: str | None = None) -> list[ModelVersion]:
        where, values = ("WHERE model = ?", (model,)) if model else ("", ())
        rows = self._database.rows(f"SELECT * FROM models {where} ORDER BY model, version DESC", *values)  # noqa: S608
        return [self._record(row) for row in rows]

    def get(self, model: str, version: int | None = None, alias: str | None = None) -> ModelVersion:
        if version is None:
            version = self._version_of(model, alias)
        row = self._database.row("SELECT * FROM models WHERE model = ? AND version = ?", model, version)
        if row is None:
            known = [str(one.version) for one in self.list(model)]
            hint = f"its versions are {', '.join(known)}" if known else self._known()
            raise NotFound(f"there is no version {version} of model {model!r}", hint=hint)
        return self._record(row)

    def _version_of(self, model: str, alias: str | None) -> int:
        if alias is None:
            row = self._database.row("SELECT max(version) AS version FROM models WHERE model = ?", model)
        else:
            row = self._database.row("SELECT version FROM aliases WHERE model = ? AND alias = ?", model, alias)
        if row is None or row["version"] is None:
            what = (
                f"no version of model {model!r} bears the alias {alias!r}" if alias else f"there is no model {model!r}"
            )
            raise NotFound(what, hint=self._known())
        return int(row["version"])

    def _known(self) -> str:
        names = [row["model"] for row in self._database.rows("SELECT DISTINCT model FROM models ORDER BY model")]
        return f"the registered models are {', '.join(names)}" if names else "no model is registered yet"

    def metric(self, model: str, alias: str, metric: str) -> float | None:
        try:
            found = self.get(model, alias=alias)
        except NotFound:
            return None
        return found.metrics.get(metric)

    def body(self, model: str, version: int) -> dict[str, Any]:
        """What is stored of a version: artifact, format, predictor, sample, features."""
        row = self._database.row("SELECT body FROM models WHERE model = ? AND version = ?", model, version)
        if row is None:
            raise NotFound(f"there is no version {version} of model {model!r}")
        body: dict[str, Any] = json.loads(row["body"])
        return body

    def decide(self, model: str, version: int, approved: bool, who: str, reason: str) -> ModelVersion:
        self.get(model, version)
        word = "approved" if approved else "rejected"
        with self._database.transaction():
            self._database.execute(
                "UPDATE models SET approval = ? WHERE model = ? AND version = ?", word, model, version
            )
            self._journal.decide(f"{model}/{version}", word, who, reason)
        return self.get(model, version)

    def promote(self, model: str, version: int, alias: str, who: str, reason: str) -> ModelVersion:
        found = self.get(model, version)
        if found.approval != "approved":
            raise Refused(
                f"{model}/{version} is {found.approval}: only an approved version may bear an alias",
                hint=f"cloudml approve {model}/{version} --reason …",
            )
        if alias in found.aliases:
            return found
        with self._database.transaction():
            self._database.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", model, alias, version)
            self._journal.decide(f"{model}/{version}", f"promoted to {alias}", who, reason)
        return self.get(model, version)

    def export(self, model: str, version: int, folder: Path) -> ModelVersion:
        from cloudml_local.transfer import lay_down

        found = self.get(model, version)
        lay_down(found, self.body(model, version), self._store, self._bundles, folder)
        return found

    def adopt(self, folder: Path, who: str, reason: str) -> ModelVersion:
        from cloudml_local.transfer import take_up

        sent = take_up(folder, self._store, self._bundles)
        found = self.register(sent.model, sent.body, "approved")
        if any(one["action"].startswith("adopted") for one in found.decisions):
            return found
        with self._database.transaction():
            for one in sent.decisions:
                self._journal.carry(f"{found.model}/{found.version}", one)
            self._journal.decide(f"{found.model}/{found.version}", f"adopted from {sent.origin}", who, reason)
        return self.get(found.model, found.version)

    def _record(self, row: Any) -> ModelVersion:
        model, version = row["model"], row["version"]
        body = json.loads(row["body"])
        aliases = self._database.rows(
            "SELECT alias FROM aliases WHERE model = ? AND version = ? ORDER BY alias", model, version
        )
        return ModelVersion(
            model=model, version=version, digest=body["digest"], approval=row["approval"],
            aliases=tuple(one["alias"] for one in aliases), metrics=body["metrics"], run=body["run"], step=body["step"],
            code=body["code"], data=body["data"], parameters=body["parameters"], created_at=body["created_at"],
            path=str(self._store.path(body["digest"])), summary=body["summary"],
            decisions=tuple(self._journal.decisions(f"{model}/{version}")), sample=tuple(body["sample"] or ()),
        )  # fmt: skip
