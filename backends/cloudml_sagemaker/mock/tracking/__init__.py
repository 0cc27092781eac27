"""What is kept about runs: experiments, lineage, metrics, and the search over everything."""

from __future__ import annotations

from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.tracking import jobs
from cloudml_sagemaker.mock.tracking import lineage as lineage
from cloudml_sagemaker.mock.tracking import metrics as metrics
from cloudml_sagemaker.mock.tracking import records as records
from cloudml_sagemaker.mock.tracking import search as search


def install(world: World) -> None:
    """Follow jobs that have an ExperimentConfig."""
    world.bus.subscribe(lambda change: jobs.follow(world, change), *jobs.KINDS)
