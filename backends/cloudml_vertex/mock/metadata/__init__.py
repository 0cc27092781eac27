"""Room `metadata`: ML Metadata (stores, contexts, artifacts, executions, lineage), and TensorBoard for experiments."""

from __future__ import annotations

from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.metadata import boards, lineage, nodes, schemas, series, stores

__all__ = ["boards", "install", "lineage", "nodes", "schemas", "series", "stores"]


def install(world: World) -> None:
    """Make the room part of the world."""
    stores.install(world)
    nodes.install(world)
    boards.install(world)
