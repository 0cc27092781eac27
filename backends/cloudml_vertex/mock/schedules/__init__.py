"""Schedules: the API, and the timers that start runs."""

from __future__ import annotations

from cloudml_vertex.mock.core import lro
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.schedules import api
from cloudml_vertex.mock.schedules.timers import JOBS, Timers

__all__ = ["api", "install"]


def install(world: World) -> None:
    """Bring schedules into a world, and go on with what its store holds. After the pipelines."""
    timers = world.rooms["schedules"] = Timers(world)
    world.bus.subscribe(timers.job_changed, JOBS)
    lro.register(world, "schedule.delete", api.deleted)
    timers.resume()
