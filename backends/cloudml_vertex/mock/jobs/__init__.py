"""Room `jobs`: custom jobs, run as processes under Vertex AI's container contract; and how every long job lives."""

from __future__ import annotations

import shutil

from cloudml_vertex.mock.core import lro
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.jobs import api, refused, running
from cloudml_vertex.mock.jobs.life import Run

__all__ = ["api", "install", "refused"]


def install(world: World) -> None:
    """Begin anew, in new containers, the jobs that had not ended when the mock did."""
    shutil.rmtree(world.folder / running.FOLDER, ignore_errors=True)
    lro.register(world, "customJob.delete", api.delete)
    running.resume(world, Run)
