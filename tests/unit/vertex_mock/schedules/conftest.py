"""A world without servers and with a held clock, in which schedules fire and the pipelines are a record of calls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloudml.mocks.bus import Bus
from cloudml.mocks.clock import HeldClock
from cloudml.mocks.faults import Faults
from cloudml.mocks.images import ImageMap
from cloudml.mocks.sandbox import open_sandbox
from cloudml.mocks.store import Scope, Store
from cloudml.mocks.switches import Switches
from cloudml.mocks.workers import Workers
from cloudml_vertex.mock import schedules
from cloudml_vertex.mock.core import container, lro
from cloudml_vertex.mock.core.doubts import SWITCHES
from cloudml_vertex.mock.core.errors import GoogleError, invalid
from cloudml_vertex.mock.core.faultkinds import KINDS
from cloudml_vertex.mock.core.operations import OPERATIONS, Call, Operation
from cloudml_vertex.mock.core.world import World

HERE = Scope("123456789", "us-central1")
PARENT = "projects/123456789/locations/us-central1"


class Bench:
    """A world at `start`, the times at which pipelines were started, and their names."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.now = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
        self.started: list[str] = []
        self.jobs: list[str] = []
        self.refuse = ""
        name = "PipelineService.CreatePipelineJob"
        patch.setitem(OPERATIONS, name, Operation(name, self._create))
        self.world = self.open()

    def open(self) -> World:
        clock = HeldClock(self.now)
        world = World(
            store=Store(self.folder / "state.db"),
            clock=clock,
            bus=Bus(clock),
            workers=Workers(clock, 4),
            faults=Faults(KINDS),
            switches=Switches(SWITCHES),
            images=ImageMap((), container.rules()),
            sandbox=open_sandbox("auto"),
            folder=self.folder,
        )
        world.rooms["pipeline-requests"] = self._check
        schedules.install(world)
        lro.resume(world)
        world.bus.start()
        return world

    def close(self) -> None:
        world = self.world
        self.now = world.clock.now()
        world.closing.set()
        world.clock.close()
        world.workers.close()
        world.sandbox.close()
        world.workers.join(10)
        world.bus.close()
        with world.lock:
            world.store.close()

    def call(self, method: str, version: str = "v1", **params: Any) -> dict[str, Any]:
        return self.world.call(HERE, f"ScheduleService.{method}", params, version)

    def create(self, **schedule: Any) -> str:
        base = {
            "display_name": "nightly",
            "cron": "0 * * * *",
            "max_concurrent_run_count": 1,
            "create_pipeline_job_request": {"parent": PARENT, "pipeline_job": {"display_name": "run"}},
        }
        return str(self.call("CreateSchedule", schedule={**base, **schedule})["name"])

    def get(self, name: str) -> dict[str, Any]:
        return self.call("GetSchedule", name=name)

    def hours(self, count: float) -> None:
        self.world.clock.advance(count * 3600)  # type: ignore[attr-defined]

    def end(self, job: str) -> None:
        """A job that was started ends well."""
        with self.world.lock:
            self.world.change(self.world.table("PipelineJob", HERE), job, "state", "PIPELINE_STATE_SUCCEEDED")
        self.world.clock.advance(0)  # type: ignore[attr-defined]

    def _check(self, world: World, scope: Scope, request: dict[str, Any]) -> dict[str, Any]:
        if request["pipeline_job"].get("display_name") == "bad":
            raise invalid("a bad spec")
        return request

    def _create(self, call: Call) -> dict[str, Any]:
        if self.refuse:
            raise GoogleError("RESOURCE_EXHAUSTED", self.refuse)
        name = f"{PARENT}/pipelineJobs/run-{len(self.jobs) + 1}"
        self.jobs.append(name)
        self.started.append(call.stamp)
        document = {"name": name, "state": "PIPELINE_STATE_RUNNING", **call.world.rooms["_schedule"]}
        return call.table("PipelineJob").put(name, document)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Schedules, at 10:00 UTC on 24 November 2026."""
    made = Bench(tmp_path, monkeypatch)
    yield made
    made.close()
