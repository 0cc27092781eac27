"""Local endpoints behind the port's words, and what a model version needs to be served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.backend.records import EndpointRecord, Invocation, ModelVersion
from cloudml.errors import CorruptArtifact, NotFound
from cloudml.runtime.digest import matches

if TYPE_CHECKING:
    from cloudml_local.endpoint.deployment import Deployment, EndpointStatus
    from cloudml_local.endpoint.manager import EndpointManager
    from cloudml_local.registry import Registry
    from cloudml_local.state.journal import Journal
    from cloudml_local.state.store import Store


def deployment_of(
    registry: Registry, store: Store, found: ModelVersion, settings: dict[str, Any], bundles: Path
) -> dict[str, Any]:
    """What an endpoint is asked to serve, as JSON: the version's artifact and predictor, the spec's settings."""
    body = registry.body(found.model, found.version)
    return {
        "model": found.model,
        "version": found.version,
        "digest": found.digest,
        "model_path": str(store.path(found.digest)),
        "predictor": body["predictor"],
        "project": str(bundles / body["bundle"]),
        "sample": body["sample"],
        "environment": [[one["name"], one["value"]] for one in settings["environment"]],
        "request_timeout": settings["request_timeout"],
        "copies": max(1, settings["scaling"]["minimum"]),
        "features": settings["features"],
    }


def from_json(document: dict[str, Any]) -> Deployment:
    """The inverse, in the process that deploys."""
    from cloudml_local.endpoint.deployment import Deployment

    return Deployment.from_dict(document)


class LocalEndpoints:
    """Speaks `cloudml.backend.port.Endpoints`."""

    def __init__(self, state: Path, journal: Journal) -> None:
        self._state = state
        self._journal = journal
        self._opened: EndpointManager | None = None

    @property
    def _manager(self) -> EndpointManager:
        if self._opened is None:
            from cloudml_local.endpoint.manager import EndpointManager

            self._opened = EndpointManager(self._state)
        return self._opened

    def list(self) -> list[EndpointRecord]:
        return [_record(status) for status in self._manager.list()]

    def get(self, name: str) -> EndpointRecord:
        return _record(self._status(name))

    def _status(self, name: str) -> EndpointStatus:
        status = self._manager.status(name)
        if status is None:
            names = ", ".join(one.name for one in self._manager.list())
            hint = f"the endpoints are {names}" if names else "nothing is deployed yet: `cloudml deploy`"
            raise NotFound(f"there is no endpoint {name!r}", hint=hint)
        return status

    def invoke(self, name: str, body: bytes, content_type: str, timeout: float = 60.0) -> Invocation:
        self._status(name)
        status, headers, answer = self._manager.invoke(name, body, content_type, timeout)
        lower = {key.lower(): value for key, value in headers.items()}
        return Invocation(status, lower.get("content-type", ""), answer, lower.get("x-cloudml-model-version"))

    def stop(self, name: str) -> EndpointRecord:
        self._status(name)
        self._manager.stop(name)
        return self.get(name)

    def start(self, name: str) -> EndpointRecord:
        self._status(name)
        self._manager.start(name)
        return self.get(name)

    def rollback(self, name: str, who: str, reason: str) -> EndpointRecord:
        self._status(name)
        before = self._manager.previous(name)
        place = Path(before.model_path)
        if not place.exists() or not matches(place, before.digest):
            raise CorruptArtifact(
                f"the model of {before.model}/{before.version} is gone or damaged; {name} stays as it is",
                where=str(place),
                hint="deploy a version whose artifact is whole",
            )
        record = _record(self._manager.deploy(name, before))
        self._journal.decide(f"{before.model}/{before.version}", f"rolled back to on {name}", who, reason)
        return record

    def logs(self, name: str) -> Iterator[str]:
        self._status(name)
        with open(self._manager.logs(name), encoding="utf-8", errors="replace") as file:
            yield from (line.rstrip("\n") for line in file)


def _record(status: EndpointStatus) -> EndpointRecord:
    return EndpointRecord(
        name=status.name, url=status.url, status=status.status, model=status.model, version=status.version,
        digest=status.digest, deployment=status.deployment_id, error=status.error, counters=dict(status.counters),
    )  # fmt: skip
