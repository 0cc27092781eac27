"""Plan, apply, destroy: what the world is held against, and how it is made so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from cloudml.backend.port import Backend, Session, Target
from cloudml.backend.records import Destroyed
from cloudml.discovery import load_backend
from cloudml.errors import CloudmlError
from cloudml.operations import planfile, seen
from cloudml.operations.prepare import Prepared, prepare
from cloudml.operations.project import Project
from cloudml.operations.session import open_session
from cloudml.plan import Change, Observed, Plan, after, diff

Announce: TypeAlias = Callable[[Prepared, Plan | None], None]
"""Told what was prepared, and the plan, before anything is changed. What it raises ends the operation there."""

_NOTHING_CHANGED = frozenset({"CML530", "CML531", "CML532"})
"""Refusals at the door: an apply that ends with one of them has changed nothing."""


@dataclass(frozen=True)
class Planned:
    """A plan, what it was made from, and when the world was seen (ISO 8601; empty: just now)."""

    plan: Plan
    prepared: Prepared
    observed: tuple[Observed, ...]
    prune: bool = False
    offline: bool = False
    seen_at: str = ""


def plan(
    project: Project, target: Target, pipeline: str | None = None, *, prune: bool = False, offline: bool = False
) -> Planned:
    """What an apply would change. Reads only; with `offline` nothing but what this machine saw last."""
    prepared = prepare(project, target, pipeline)
    if offline:
        return _plan_offline(project, target, prepared, prune)
    with open_session(target) as session:
        found = plan_in(session, target, prepared, prune)
    seen.keep(project, target, prepared.pipeline, found.observed)
    return found


def plan_in(session: Session, target: Target, prepared: Prepared, prune: bool = False) -> Planned:
    """The plan against the world of an open session."""
    observed = session.observe(prepared.resources)
    return Planned(_plan(target, prepared, observed, prune), prepared, tuple(observed), prune)


def _plan_offline(project: Project, target: Target, prepared: Prepared, prune: bool) -> Planned:
    known = seen.recall(project, target, prepared.pipeline)
    if known is None:
        note = "offline: nothing of this target was seen from this machine yet, so all counts as new"
        return Planned(_plan(target, prepared, (), prune, note), prepared, (), prune, offline=True)
    note = f"offline: compared with the world as this machine saw it last, at {known.at}"
    made = _plan(target, prepared, known.observed, prune, note)
    return Planned(made, prepared, known.observed, prune, offline=True, seen_at=known.at)


def _plan(target: Target, prepared: Prepared, observed: Sequence[Observed], prune: bool, *notes: str) -> Plan:
    backend = load_backend(target.backend)
    emulated = [one.message for one in prepared.warnings if one.code == "CML302"]
    facts = _facts(backend, target, prepared)
    made = diff(prepared.resources, observed, prune=prune, deferred=backend.deferred, facts=facts)
    told = (*notes, *made.notes, *emulated, *prepared.notes, *_document_notes(prepared, made))
    return replace(made, notes=told)


def _document_notes(prepared: Prepared, made: Plan) -> Iterator[str]:
    """What a resource that is new or changes has to say: the key `note` of its document, which is never sent."""
    acting = {(change.kind, change.name) for change in made.changes if change.acts}
    for one in prepared.resources:
        if (one.kind, one.name) in acting and isinstance(one.document.get("note"), str):
            yield f"{one.kind} {one.name}: {one.document['note']}"


def _facts(backend: Backend, target: Target, prepared: Prepared) -> dict[str, object]:
    facts = dict(backend.facts()) if backend.facts is not None else {}
    cost = backend.cost(target, prepared.resources) if backend.cost is not None else None
    return facts if cost is None else {**facts, "cost": cost.to_dict()}


def apply(
    project: Project,
    target: Target,
    pipeline: str | None = None,
    *,
    plan_file: Path | None = None,
    prune: bool = False,
    announce: Announce | None = None,
) -> Planned:
    """Make the world what the pipeline declares; the plan that was applied.

    With `plan_file` exactly that plan: raises Refused (CML530) when the code or the world is not what it was made for.
    """
    saved = planfile.load(plan_file) if plan_file is not None else None
    if saved is not None:
        pipeline, prune = saved.pipeline if pipeline is None else pipeline, saved.prune
    prepared = prepare(project, target, pipeline)
    with open_session(target) as session:
        planned = plan_in(session, target, prepared, prune)
        if saved is not None:
            saved.check(project.name, target.name, planned.prepared.pipeline, prepared.resources, planned.observed)
        if announce is not None:
            announce(prepared, planned.plan)
        apply_in(session, project, target, planned)
    return planned


def apply_in(session: Session, project: Project, target: Target, planned: Planned) -> None:
    """Apply a plan in the session that it was made in; keep what the world is then."""
    resources = planned.prepared.resources
    observed: Sequence[Observed] = planned.observed
    if planned.plan.has_changes or any(change.problem for change in planned.plan.changes):
        with _telling_what_stands(session, planned):
            session.apply(resources, planned.plan)
        observed = after(planned.plan, resources, observed)
    seen.keep(project, target, planned.prepared.pipeline, observed)


@contextmanager
def _telling_what_stands(session: Session, planned: Planned) -> Iterator[None]:
    """An apply that is cut off says how far it came: the note is told with the error."""
    try:
        yield
    except (CloudmlError, KeyboardInterrupt) as error:
        if getattr(error, "code", "") not in _NOTHING_CHANGED:
            with suppress(CloudmlError):
                error.add_note(_what_stands(session, planned))
        raise


def _what_stands(session: Session, planned: Planned) -> str:
    wanted = [change for change in planned.plan.changes if change.acts]
    now = diff(planned.prepared.resources, session.observe(planned.prepared.resources), prune=planned.prune)
    open_now = {(change.kind, change.name) for change in now.changes if change.action != "none"}
    done = [change for change in wanted if (change.kind, change.name) not in open_now]
    left = [change for change in wanted if (change.kind, change.name) in open_now]
    return (
        f"{len(done)} of {len(wanted)} changes stand ({_names(done)}); "
        f"the next `cloudml apply` goes on with the rest ({_names(left)})"
    )


def _names(changes: Sequence[Change]) -> str:
    shown = [f"{change.kind} {change.name}" for change in changes[:5]]
    more = [f"{len(changes) - 5} more"] if len(changes) > 5 else []
    return ", ".join(shown + more) or "none"


def save(project: Project, target: Target, planned: Planned, path: Path) -> None:
    """Write a plan for `apply(plan_file=…)`. Raises ProjectError when the file cannot be written."""
    planfile.write(
        path,
        planfile.PlanFile(
            project.name,
            target.name,
            planned.prepared.pipeline,
            planned.prune,
            planfile.digests(planned.prepared.resources),
            planfile.digests(one.live for one in planned.observed),
            planned.plan.to_dict(),
        ),
    )


def destroy(project: Project, target: Target, *, dry_run: bool = False, keep_data: bool = False) -> Destroyed:
    """Remove all that was made for this project and target; with `dry_run` only tell what would go."""
    with open_session(target) as session:
        done = session.destroy(dry_run, keep_data)
    if not dry_run:
        seen.forget(project, target)
    return done
