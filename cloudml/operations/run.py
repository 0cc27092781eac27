"""Run, deploy, resume, rerun, rehearse: prepare the pipeline, then let the backend drive it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudml.backend.port import RunOptions, Target
from cloudml.backend.records import Listener, RunRecord, TaskRecord
from cloudml.errors import Diagnostic, ProjectError
from cloudml.operations.prepare import prepare
from cloudml.operations.project import Project
from cloudml.operations.session import open_session
from cloudml.operations.world import Announce, apply_in, plan_in
from cloudml.plan import Plan


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


def deploy(
    project: Project,
    target: Target,
    pipeline: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen
    listener: Listener | None = None,
    announce: Announce | None = None,
    *,
    prune: bool = False,
) -> Deployed:
    """Apply the plan, then run the pipeline: its deploy steps bring the model into service.

    `announce` is told what was prepared, and the plan, before anything is changed; when it raises, nothing is.
    """
    prepared = prepare(project, target, pipeline)
    with open_session(target) as session:
        planned = plan_in(session, target, prepared, prune)
        if announce is not None:
            announce(prepared, planned.plan)
        apply_in(session, project, target, planned)
        record = session.runs.start(prepared.resources, parameters or {}, options, listener)
    return Deployed(planned.plan, record, prepared.warnings)


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


def rehearse(project: Project, target: Target, run: str, task: str, folder: Path) -> TaskRecord:
    """Compute one task of an old run again on this machine: the code of today on the run's real inputs.

    Raises ProjectError when `folder` is in use.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProjectError(
            "the folder is not empty", code="CML421", where=str(folder), hint="name a new one with --to DIR"
        )
    with open_session(target) as session:
        found = session.runs.get(run)
        prepared = prepare(project, target, found.pipeline)
        return session.runs.rehearse(found.id, task, prepared.resources, folder)
