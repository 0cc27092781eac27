"""Run, deploy, resume, rerun: prepare the pipeline, then let the backend drive it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from cloudml.backend.port import RunOptions, Target
from cloudml.backend.records import Listener, RunRecord
from cloudml.errors import Diagnostic
from cloudml.operations.prepare import Prepared, prepare
from cloudml.operations.project import Project
from cloudml.operations.session import open_session
from cloudml.plan import Plan, diff

Announce: TypeAlias = Callable[[Prepared, Plan | None], None]


@dataclass(frozen=True)
class Deployed:
    """What `deploy` did: the plan that it applied, and the run that brought the model into service."""

    plan: Plan
    run: RunRecord
    warnings: tuple[Diagnostic, ...] = ()


def run(
    project: Project,
    target: Target,
    pipeline: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen
    listener: Listener | None = None,
    announce: Announce | None = None,
) -> RunRecord:
    """Run the pipeline as it is now. Raises when it cannot start; a failed run is a record, not an exception.

    `announce` is told what was prepared before anything starts.
    """
    prepared = prepare(project, target, pipeline)
    if announce is not None:
        announce(prepared, None)
    with open_session(target) as session:
        return session.runs.start(prepared.resources, parameters or {}, options, listener)


def plan(project: Project, target: Target, pipeline: str | None = None) -> tuple[Plan, Prepared]:
    """What `deploy` would change. Reads only."""
    prepared = prepare(project, target, pipeline)
    with open_session(target) as session:
        return _plan(prepared, session.observe()), prepared


def _plan(prepared: Prepared, observed: list[Any]) -> Plan:
    """Only what belongs to this pipeline is compared: a project may have others."""
    mine = {(resource.kind, resource.name) for resource in prepared.resources}
    return diff(prepared.resources, [one for one in observed if (one.kind, one.name) in mine])


def deploy(
    project: Project,
    target: Target,
    pipeline: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen
    listener: Listener | None = None,
    announce: Announce | None = None,
) -> Deployed:
    """Apply the plan, then run the pipeline: its deploy steps bring the model into service.

    `announce` is told what was prepared, and the plan, before anything is changed.
    """
    prepared = prepare(project, target, pipeline)
    with open_session(target) as session:
        planned = _plan(prepared, session.observe())
        if announce is not None:
            announce(prepared, planned)
        if planned.has_changes:
            session.apply(prepared.resources)
        record = session.runs.start(prepared.resources, parameters or {}, options, listener)
    return Deployed(planned, record, prepared.warnings)


def resume(
    project: Project,
    target: Target,
    run: str,
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen
    listener: Listener | None = None,
) -> RunRecord:
    """Go on with a run; what has not run yet runs the code of today."""
    with open_session(target) as session:
        found = session.runs.get(run)
        resources = prepare(project, target, found.pipeline).resources if found.pipeline in project.pipelines else None
        return session.runs.resume(found.id, options, listener, resources)


def rerun(
    project: Project,
    target: Target,
    run: str,
    from_step: str | None = None,
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen
    listener: Listener | None = None,
) -> RunRecord:
    """A new run with an old one's parameters, computing `from_step` and all below it anew."""
    with open_session(target) as session:
        found = session.runs.get(run)
        prepared = prepare(project, target, found.pipeline)
        return session.runs.rerun(found.id, from_step, prepared.resources, options, listener)
