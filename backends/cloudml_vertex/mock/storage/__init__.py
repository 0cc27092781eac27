"""Cloud Storage: its JSON API over a plain directory, `World.gcs`, that jobs see as /gcs."""

from __future__ import annotations

import shutil

from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.storage.app import PREFIXES, app

__all__ = ["PREFIXES", "app", "install"]


def install(world: World) -> None:
    """Make the directory, and clear away what writes that a kill broke off have left."""
    world.gcs.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(gcs.side(world) / "drafts", ignore_errors=True)
