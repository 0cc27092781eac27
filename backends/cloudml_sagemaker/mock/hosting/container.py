"""One container of a model: its process under the hosting contract, kept alive, its port spoken to.

The contract (developer guide, "Use Your Own Inference Code with Hosting Services"): the image is run with `serve`,
finds its model at /opt/ml/model, answers GET /ping with 200 within 2 seconds and POST /invocations, both on port 8080;
it is stopped with SIGTERM and 30 seconds later with SIGKILL. A container that ends is started again.
"""

from __future__ import annotations

import http.client
import logging
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudml.mocks.sandbox import Process
from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core import container as base
from cloudml_sagemaker.mock.core import logs
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.hosting import modeldata
from cloudml_sagemaker.mock.hosting.wire import Wire

log = logging.getLogger(__name__)

PORT = 8080
PING_SECONDS = 2.0
STOP_SECONDS = 30.0
_PAUSES = (0.01, 0.01, 0.02, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Real seconds between health checks while a container starts; the last one again and again."""


class StartFailed(Exception):
    """The container `name` never became healthy; the text says why. `refused`: nothing could be run at all."""

    def __init__(self, name: str, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.name = name
        self.refused = refused


@dataclass(frozen=True)
class Place:
    """Where a container's things go: its folder, and its log group and stream."""

    folder: Path
    group: str
    stream: str


@dataclass
class ModelContainer:
    """One container. `start` once, then `wire` while `healthy`; `stop` at the end. Thread-safe."""

    world: World
    scope: Scope
    definition: Document
    name: str
    place: Place
    environment: Mapping[str, str]
    process: Process | None = None
    wire: Wire | None = None
    restarts: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _healthy: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _shipper: logs.Shipper | None = None

    @property
    def root(self) -> Path:
        """The folder that stands at /opt/ml."""
        return self.place.folder / "ml"

    @property
    def healthy(self) -> bool:
        """Whether it answered its last health check and still runs."""
        return self._healthy.is_set()

    def start(self, patience: float) -> None:
        """Fetch the model, start the process, wait at most `patience` real seconds until it is healthy.

        Raises StartFailed, ModelDataFailed. A process that ends before it is healthy is not started again.
        """
        modeldata.fetch(self.world, self.scope, self.definition, self.root / "model")
        (self.place.folder / "log").touch()
        self._shipper = logs.ship(
            self.world, self.scope, self.place.group, self.place.stream, self.place.folder / "log"
        )
        self._launch()
        self._await_health(patience)
        threading.Thread(target=self._keep, name=f"mock-serve-{self.name}", daemon=True).start()

    def stop(self) -> None:
        """SIGTERM, up to 30 real seconds, SIGKILL; then nothing of it is left but its log. May be called twice."""
        self._stopping.set()
        self._healthy.clear()
        with self._lock:
            process, wire, shipper = self.process, self.wire, self._shipper
            self.process = self.wire = self._shipper = None
        if wire is not None:
            wire.close()
        if process is not None:
            process.terminate()
            if process.wait(STOP_SECONDS) is None:
                process.kill()
            process.close()
        if shipper is not None:
            shipper.stop()
        shutil.rmtree(self.place.folder, ignore_errors=True)

    def _launch(self) -> None:
        with self._lock:
            if self._stopping.is_set():
                raise StartFailed(self.name, "the container was stopped")
            try:
                self.process = base.start(
                    self.world,
                    self.scope,
                    image=self.definition["Image"],
                    default=("serve",),
                    env=self.environment,
                    root=self.root,
                    log=self.place.folder / "log",
                    port=PORT,
                )
            except base.ImageRefused as error:
                raise StartFailed(self.name, str(error), refused=True) from error
            self.wire = Wire(self.process)

    def _await_health(self, patience: float) -> None:
        limit = time.monotonic() + patience
        attempt = 0
        while not self._stopping.is_set() and not self.world.closing.is_set():
            process = self.process
            if process is None or process.wait(0) is not None:
                raise StartFailed(self.name, "the container ended before it answered a health check")
            if self.ping():
                self._healthy.set()
                return
            if time.monotonic() >= limit:
                raise StartFailed(self.name, "the container did not answer its health checks in time")
            self._stopping.wait(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            attempt += 1
        raise StartFailed(self.name, "the container was stopped")

    def ping(self) -> bool:
        """GET /ping: 200 within 2 seconds."""
        wire = self.wire
        if wire is None:
            return False
        try:
            return wire.request("GET", "/ping", b"", {}, PING_SECONDS).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def _keep(self) -> None:
        """Start the container again whenever it ends by itself, as AWS does."""
        while not self._stopping.is_set() and not self.world.closing.is_set():
            process = self.process
            if process is None or process.wait(1.0) is None:
                continue
            self._healthy.clear()
            if not self._stopping.is_set() and not self.world.closing.is_set():
                self._again(process)
        wire = self.wire
        if wire is not None:
            wire.close()

    def _again(self, ended: Process) -> None:
        if self.wire is not None:
            self.wire.close()
        ended.close()
        self.restarts += 1
        try:
            self._launch()
            self._await_health(60.0)
        except StartFailed as error:
            log.info("container %s: %s", self.name, error)
            self._stopping.wait(min(5.0, 0.2 * self.restarts))
