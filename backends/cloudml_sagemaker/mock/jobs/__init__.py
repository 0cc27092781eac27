"""Room `jobs`: processing and training jobs, run as processes under SageMaker's container contracts."""

from __future__ import annotations

import shutil

from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.jobs import processing, training
from cloudml_sagemaker.mock.jobs.life import FOLDER, Run, begin
from cloudml_sagemaker.mock.jobs.processing_run import ProcessingRun
from cloudml_sagemaker.mock.jobs.training_run import TrainingRun

__all__ = ["install", "processing", "training"]

_RUNS: tuple[type[Run], ...] = (ProcessingRun, TrainingRun)


def install(world: World) -> None:
    """Begin anew, in new containers, the jobs that had not ended when the mock did."""
    shutil.rmtree(world.folder / FOLDER, ignore_errors=True)
    with world.lock:
        for kind in _RUNS:
            for table in world.store.tables(kind.kind):
                for name, document in table.items():
                    if document[kind.status] in {"InProgress", "Stopping"}:
                        run = kind(world, table.scope, name)
                        run.stopping = "stop" if document[kind.status] == "Stopping" else ""
                        begin(run)
