"""A world without servers, in which rooms of long jobs stand, and what their tests do with it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from cloudml.mocks.bus import Bus, Change
from cloudml.mocks.clock import HeldClock
from cloudml.mocks.faults import Faults
from cloudml.mocks.images import ImageMap
from cloudml.mocks.sandbox import open_sandbox
from cloudml.mocks.store import Scope, Store
from cloudml.mocks.switches import Switches
from cloudml.mocks.workers import Workers
from cloudml_vertex.mock import jobs, tuning
from cloudml_vertex.mock.core import container, gcs, lro
from cloudml_vertex.mock.core.doubts import SWITCHES
from cloudml_vertex.mock.core.faultkinds import KINDS
from cloudml_vertex.mock.core.world import World

HERE = Scope("123456789", "us-central1")


KINDS_BY_COLLECTION = {
    "customJobs": "CustomJob",
    "hyperparameterTuningJobs": "HyperparameterTuningJob",
    "batchPredictionJobs": "BatchPredictionJob",
}


class Bench:
    """A world and what tests do with it."""

    rooms: ClassVar[tuple[ModuleType, ...]] = (jobs, tuning)
    images: ClassVar[tuple[str, ...]] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sandbox = open_sandbox("auto")
        self.changed = threading.Condition()
        self.seen: list[tuple[str, str]] = []
        self.world = self.open()
        gcs.make_bucket(self.world, "bucket")

    def open(self) -> World:
        clock = HeldClock()
        world = World(
            store=Store(self.folder / "state.db"),
            clock=clock,
            bus=Bus(clock),
            workers=Workers(clock, 8),
            faults=Faults(KINDS),
            switches=Switches(SWITCHES),
            images=ImageMap(self.images, container.rules()),
            sandbox=self.sandbox,
            folder=self.folder,
            environment={"STORAGE_EMULATOR_HOST": "http://127.0.0.1:9"},
        )
        for room in self.rooms:
            room.install(world)
        lro.resume(world)
        world.bus.subscribe(self._note, *KINDS_BY_COLLECTION.values())
        world.bus.start()
        return world

    def _note(self, change: Change) -> None:
        with self.changed:
            self.seen.append((change.name, change.after))
            self.changed.notify_all()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.world.call(HERE, f"JobService.{method}", params)

    def create(self, **spec: Any) -> str:
        job = {"display_name": spec.pop("display_name", "job"), "labels": spec.pop("labels", {}), "job_spec": spec}
        return str(self.call("CreateCustomJob", custom_job=job)["name"])

    def run(self, script: str, **spec: Any) -> dict[str, Any]:
        """The document of a job that ran the script to its end."""
        return self.ended(self.create(worker_pool_specs=[pool(script)], **spec))

    def ended(self, name: str) -> dict[str, Any]:
        return self.state(name, "SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")

    def state(self, name: str, *states: str) -> dict[str, Any]:
        """The job once it was told to be in one of these states."""
        wanted = {(name, f"JOB_STATE_{state}") for state in states}
        with self.changed:
            assert self.changed.wait_for(lambda: wanted & set(self.seen), 20), self.seen
        return self.call(f"Get{KINDS_BY_COLLECTION[name.split('/')[-2]]}", name=name)

    def advance(self, seconds: float) -> None:
        """Move time on, with little patience for processes that run."""
        clock = self.world.clock
        assert isinstance(clock, HeldClock)
        clock.advance(seconds, patience=0.2)

    def states(self, name: str) -> list[str]:
        """Every state that the job was in, in order."""
        return [state.removeprefix("JOB_STATE_") for one, state in self.seen if one == name]

    def arm(self, rule: str) -> None:
        """Arm a fault by its text."""
        self.world.faults.add(self.world.faults.parse(rule))

    def text(self, path: str) -> str:
        """A file of the bucket."""
        return (self.world.gcs / "bucket" / path).read_text()

    def wait_for(self, path: str) -> str:
        """A file of the bucket, once it is there."""
        limit = time.monotonic() + 20
        while not (self.world.gcs / "bucket" / path).exists():
            assert time.monotonic() < limit, path
            time.sleep(0.02)
        return self.text(path)

    def close(self) -> None:
        world = self.world
        world.closing.set()
        world.clock.close()
        world.workers.close()
        self.sandbox.close()
        world.workers.join(10)
        world.bus.close()
        world.store.close()

    def reopen(self) -> None:
        """As if the mock had been killed and started again: nothing is told to the old world any more."""
        old = self.world
        old.closing.set()
        old.workers.close()
        self.sandbox.close()
        old.workers.join(10)
        old.clock.close()
        old.bus.close()
        old.store.close()
        self.seen.clear()
        self.sandbox = open_sandbox("auto")
        self.world = self.open()


def pool(script: str, **more: Any) -> dict[str, Any]:
    """A worker pool of one machine that runs the script."""
    return {
        "machine_spec": {"machine_type": "n1-standard-4"},
        "replica_count": 1,
        "container_spec": {"image_uri": "alpine", "command": ["sh", "-c"], "args": [script]},
        **more,
    }
