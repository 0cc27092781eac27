"""Room `hosting`: models, endpoint configurations, endpoints that serve, deployments that move their traffic."""

from __future__ import annotations

from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.hosting import (
    asynchronous,
    configs,
    endpoints,
    fleets,
    invoke,
    models,
    rollout,
    streaming,
    updates,
)

__all__ = ["asynchronous", "configs", "endpoints", "install", "invoke", "models", "streaming", "updates"]


def install(world: World) -> None:
    """Make the room part of the world; endpoints and queued invocations from before a restart go on."""
    room = world.rooms["hosting"] = fleets.Hosting(world)
    world.at_close += [room.capture.flush, lambda: room.metrics.send(unfinished=True)]
    for table in world.store.tables(rollout.KIND):
        for name, endpoint in table.items():
            rollout.resume(world, table.scope, name, endpoint)
    for table in world.store.tables(asynchronous.QUEUE):
        for row in table:
            asynchronous.start(world, table.scope, row)
