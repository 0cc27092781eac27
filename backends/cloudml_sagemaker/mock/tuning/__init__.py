"""Hyperparameter tuning jobs: every trial is a training job of this mock, the points come from Optuna."""

from __future__ import annotations

from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.tuning import api as api
from cloudml_sagemaker.mock.tuning.driver import Tuner


def install(world: World) -> None:
    """Follow the trials; go on with tuning jobs that were under way."""
    tuner = Tuner(world)
    world.rooms["tuning"] = tuner
    world.bus.subscribe(tuner.trial_changed, "TrainingJob")
    world.bus.subscribe(tuner.metric_seen, "TrainingMetric")
    tuner.resume()
