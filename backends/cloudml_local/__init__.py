"""The local backend: a parallel, resumable engine, an artifact store, a model registry and real HTTP endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml.backend.port import Backend, Target
from cloudml_local.features import FEATURES
from cloudml_local.target import SETTINGS

if TYPE_CHECKING:
    from cloudml import spec
    from cloudml.backend.port import Session
    from cloudml.code import Sources
    from cloudml.plan import Resource


def _compile(pipeline: spec.Pipeline, target: Target, sources: Sources) -> tuple[Resource, ...]:
    from cloudml_local.compile import compile_pipeline

    return compile_pipeline(pipeline, target, sources)


def _connect(target: Target) -> Session:
    from cloudml_local.session import connect

    return connect(target)


backend = Backend(
    name="local",
    description="this machine: isolated processes, durable state, HTTP endpoints on loopback",
    features=FEATURES,
    compile=_compile,
    connect=_connect,
    settings=SETTINGS,
    deferred=frozenset({"endpoint"}),
)
