"""Batch transform jobs: a model's real server, fed with objects from S3."""

from __future__ import annotations

from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.transform import api as api
from cloudml_sagemaker.mock.transform.job import resume


def install(world: World) -> None:
    """Run what was under way again, from its start."""
    resume(world)
