"""The backend as a value. What it does is imported when it is done: neither boto3 nor the compiler comes with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloudml.backend.port import Backend, Target
from cloudml_sagemaker.features import FEATURES
from cloudml_sagemaker.images import EcrImages
from cloudml_sagemaker.target import SETTINGS

if TYPE_CHECKING:
    from cloudml import spec
    from cloudml.backend.port import Session
    from cloudml.backend.records import Cost, Finding, Policy
    from cloudml.code import Sources
    from cloudml.plan import Resource

DEFERRED = frozenset({"endpoint", "monitor"})
"""Kinds that the steps of a run make: an endpoint needs a model, a native monitor an endpoint."""


def _compile(pipeline: spec.Pipeline, target: Target, sources: Sources) -> tuple[Resource, ...]:
    from cloudml_sagemaker.compile import compile_pipeline

    return compile_pipeline(pipeline, target, sources)


def _connect(target: Target) -> Session:
    from cloudml_sagemaker.session import connect

    return connect(target)


def _cost(target: Target, resources: Sequence[Resource]) -> Cost | None:
    from cloudml_sagemaker.cost import cost

    return cost(target, resources)


def _doctor(target: Target, resources: Sequence[Resource]) -> Iterator[Finding]:
    from cloudml_sagemaker.doctor import doctor

    return doctor(target, resources)


def _permissions(target: Target, resources: Sequence[Resource]) -> tuple[Policy, ...]:
    from cloudml_sagemaker.permissions import permissions

    return permissions(target, resources)


def _facts() -> Mapping[str, Any]:
    """The version of AWS's service model that the documents were checked against."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return {"botocore": version("botocore")}
    except PackageNotFoundError:
        return {}


backend = Backend(
    name="sagemaker",
    description="Amazon SageMaker: Pipelines, jobs, model registry and endpoints of an AWS account",
    features=FEATURES,
    compile=_compile,
    connect=_connect,
    cost=_cost,
    doctor=_doctor,
    permissions=_permissions,
    settings=SETTINGS,
    deferred=DEFERRED,
    facts=_facts,
    image=EcrImages(),
)
