"""Model Monitor: job definitions, schedules and executions, which run analysis containers as processing jobs."""

from __future__ import annotations

from pathlib import Path

from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.monitors import alerts as alerts
from cloudml_sagemaker.mock.monitors import definitions as definitions
from cloudml_sagemaker.mock.monitors import executions as executions
from cloudml_sagemaker.mock.monitors import metrics, running, schedules


def install(world: World) -> None:
    """Follow processing jobs, and go on with schedules and executions of a store from before."""

    def left(scope: Scope, job: str, roots: list[Path]) -> None:
        metrics.publish(world, scope, job, roots)

    world.rooms.setdefault("processing-left", []).append(left)
    world.bus.subscribe(lambda change: running.follow(world, change), "ProcessingJob")
    with world.lock:
        schedules.resume(world)
        running.resume(world)
