"""Room `registry`: models, their versions and aliases, evaluations."""

from __future__ import annotations

from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.registry import api, evaluations, upload

__all__ = ["api", "evaluations", "install", "upload"]


def install(world: World) -> None:
    """Make the room part of the world."""
    upload.install(world)
    api.install(world)
