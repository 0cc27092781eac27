"""The processes behind endpoints, and what is counted of them: `world.rooms["hosting"]`."""

from __future__ import annotations

import logging
import threading
from typing import Any

from cloudml_vertex.mock.core import names, series
from cloudml_vertex.mock.core.errors import GoogleError, resource_exhausted
from cloudml_vertex.mock.core.times import duration
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.hosting import rows
from cloudml_vertex.mock.hosting.server import ModelServer, never_ready, out_of_memory, plan

log = logging.getLogger(__name__)

Document = dict[str, Any]
PATIENCE = 600.0
"""Real seconds that a container is given to become healthy, unless its model says so (`deployment_timeout`)."""
INFERENCE_SECONDS = 60.0
"""Seconds for an answer unless `client_connection_config` says otherwise (Vertex AI, "Get online inferences")."""
_METRICS = "aiplatform.googleapis.com/prediction/online"


class Fleet:
    """Servers by endpoint and deployed id, and the requests that each endpoint has had. Thread-safe."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.patience: float | None = None
        """Real seconds that any container is given; None: as its model says, else ten minutes."""
        self._servers: dict[tuple[str, str], ModelServer] = {}
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()

    def server(self, endpoint: str, identifier: str) -> ModelServer | None:
        """The server of a deployed model; None while there is none."""
        return self._servers.get((endpoint, identifier))

    def number(self, key: str) -> int:
        """0, 1, 2... for each key: how traffic is spread and sampled."""
        with self._lock:
            found = self._numbers[key] = self._numbers.get(key, -1) + 1
            return found

    def launch(self, endpoint: str, identifier: str, serving: Document, display_name: str) -> None:
        """Start the server of a deployed model and wait for it. Raises GoogleError; then nothing of it is left."""
        scope = rows.scope_of(endpoint)
        fault = self.world.faults.strike("endpoint", display_name, endpoint)
        kind = fault.kind if fault is not None else ""
        if kind == "endpoint-capacity":
            raise resource_exhausted(f"Machine type temporarily unavailable in {scope.region}: stockout.")
        if kind == "unhealthy":
            raise never_ready(self.world, scope)
        server = self._new(endpoint, identifier, serving)
        with self._lock:
            before = self._servers.pop((endpoint, identifier), None)
        if before is not None:
            before.stop()
        server.start(self.patience_for(serving["spec"]))
        if kind == "out-of-memory":
            server.stop()
            raise out_of_memory(self.world, scope)
        with self._lock:
            self._servers[(endpoint, identifier)] = server

    def stop(self, endpoint: str, identifier: str) -> None:
        """Stop the server of a deployed model, if there is one."""
        with self._lock:
            server = self._servers.pop((endpoint, identifier), None)
        if server is not None:
            server.stop()

    def close(self) -> None:
        """The mock goes down: the sandbox ends the processes, connections are let go of here."""
        for server in list(self._servers.values()):
            server.close()

    def resume(self, endpoint: str, identifier: str, serving: Document) -> None:
        """Start again what served before the mock was started again."""

        def work() -> None:
            try:
                self.launch(endpoint, identifier, serving, "")
            except GoogleError as error:
                log.warning("%s of %s does not serve any more: %s", identifier, endpoint, error)

        self.world.workers.submit(work, f"{endpoint}/{identifier}")

    def replicas(self, endpoint: str, deployed: Document, count: int) -> None:
        """Note how many replicas there are and should be."""
        for name in ("replicas", "target_replicas"):
            series.add(
                self.world,
                rows.scope_of(endpoint),
                f"{_METRICS}/{name}",
                {"deployed_model_id": deployed["id"]},
                rows.RESOURCE,
                rows.labels_of(endpoint),
                count,
            )

    def patience_for(self, spec: Document) -> float:
        """Real seconds that a container is given to become healthy."""
        if self.patience is not None:
            return self.patience
        limit = spec.get("deployment_timeout")
        return duration(limit) if limit else PATIENCE

    def _new(self, endpoint: str, identifier: str, serving: Document) -> ModelServer:
        endpoint_id = names.id_of(endpoint)
        what = plan(
            self.world,
            f"{endpoint_id}/{identifier}",
            serving["spec"],
            serving["artifacts"],
            endpoint_id=endpoint_id,
            deployed_id=identifier,
            extra=serving["variables"],
        )
        if serving["logging"]:
            resource = {"type": rows.RESOURCE, "labels": rows.labels_of(endpoint)}
            what = type(what)(**{**vars(what), "resource": resource, "labels": {"deployed_model_id": identifier}})
        scope = rows.scope_of(endpoint)
        folder = self.world.folder / "endpoints" / scope.account / scope.region / endpoint_id / identifier
        return ModelServer(self.world, scope, what, folder)


def fleet(world: World) -> Fleet:
    """The room's."""
    found: Fleet = world.rooms["hosting"]
    return found
