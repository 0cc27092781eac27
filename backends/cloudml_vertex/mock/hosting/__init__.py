"""Room `hosting`: endpoints that serve, deployments, resource pools, predictions."""

from __future__ import annotations

from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.hosting import deploy, endpoints, pools, predict, rows, undeploy
from cloudml_vertex.mock.hosting.fleet import Fleet

__all__ = ["deploy", "endpoints", "install", "pools", "predict", "undeploy"]


def install(world: World) -> None:
    """Make the room part of the world; what was deployed before a restart is started again."""
    room = world.rooms["hosting"] = Fleet(world)
    world.at_close.append(room.close)
    for part in (endpoints, deploy, undeploy, pools):
        part.install(world)
    for table in world.store.tables(rows.KIND):
        for name, endpoint in table.items():
            for identifier, serving in endpoint["_serving"].items():
                room.resume(name, identifier, serving)
