"""Job code in S3 (`cloudml.remote.job_code`)."""

from __future__ import annotations

from cloudml.remote.job_code import job_code
from cloudml.remote.packing import Builder
from cloudml_sagemaker import upload
from cloudml_sagemaker.resources.kind import Kind, World


def _store(world: World) -> upload.Marked:
    return upload.Marked(world.client, world.place.kms)


def _builder(world: World) -> Builder:
    return upload.builder(world.source, world.place.root)


JOB_CODE: Kind = job_code(_store, _builder)
