"""`runs`, `show`, `logs`, `fetch`, `why`: what happened, and what came of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cloudml.backend.port import Session
from cloudml.backend.records import Explanation, RunRecord
from cloudml.cli import complete, options, output
from cloudml.cli.details import run_detail, step_detail
from cloudml.cli.options import Call
from cloudml.cli.style import Style, clean, duration, grid, one_line, style_of, when
from cloudml.errors import NotFound

JSON_LOG_LINES = 100_000
"""Most lines that `logs --output json` puts into its one object."""


@click.command()
@click.option("--pipeline", metavar="NAME", shell_complete=complete.pipelines, help="Only runs of this pipeline.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@options.placed
def runs(call: Call, pipeline: str | None, limit: int) -> int:
    """List runs, newest first."""
    with call.session() as session:
        found = session.runs.list(pipeline, limit)
    call.answer({"runs": [record.to_dict() for record in found]}, lambda: _runs_text(found, style_of(sys.stdout)))
    return 0


def _runs_text(found: list[RunRecord], style: Style) -> str:
    if not found:
        return "no runs yet; 'cloudml run' makes one"
    rows = []
    for record in found:
        given = ", ".join(f"{name}={value}" for name, value in record.parameters.items())
        note = record.reason if record.status != "succeeded" and record.reason else given
        status = style.status(f"{style.sign(record.status)} {record.status}", record.status)
        spent, note = duration(record.duration), style.paint(one_line(note, 70), "dim")
        rows.append((style.paint(record.id, "bold"), status, when(record.created_at), spent, note))
    return grid(rows, ("RUN", "STATUS", "CREATED", "TOOK", ""), style)


@click.command()
@click.argument("run_name", metavar="[RUN]", default="last", shell_complete=complete.runs)
@click.argument("step", required=False, metavar="[STEP]", shell_complete=complete.steps)
@click.option("--all", "every", is_flag=True, help="Each item of every map.")
@options.placed
def show(call: Call, run_name: str, step: str | None, every: bool) -> int:
    """Show a run (default: the last one), or one step of it.

    The tree of its steps with states, durations and metrics, its parameters, and what it made: artifacts and models.
    """
    with call.session() as session:
        record, step = _run_and_step(session, run_name, step)
        versions = [version for version in session.models.list() if version.run == record.id]
    style = style_of(sys.stdout)
    if step is not None:
        task = _task(record, step)
        call.answer({"run": record.id, "step": task}, lambda: step_detail(record, step, style))
        return 0
    document = {"run": record.to_dict(), "models": [version.to_dict() for version in versions]}
    call.answer(document, lambda: run_detail(record, versions, style, call.target.name, every))
    return 0


def _task(record: RunRecord, step: str) -> dict[str, object]:
    tasks: list[dict[str, object]] = record.to_dict()["tasks"]
    return next(task for task in tasks if task["id"] == step)


def _run_and_step(session: Session, first: str, second: str | None) -> tuple[RunRecord, str | None]:
    """A run and maybe a step of it. A single word that is no run may be a step of the last run."""
    try:
        record = session.runs.get(first)
    except NotFound as error:
        record = _last_with(session, first, error) if second is None else None  # type: ignore[assignment]
        if record is None:
            raise
        second = first
    if second is not None and record.task(second) is None:
        import difflib

        names = [task.id for task in record.tasks]
        close = difflib.get_close_matches(second, names, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"its steps: {', '.join(names[:20])}"
        raise NotFound(f"run {record.id} has no step {second!r}", hint=hint)
    return record, second


def _last_with(session: Session, step: str, error: NotFound) -> RunRecord:
    try:
        record = session.runs.get("last")
    except NotFound:
        raise error from None
    if record.task(step) is None:
        raise error
    return record


@click.command()
@click.argument("names", nargs=-1, metavar="[RUN] STEP|ENDPOINT", shell_complete=complete.runs_and_steps)
@click.option("-f", "--follow", is_flag=True, help="Go on printing while it runs.")
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.")
@options.placed
def logs(call: Call, names: tuple[str, ...], follow: bool, tail: int | None) -> int:
    """Print the log of a step, as far as it is written; RUN defaults to the last run. Or that of an endpoint."""
    if not 1 <= len(names) <= 2:
        raise click.UsageError("name a step (and its run before it), or an endpoint: cloudml logs [RUN] STEP")
    if follow and (call.json or tail is not None):
        raise click.UsageError("--follow goes with neither --tail nor --output json")
    run_name, step = (names[0], names[1]) if len(names) == 2 else ("last", names[0])
    with call.session() as session:
        if len(names) == 1 and (endpoint := _endpoint_without_step(session, step)):
            source = {"endpoint": endpoint}
            lines = session.endpoints.logs(endpoint)
        else:
            record, _ = _run_and_step(session, run_name, step)
            source = {"run": record.id, "step": step}
            lines = session.runs.logs(record.id, step, follow)
        stripped = (line.rstrip("\n") for line in lines)
        if call.json or tail is not None:
            from collections import deque

            kept = list(deque(stripped, maxlen=JSON_LOG_LINES if tail is None else tail))
            call.answer({**source, "lines": kept}, "\n".join(kept))
            return 0
        for line in stripped:
            output.write(line)
            if follow:
                sys.stdout.flush()
    return 0


def _endpoint_without_step(session: Session, name: str) -> str | None:
    """The name, when it is an endpoint's and no step of the last run has it."""
    try:
        if session.runs.get("last").task(name) is not None:
            return None
    except NotFound:
        pass
    return name if any(endpoint.name == name for endpoint in session.endpoints.list()) else None


@click.command()
@click.argument("run_name", metavar="RUN", shell_complete=complete.runs)
@click.argument("step", metavar="STEP", shell_complete=complete.steps)
@click.argument("output_name", metavar="[OUTPUT]", required=False)
@click.option(
    "--to", "folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), default=Path(),
    help="Where to lay it.  [default: here]",
)  # fmt: skip
@options.placed
def fetch(call: Call, run_name: str, step: str, output_name: str | None, folder: Path) -> int:
    """Bring an output of a step to this machine, checked against its digest. OUTPUT defaults to the only one."""
    with call.session() as session:
        record, _ = _run_and_step(session, run_name, step)
        task = record.task(step)
        names = [one.name for one in task.outputs] if task is not None else []
        if output_name is None and len(names) != 1:
            raise NotFound(
                f"{record.id}/{step} has {'several outputs' if names else 'no output that is a file'}",
                hint=f"name one of {', '.join(names)}" if names else f"cloudml show {record.id} {step}",
            )
        chosen = output_name or names[0]
        path = session.runs.fetch(record.id, step, chosen, folder)
    call.answer({"run": record.id, "step": step, "output": chosen, "path": str(path)}, str(path))
    return 0


@click.command()
@click.argument("run_name", metavar="[RUN]", default="last", shell_complete=complete.runs_and_steps)
@click.argument("step", required=False, metavar="[STEP]", shell_complete=complete.steps)
@options.placed
def why(call: Call, run_name: str, step: str | None) -> int:
    """Explain why each step of a run (default: the last one), or one step, ran, was reused, was skipped or failed."""
    with call.session() as session:
        record, step = _run_and_step(session, run_name, step)
        found = session.runs.why(record.id, step)
    style = style_of(sys.stdout)
    document = {"run": record.id, "explanations": [entry.to_dict() for entry in found]}
    call.answer(document, lambda: _why_text(record, found, style))
    return 0


def _why_text(record: RunRecord, found: Sequence[Explanation], style: Style) -> str:
    blocks = []
    for entry in found:
        task = record.task(entry.task)
        status = task.status if task is not None else "pending"
        sign, name = style.status(style.sign(status), status), style.paint(clean(entry.task), "bold")
        lines = [f"{sign} {name}  {clean(entry.verdict)}"]
        lines += [f"    {clean(reason)}" for reason in entry.reasons]
        if entry.log_tail:
            lines += [
                style.paint("    the end of its log", "dim"),
                *(f"      {clean(line)}" for line in entry.log_tail),
            ]
        if entry.hint:
            first, *rest = entry.hint.splitlines()
            lines.append(f"    {style.paint(style.arrow, 'cyan')} {clean(first)}")
            lines += [f"      {clean(line)}" for line in rest]
        blocks.append("\n".join(lines))
    return "\n".join(blocks) or "this run has no steps"
