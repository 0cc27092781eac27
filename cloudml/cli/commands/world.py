"""`plan`, `apply`, `destroy`: what is deployed, against what the code declares."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudml.backend.records import Destroyed
from cloudml.cli import options, output
from cloudml.cli.failures import diagnostic_lines
from cloudml.cli.options import Call
from cloudml.cli.plans import agree, plan_lines
from cloudml.cli.report import warn
from cloudml.cli.style import Style, clean, grid, style_of

if TYPE_CHECKING:
    from cloudml.operations.prepare import Prepared
    from cloudml.operations.world import Planned
    from cloudml.plan import Plan

CHANGES = 2
"""The exit code of a plan with something to do."""


@click.command()
@options.pipeline
@click.option("--offline", is_flag=True, help="Compare with what this machine saw last; ask nobody.")
@click.option("--save", "file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="For `apply`.")
@options.prune
@options.placed
def plan(call: Call, pipeline: str | None, offline: bool, file: Path | None, prune: bool) -> int:
    """Show what a deploy would change, and change nothing. Exit code 2 when there is something to change.

    Also told: what somebody else changed since, what cannot be undone, what is emulated or not portable, what it may
    cost.
    """
    from cloudml.operations.world import plan as make
    from cloudml.operations.world import save

    if offline and file is not None:
        raise click.UsageError("--save needs the world as it is; it does not go with --offline")
    made = make(call.project, call.target, pipeline, prune=prune, offline=offline)
    if file is not None:
        save(call.project, call.target, made, file)
    document = _planned(call, made)
    style = style_of(sys.stdout)
    lines = [*plan_lines(made.plan, call.target.name, style), *_warnings(made.prepared, style)]
    lines += [f"saved: {file}"] if file is not None else []
    call.answer(document, lambda: "\n".join(lines).rstrip())
    return CHANGES if made.plan.has_changes else 0


def _planned(call: Call, made: Planned) -> dict[str, Any]:
    warnings = [warning.to_dict() for warning in made.prepared.warnings]
    document = {"target": call.target.name, "pipeline": made.prepared.pipeline, "plan": made.plan.to_dict()}
    return {**document, "offline": made.offline, "seen_at": made.seen_at or None, "warnings": warnings}


def _warnings(prepared: Prepared, style: Style) -> list[str]:
    """All but what the plan's notes say already."""
    found = [one for one in prepared.warnings if one.code != "CML302"]
    return [line for one in found for line in diagnostic_lines(one, style)]


@click.command()
@options.pipeline
@click.option(
    "--plan", "file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Apply exactly this plan of `cloudml plan --save`; refused when it holds no more.",
)  # fmt: skip
@options.prune
@options.yes
@options.placed
def apply(call: Call, pipeline: str | None, file: Path | None, prune: bool, yes: bool) -> int:
    """Make the world what the code declares, without running the pipeline. Safe to repeat, also after an interrupt."""
    from cloudml.operations.world import apply as make

    if file is not None and prune:
        raise click.UsageError("a saved plan says itself what it prunes")
    style = style_of(sys.stdout)

    def announce(prepared: Prepared, made: Plan | None) -> None:
        assert made is not None
        if not call.json:
            output.write("\n".join(plan_lines(made, call.target.name, style)))
            warn(_warnings(prepared, style_of(sys.stderr)))
        agree(made, yes=yes, as_json=call.json, told=True)

    done = make(call.project, call.target, pipeline, plan_file=file, prune=prune, announce=announce)
    count = sum(change.acts for change in done.plan.changes)
    text = f"applied {count} change{'' if count == 1 else 's'}" if count else ""
    call.answer(_planned(call, done), style.status(text, "succeeded") if text else "")
    return 0


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.option("--keep-data", is_flag=True, help="Leave data, models and logs.")
@options.yes
@options.placed
def destroy(call: Call, dry_run: bool, keep_data: bool, yes: bool) -> int:
    """Remove all that cloudml made for this project on this target, and nothing else."""
    from cloudml.operations.world import destroy as remove

    style = style_of(sys.stdout)
    if not dry_run and not yes:
        if call.json or not sys.stdin.isatty():
            raise click.UsageError("destroy removes things: say --yes (or --dry-run to look first)")
        foreseen = remove(call.project, call.target, dry_run=True, keep_data=keep_data)
        output.write(_destroyed_text(foreseen, style))
        if not foreseen.removed:
            return 0
        click.confirm("Remove it?", abort=True)
    done = remove(call.project, call.target, dry_run=dry_run, keep_data=keep_data)
    call.answer({"target": call.target.name, "destroyed": done.to_dict()}, lambda: _destroyed_text(done, style))
    return 0 if done.complete else 1


def _destroyed_text(done: Destroyed, style: Style) -> str:
    failed = sum(bool(one.problem) for one in done.removed)
    verb = "would remove" if done.dry_run else "removed"
    rows = [
        (style.paint("! " if one.problem else "- ", "red") + one.kind, style.paint(clean(one.name), "bold"),
         style.paint(clean(one.problem), "red"))
        for one in done.removed
    ]  # fmt: skip
    lines = grid(rows, indent="  ").splitlines() if rows else []
    head = f"{verb} {len(done.removed) - failed}" if done.removed else "there is nothing to remove"
    lines = [head + (f"; {failed} could not be removed" if failed else ""), *lines]
    return "\n".join([*lines, *(f"  {style.paint('stays', 'yellow')} {clean(kept)}" for kept in done.kept)])
