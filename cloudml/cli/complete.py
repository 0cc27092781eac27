"""What the shell offers for names that only the project or the backend knows. Trouble means no offers, no error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import click

    from cloudml.backend.port import Session
    from cloudml.operations.project import Project

Completer: TypeAlias = "Callable[[click.Context, click.Parameter, str], list[str]]"


def _offering(find: Callable[[click.Context], Iterable[str]]) -> Completer:
    def offers(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        try:
            return [name for name in find(ctx) if name.startswith(incomplete)]
        except Exception:  # noqa: BLE001 - completion must stay silent
            return []

    return offers


def _project(ctx: click.Context) -> Project:
    from cloudml.operations.project import load_project

    directory = ctx.params.get("directory")
    return load_project(Path(directory) if directory else None)


def _from_session(find: Callable[[Session], Iterable[str]]) -> Completer:
    def names(ctx: click.Context) -> list[str]:
        from cloudml.operations.session import open_session

        target = _project(ctx).target(ctx.params.get("target"), ctx.params.get("backend"))
        with open_session(target) as session:
            return list(find(session))

    return _offering(names)


def _backend_names(ctx: click.Context) -> Iterable[str]:
    from cloudml.operations.session import backends as known

    return [backend.name for backend in known()]


def _template_names(ctx: click.Context) -> Iterable[str]:
    from cloudml.operations.scaffold import templates as known

    return [template.name for template in known()]


def _run_names(session: Session) -> Iterable[str]:
    return ["last", *(run.id for run in session.runs.list(limit=30))]


def _endpoint_names(session: Session) -> Iterable[str]:
    return [endpoint.name for endpoint in session.endpoints.list()]


def _version_names(session: Session) -> Iterable[str]:
    versions = session.models.list()
    return [*dict.fromkeys(version.model for version in versions), *(f"{v.model}/{v.version}" for v in versions)]


def _step_names(session: Session) -> Iterable[str]:
    return [task.id for task in session.runs.get("last").tasks]


def _decision_names(session: Session) -> Iterable[str]:
    pending = [f"{v.model}/{v.version}" for v in session.models.list() if v.approval == "pending"]
    waiting = [run for run in session.runs.list(limit=30) if run.status == "waiting"]
    tasks = [(run.id, task) for run in waiting for task in session.runs.get(run.id).tasks]
    return pending + [f"{run}/{task.id}" for run, task in tasks if task.status == "waiting"]


backends = _offering(_backend_names)
targets = _offering(lambda ctx: _project(ctx).targets)
pipelines = _offering(lambda ctx: _project(ctx).pipelines)
templates = _offering(_template_names)
runs = _from_session(_run_names)
steps = _from_session(_step_names)
runs_and_steps = _from_session(lambda session: [*_run_names(session), *_step_names(session)])
runs_and_endpoints = _from_session(lambda session: [*_run_names(session), *_endpoint_names(session)])
endpoints = _from_session(_endpoint_names)
versions = _from_session(_version_names)
decisions = _from_session(_decision_names)
