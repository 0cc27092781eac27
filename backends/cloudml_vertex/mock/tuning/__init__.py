"""Room `tuning`: hyperparameter tuning jobs, whose trials are custom jobs that really run."""

from __future__ import annotations

from cloudml_vertex.mock.core import lro
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.jobs import life
from cloudml_vertex.mock.jobs.crew import METRIC_KIND
from cloudml_vertex.mock.tuning import api

__all__ = ["api", "install"]


def install(world: World) -> None:
    """Listen to trials, and go on with the jobs that had not ended when the mock did. After the room `jobs`."""
    lro.register(world, "hyperparameterTuningJob.delete", api.deleted)
    tuner = api.tuner(world)
    world.bus.subscribe(tuner.trial_changed, life.KIND)
    world.bus.subscribe(tuner.metrics_seen, METRIC_KIND)
    tuner.resume()
