"""`run`, `deploy`, `rerun`, `resume`, `stop`: what makes a run go, or end.

Outside a terminal neither rich nor pydantic is imported here: an unchanged rerun must be over in a moment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudml.backend.port import Session
from cloudml.backend.records import DONE, EndpointRecord, Event, Listener, RunRecord, TaskRecord
from cloudml.cli import complete, options, output
from cloudml.cli.failures import diagnostic_lines
from cloudml.cli.options import Call
from cloudml.cli.plans import agree, plan_lines
from cloudml.cli.progress import is_interactive, shown
from cloudml.cli.report import EXIT_OF_STATUS, endpoint_text, run_text, tell_run, warn
from cloudml.cli.style import clean, one_line, style_of
from cloudml.errors import Diagnostic, NotFound, RunFailed

if TYPE_CHECKING:
    from cloudml.operations.prepare import Prepared
    from cloudml.operations.world import Announce
    from cloudml.plan import Plan

Drive = Callable[[Listener], RunRecord]


def _drive(call: Call, quiet: bool, drive: Drive) -> RunRecord:
    """Let a run go under a listener; a run that failed is a result here, not an error. The record has its tasks."""

    def lookup(run: str) -> RunRecord:
        with call.session() as session:
            return session.runs.get(run)

    with ExitStack() as stack:
        heard: list[Listener] = []

        def listener(event: Event) -> None:
            if not heard:  # not before: what is asked or said until then has the screen to itself
                heard.append(stack.enter_context(shown(call.target.name, lookup, quiet=quiet, json=call.json)))
            heard[0](event)

        try:
            record = drive(listener)
        except RunFailed as failure:
            if not isinstance(failure.record, RunRecord):
                raise
            record = failure.record
    if not quiet and not call.json and not is_interactive(sys.stdout):
        output.write()
    return record if record.tasks else lookup(record.id)


def _place(call: Call) -> list[str]:
    """The options that a next command must repeat to come to the same place."""
    pairs = (
        ("--project", call.directory and str(call.directory)),
        ("--backend", call.backend),
        ("--target", call.target_name),
    )
    return [word for name, value in pairs if value for word in (name, value)]


def _told_tree(call: Call, quiet: bool) -> bool:
    """Whether the end shows the whole tree: only where the live one was."""
    return not quiet and not call.json and is_interactive(sys.stdout)


def _announcer(call: Call, quiet: bool, yes: bool = False) -> Announce:
    """Says the plan and the warnings before anything happens, and asks when it cannot be undone.

    JSON holds plan and warnings at the end.
    """
    silent = quiet or call.json

    def announce(prepared: Prepared, plan: Plan | None) -> None:
        if not silent:
            if plan is not None:
                output.write("\n".join(plan_lines(plan, call.target.name, style_of(sys.stdout))) + "\n")
            noted = "CML302" if plan is not None else ""
            _warn(tuple(one for one in prepared.warnings if one.code != noted))
        if plan is not None:
            agree(plan, yes=yes, as_json=call.json, told=not silent)

    return announce


def _warn(warnings: tuple[Diagnostic, ...]) -> None:
    style = style_of(sys.stderr)
    warn(line for warning in warnings for line in diagnostic_lines(warning, style))


@click.command()
@options.pipeline
@options.parameters
@options.driven
@options.placed
def run(
    call: Call,
    pipeline: str | None,
    parameters: dict[str, str],
    parallel: int | None,
    wait: bool,
    no_cache: bool,
    quiet: bool,
) -> int:
    """Run a pipeline. Steps whose code and data are unchanged are reused."""
    from cloudml.operations.run import run as start

    chosen = options.run_options(parallel, wait, no_cache)
    announce = _announcer(call, quiet)
    record = _drive(
        call, quiet, lambda listener: start(call.project, call.target, pipeline, parameters, chosen, listener, announce)
    )
    with call.session() as session:
        return tell_run(record, session, as_json=call.json, tree=_told_tree(call, quiet), place=_place(call))


@click.command()
@options.pipeline
@options.parameters
@options.prune
@options.yes
@options.driven
@options.placed
def deploy(
    call: Call,
    pipeline: str | None,
    parameters: dict[str, str],
    prune: bool,
    yes: bool,
    parallel: int | None,
    wait: bool,
    no_cache: bool,
    quiet: bool,
) -> int:
    """Deploy a pipeline and its endpoints, and run it.

    Shows the plan, makes it so, runs the pipeline once, and tells where its endpoints answer.
    """
    from cloudml.operations.run import deploy as start

    style = style_of(sys.stdout)
    chosen = options.run_options(parallel, wait, no_cache)
    deployed = []

    def drive(listener: Listener) -> RunRecord:
        announce = _announcer(call, quiet, yes)
        done = start(call.project, call.target, pipeline, parameters, chosen, listener, announce, prune=prune)
        deployed.append(done)
        return done.run

    record = _drive(call, quiet, drive)
    with call.session() as session:
        endpoints = _endpoints_of(record, session)
        if call.json:
            plan = deployed[0].plan.to_dict() if deployed else None
            shown_endpoints = [endpoint.to_dict() for endpoint in endpoints]
            warnings = [warning.to_dict() for done in deployed for warning in done.warnings]
            document = {"plan": plan, "warnings": warnings, "run": record.to_dict(), "endpoints": shown_endpoints}
            output.write_json(document)
            return EXIT_OF_STATUS[record.status]
        output.write(run_text(record, session, style, tree=_told_tree(call, quiet), place=_place(call)))
        for endpoint in endpoints:
            output.write("\n" + endpoint_text(endpoint, session, style, _place(call)))
    return EXIT_OF_STATUS[record.status]


def _endpoints_of(record: RunRecord, session: Session) -> list[EndpointRecord]:
    """The endpoints in service that the run deployed to."""
    values = [task.values.get("endpoint") for task in record.tasks if task.kind == "deploy" and task.status in DONE]
    names = {value.get("name") for value in values if isinstance(value, dict)}
    return [one for one in session.endpoints.list() if one.status == "in_service" and one.name in names]


@click.command()
@click.argument("run_name", metavar="[RUN]", default="last", shell_complete=complete.runs)
@click.option(
    "--from",
    "from_step",
    metavar="STEP",
    shell_complete=complete.steps,
    help="Compute this step, and all below it, anew.",
)
@click.option("--local", is_flag=True, help="Only this step, on this machine: today's code on the run's real inputs.")
@click.option(
    "--to", "folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
    help="Where --local lays inputs, outputs and the log.  [default: ./RUN-STEP]",
)  # fmt: skip
@options.driven
@options.placed
def rerun(
    call: Call,
    run_name: str,
    from_step: str | None,
    local: bool,
    folder: Path | None,
    parallel: int | None,
    wait: bool,
    no_cache: bool,
    quiet: bool,
) -> int:
    """Run again with the parameters of an old run (default: the last one), as a new run.

    With --local it is no run: one step is computed on this machine, and nothing else changes.
    """
    from cloudml.operations.run import rerun as start

    if local:
        if from_step is None:
            raise click.UsageError("--local needs the step: --from STEP")
        return _rehearse(call, run_name, from_step, folder)
    if folder is not None:
        raise click.UsageError("--to goes with --local")
    chosen = options.run_options(parallel, wait, no_cache)
    record = _drive(
        call, quiet, lambda listener: start(call.project, call.target, run_name, from_step, chosen, listener)
    )
    with call.session() as session:
        return tell_run(record, session, as_json=call.json, tree=_told_tree(call, quiet), place=_place(call))


def _rehearse(call: Call, run_name: str, step: str, folder: Path | None) -> int:
    from cloudml.operations.run import rehearse

    if folder is None:
        with call.session() as session:
            folder = Path(f"{session.runs.get(run_name).id}-{step}")
    task = rehearse(call.project, call.target, run_name, step, folder)
    call.answer({"step": asdict(task), "folder": str(folder)}, lambda: _rehearsal_text(task, folder))
    return 0 if task.status in DONE else 1


def _rehearsal_text(task: TaskRecord, folder: Path) -> str:
    style = style_of(sys.stdout)
    head = style.status(f"{style.sign(task.status)} {clean(task.id)} {task.status}", task.status)
    trace = clean(str((task.failure or {}).get("traceback", ""))).rstrip().splitlines()
    lines = [head + (f": {one_line(task.reason)}" if task.reason else ""), *(f"    {line}" for line in trace)]
    lines += [f"  {one_line(f'{name} = {value}', 200)}" for name, value in task.values.items()]
    lines += [f"  {clean(one.name)}  {one.digest}  {clean(one.path)}" for one in task.outputs]
    return "\n".join([*lines, f"  inputs, outputs and log are in {folder}"])


@click.command()
@click.argument("run_name", metavar="[RUN]", default="last", shell_complete=complete.runs)
@options.driven
@options.placed
def resume(call: Call, run_name: str, parallel: int | None, wait: bool, no_cache: bool, quiet: bool) -> int:
    """Go on with a run that was interrupted, stopped, failed or waits. What succeeded is not run again."""
    from cloudml.operations.run import resume as start

    chosen = options.run_options(parallel, wait, no_cache)
    record = _drive(call, quiet, lambda listener: start(call.project, call.target, run_name, chosen, listener))
    with call.session() as session:
        return tell_run(record, session, as_json=call.json, tree=_told_tree(call, quiet), place=_place(call))


@click.command()
@click.argument("name", metavar="RUN|ENDPOINT", shell_complete=complete.runs_and_endpoints)
@options.placed
def stop(call: Call, name: str) -> int:
    """Stop a run or an endpoint. A stopped run can be resumed, a stopped endpoint started again."""
    with call.session() as session:
        is_run, is_endpoint = _is_run(session, name), any(item.name == name for item in session.endpoints.list())
        if is_run and is_endpoint:
            raise click.UsageError(
                f"both a run and an endpoint are named {name!r}; 'cloudml endpoints {name} --stop' stops the endpoint"
            )
        if is_endpoint:
            endpoint = session.endpoints.stop(name)
            call.answer({"endpoint": endpoint.to_dict()}, f"endpoint {endpoint.name} is {endpoint.status}")
            return 0
        if not is_run:
            raise NotFound(
                f"there is no run and no endpoint {name!r}", hint="'cloudml runs' and 'cloudml endpoints' list them"
            )
        record = session.runs.stop(name)
    call.answer({"run": record.to_dict()}, f"run {record.id} is {record.status}")
    return 0


def _is_run(session: Session, name: str) -> bool:
    try:
        session.runs.get(name)
    except NotFound:
        return False
    return True
