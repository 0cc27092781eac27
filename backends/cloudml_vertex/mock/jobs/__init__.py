"""Room `jobs`: custom jobs, run as processes under Vertex AI's container contract."""

from __future__ import annotations

import shutil

from cloudml_vertex.mock.core import lro
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.jobs import api, refused
from cloudml_vertex.mock.jobs.life import ENDED, FOLDER, KIND, Run, begin

__all__ = ["api", "install", "refused"]


def install(world: World) -> None:
    """Begin anew, in new containers, the jobs that had not ended when the mock did."""
    shutil.rmtree(world.folder / FOLDER, ignore_errors=True)
    lro.register(world, "customJob.delete", api.delete)
    with world.lock:
        for table in world.store.tables(KIND):
            for name, document in table.items():
                if document["state"] not in ENDED:
                    run = Run(world, table.scope, name)
                    run.stopping = "cancel" if document["state"] == "JOB_STATE_CANCELLING" else ""
                    begin(run)
