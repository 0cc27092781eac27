"""Pipeline jobs: the API, and the engine that runs what they say."""

from __future__ import annotations

from cloudml_vertex.mock.core import lro
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.pipelines import api, batches, requests
from cloudml_vertex.mock.pipelines.driver import Driver
from cloudml_vertex.mock.pipelines.launching import KINDS
from cloudml_vertex.mock.pipelines.room import Room

__all__ = ["api", "install"]


def install(world: World) -> None:
    """Bring pipelines into a world, and go on with what its store holds unfinished."""
    room = world.rooms["pipelines"] = Room(world)
    world.rooms["pipeline-requests"] = requests.check_request
    driver = Driver(room)
    world.bus.subscribe(driver.changed, *KINDS)
    lro.register(world, "pipeline-job.delete", api.deleted)
    lro.register(world, "pipeline-job.batch-delete", batches.deleted)
    lro.register(world, "pipeline-job.batch-cancel", batches.cancelled)
    driver.resume()
