"""Room `batch`: batch prediction jobs, a model's real container fed with objects of Cloud Storage."""

from __future__ import annotations

from cloudml_vertex.mock.batch import api
from cloudml_vertex.mock.batch.run import BatchRun
from cloudml_vertex.mock.core import lro
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.jobs import running

__all__ = ["api", "install"]


def install(world: World) -> None:
    """Begin anew the jobs that had not ended when the mock did. After the rooms `jobs` and `hosting`."""
    lro.register(world, "batchPredictionJob.delete", api.deleted)
    running.resume(world, BatchRun)
