"""The account behind a target: the least policies that a project needs there, and what is wrong with it."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass

from cloudml import __version__
from cloudml.backend.port import Target
from cloudml.backend.records import Finding, Policy
from cloudml.discovery import load_backend
from cloudml.errors import CloudmlError
from cloudml.operations.prepare import prepare
from cloudml.operations.project import Project
from cloudml.plan import Resource


@dataclass(frozen=True)
class Permissions:
    """The policies of some pipelines on a target; none when the backend knows no identities."""

    target: str
    pipelines: tuple[str, ...]
    policies: tuple[Policy, ...]


def permissions(project: Project, target: Target, pipeline: str | None = None) -> Permissions:
    """The least policies for one pipeline, or for all of the project's together.

    Raises SpecError, UnsupportedError, ProjectError or BackendError, as compiling them does.
    """
    names = (project.pipeline(pipeline),) if pipeline is not None else tuple(project.pipelines)
    backend = load_backend(target.backend)
    if backend.permissions is None:
        return Permissions(target.name, names, ())
    resources = [resource for name in names for resource in prepare(project, target, name).resources]
    return Permissions(target.name, names, backend.permissions(target, resources))


def doctor(project: Project, target: Target, pipeline: str | None = None) -> Iterator[Finding]:
    """What is found, as it is found. A pipeline that cannot be compiled is a finding; nothing is raised but for a
    pipeline or a backend that does not exist.
    """
    names = (project.pipeline(pipeline),) if pipeline is not None else tuple(project.pipelines)
    backend = load_backend(target.backend)
    yield Finding("cloudml", "ok", f"{__version__} on Python {platform.python_version()}, backend {backend.name}")
    resources: list[Resource] = []
    told: set[str] = set()
    for name in names:
        try:
            resources += prepare(project, target, name).resources
        except CloudmlError as error:
            for one in error.diagnostics:
                if f"{one.where}{one.message}" not in told:
                    told.add(f"{one.where}{one.message}")
                    where = f"{one.where}: " if one.where else ""
                    yield Finding(f"pipeline {name}", "missing", f"{one.code} {where}{one.message}", one.hint)
        else:
            yield Finding(f"pipeline {name}", "ok", "compiles")
    if backend.doctor is None:
        return
    try:
        yield from backend.doctor(target, resources)
    except CloudmlError as error:
        for one in error.diagnostics:
            yield Finding(backend.name, "unknown", one.message, one.hint)
