"""The rooms, in the order in which they are installed: each enters its RPCs, subscribes, and goes on with what a store
from before holds unfinished."""

from __future__ import annotations

from importlib import import_module

from cloudml_vertex.mock.core import lro
from cloudml_vertex.mock.core.world import World

ROOMS = (
    "storage", "around", "metadata", "jobs", "registry", "hosting", "tuning", "batch", "monitors", "pipelines",
    "schedules",
)  # fmt: skip


def load() -> None:
    """Import every room, so that its RPCs are in the table."""
    for name in ROOMS:
        import_module(f"cloudml_vertex.mock.{name}")


def install(world: World) -> None:
    """Make every room part of the world, then go on with its operations."""
    load()
    for name in ROOMS:
        import_module(f"cloudml_vertex.mock.{name}").install(world)
    lro.resume(world)
