"""Fleets of endpoints: what a fleet is in the store, and the processes that stand behind it.

A fleet is the variants of one endpoint configuration, with copies of the configuration and of its models, so that it
outlives their deletion and a restart of the mock. One real process serves a variant, whatever its instance count:
instances are counted, not multiplied.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.hosting import configs, wording
from cloudml_sagemaker.mock.hosting.backlog import Backlog
from cloudml_sagemaker.mock.hosting.capture import Capture
from cloudml_sagemaker.mock.hosting.containers import DEFAULT_PATIENCE, ModelDataFailed, ModelServer, StartFailed
from cloudml_sagemaker.mock.hosting.metrics import Metrics
from cloudml_sagemaker.mock.hosting.models import runnable

log = logging.getLogger(__name__)

SERVERLESS_UNITS = 100
"""A serverless variant has no instances; its traffic moves in percent."""


class FleetFailed(Exception):
    """A fleet cannot serve; the text is the endpoint's FailureReason."""


def fleet(number: int, config: Document, models: dict[str, Document]) -> Document:
    """The fleet of a configuration; `models` by name."""
    rows = configs.variants(config)
    return {
        "Id": str(number),
        "Config": {key: value for key, value in config.items() if not key.startswith("_")},
        "Models": {row["VariantName"]: runnable(models[row["ModelName"]]) for row in rows},
        "Weights": {row["VariantName"]: row.get("InitialVariantWeight", 1.0) for row in rows},
        "Counts": {row["VariantName"]: _count(row) for row in rows},
        "Serverless": {row["VariantName"]: row["ServerlessConfig"] for row in rows if row.get("ServerlessConfig")},
    }


def production(fleet_: Document) -> list[str]:
    """The production variants' names."""
    return [row["VariantName"] for row in fleet_["Config"]["ProductionVariants"]]


def shadows(fleet_: Document) -> list[str]:
    """The shadow variants' names."""
    return [row["VariantName"] for row in fleet_["Config"].get("ShadowProductionVariants") or []]


def counts(fleet_: Document) -> dict[str, int]:
    """Instances of each production variant."""
    return {name: fleet_["Counts"][name] for name in production(fleet_)}


def log_stream(endpoint: str, fleet_: Document, variant: str) -> str:
    """`variant/instance id`; the id is made up, the same after a restart."""
    token = hashlib.sha256(f"{endpoint}/{fleet_['Id']}/{variant}".encode()).hexdigest()[:17]
    return f"{variant}/i-{token}"


def log_group(endpoint: str) -> str:
    """Where the endpoint's containers log."""
    return f"/aws/sagemaker/Endpoints/{endpoint}"


def _count(row: Document) -> int:
    return SERVERLESS_UNITS if row.get("ServerlessConfig") else int(row["InitialInstanceCount"])


_Key = tuple[Scope, str, str, str]


class Hosting:
    """The room's processes and buffers: `world.rooms["hosting"]`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.metrics = Metrics(world)
        self.capture = Capture(world)
        self.patience: float | None = None
        """Real seconds that any container is given to become healthy; None: as its variant says, else four minutes."""
        self.invocation_seconds = 60.0
        """Real seconds that a container has for an answer (developer guide, containers for hosting)."""
        self.backlog = Backlog()
        self._servers: dict[_Key, ModelServer] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._numbers: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()

    def run(self, action: Callable[[], None], name: str) -> None:
        """Real work on a thread of its own; a held clock waits for it. Its failure is logged."""
        work = self.world.clock.begin()

        def body() -> None:
            try:
                action()
            except Exception:
                if not self.world.closing.is_set():
                    log.exception("%s failed inside the mock", name)
            finally:
                work.end()

        threading.Thread(target=body, name=f"mock-{name}", daemon=True).start()

    def server(self, scope: Scope, endpoint: str, fleet_id: str, variant: str) -> ModelServer | None:
        """The processes of one variant, if they are up."""
        return self._servers.get((scope, endpoint, fleet_id, variant))

    def launch(self, scope: Scope, endpoint: str, fleet_: Document) -> None:
        """Start every variant's server and wait for them. Raises FleetFailed; then none of them is left."""
        failures: list[str] = []
        threads = [
            threading.Thread(target=self._start, args=(scope, endpoint, fleet_, variant, failures), daemon=True)
            for variant in fleet_["Models"]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            self.stop(scope, endpoint, fleet_["Id"])
            raise FleetFailed(failures[0])

    def stop(self, scope: Scope, endpoint: str, fleet_id: str | None = None, *, drain: bool = False) -> None:
        """Stop a fleet's processes, or all of the endpoint's; `drain`: requests under way get their answers first."""
        with self._lock:
            keys = [key for key in self._servers if key[:2] == (scope, endpoint) and fleet_id in {None, key[2]}]
            servers = [self._servers.pop(key) for key in keys]
            if fleet_id is None:
                numbers = [key for key in self._numbers if key[:3] == (scope.account, scope.region, endpoint)]
                for number in numbers:
                    del self._numbers[number]
        for server in servers:
            if drain:
                server.drain(self.invocation_seconds)
            server.stop()

    def pool(self) -> ThreadPoolExecutor:
        """Threads for copies to shadows and for asynchronous invocations."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="mock-invoke")
            return self._pool

    def background(self, action: Callable[[], None], name: str) -> None:
        """Run an invocation that nobody waits for; a held clock does. Its failure is logged."""
        work = self.world.clock.begin()

        def body() -> None:
            try:
                if not self.world.closing.is_set():
                    action()
            except Exception:
                log.exception("%s failed inside the mock", name)
            finally:
                work.end()

        self.pool().submit(body)

    def number(self, *key: str) -> int:
        """0, 1, 2... for each key: how traffic is spread evenly."""
        with self._lock:
            found = self._numbers[key] = self._numbers.get(key, -1) + 1
            return found

    def _start(self, scope: Scope, endpoint: str, fleet_: Document, variant: str, failures: list[str]) -> None:
        folder = self.world.folder / "endpoints" / scope.account / scope.region / endpoint / fleet_["Id"] / variant
        server = ModelServer(
            self.world,
            scope,
            fleet_["Models"][variant],
            folder=folder,
            group=log_group(endpoint),
            stream=log_stream(endpoint, fleet_, variant),
        )
        with self._lock:
            self._servers[(scope, endpoint, fleet_["Id"], variant)] = server
        try:
            server.start(_limit(fleet_, variant) if self.patience is None else self.patience)
        except (StartFailed, ModelDataFailed) as error:
            failures.append(_reason(variant, error))
        except Exception as error:
            log.exception("the server of %s/%s cannot be started", endpoint, variant)
            failures.append(f"Request to service failed. {error}")


def _limit(fleet_: Document, variant: str) -> float:
    rows: list[Any] = [row for row in configs.variants(fleet_["Config"]) if row["VariantName"] == variant]
    return float(rows[0].get("ContainerStartupHealthCheckTimeoutInSeconds") or DEFAULT_PATIENCE)


def _reason(variant: str, error: StartFailed | ModelDataFailed) -> str:
    if isinstance(error, ModelDataFailed):
        return f"Failed to download model data for production variant {variant}: {error}"[:1024]
    if error.refused:
        return f"The {error.name} container for production variant {variant} could not be started: {error}"[:1024]
    return wording.not_healthy(variant, error.name)
