"""`backends`, `gc`, `completion`: housekeeping."""

from __future__ import annotations

import sys

import click

from cloudml.backend.records import Collected
from cloudml.cli import COMPLETE_VARIABLE, options, output
from cloudml.cli.options import Call
from cloudml.cli.style import Style, clean, grid, one_line, size, style_of


@click.command()
@options.plain
def backends(call: Call) -> int:
    """List the backends that are installed, and what is wrong with those that do not load."""
    from cloudml.operations.session import backends as find

    found = find()
    fields = ("name", "description", "distribution", "installed", "error")
    style = style_of(sys.stdout)
    rows = [
        (
            style.paint(item.name, "bold"),
            style.paint("ready", "green") if item.installed and not item.error else style.paint("not usable", "red"),
            item.distribution or "",
            one_line(item.error or item.description or "", 200),
        )
        for item in found
    ]
    document = {"backends": [{field: getattr(item, field) for field in fields} for item in found]}
    call.answer(document, lambda: grid(rows, ("BACKEND", "STATE", "FROM", ""), style))
    return 0


@click.command()
@click.option(
    "--keep",
    "keep_runs",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    metavar="N",
    help="The newest N runs stay whole.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
@click.option(
    "--verify", is_flag=True, help="Read every artifact; remove the damaged ones, so that the next run makes them anew."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@options.placed
def gc(call: Call, keep_runs: int, dry_run: bool, verify: bool, yes: bool) -> int:
    """Remove what no kept run, registered model or endpoint needs."""
    style = style_of(sys.stdout)
    with call.session() as session:
        if not dry_run and not yes:
            foreseen = session.collect(keep_runs, dry_run=True, verify=verify)
            if not _agreed(call, foreseen, style):
                return 0
        done = session.collect(keep_runs, dry_run=dry_run, verify=verify)
    call.answer({"collected": done.to_dict()}, lambda: _collected_text(done, style))
    return 0


def _agreed(call: Call, foreseen: Collected, style: Style) -> bool:
    """Ask a person; a program must say --yes."""
    if call.json or not sys.stdin.isatty():
        raise click.UsageError("gc removes things: say --yes (or --dry-run to look first)")
    output.write(_collected_text(foreseen, style))
    if not foreseen.objects and not foreseen.runs and not foreseen.corrupt:
        return False
    return click.confirm("Remove it?")


def _collected_text(done: Collected, style: Style) -> str:
    verb = "would remove" if done.dry_run else "removed"
    lines = [f"{verb} {done.objects} artifacts ({size(done.bytes)}) and {done.runs} runs"]
    lines += [f"  {style.paint('damaged', 'red')} {clean(name)}" for name in done.corrupt]
    return "\n".join(lines)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@options.plain
def completion(call: Call, shell: str) -> int:
    """Print the completion script of a shell.

    bash: add `eval "$(cloudml completion bash)"` to ~/.bashrc; zsh: the same with zsh in ~/.zshrc;
    fish: `cloudml completion fish > ~/.config/fish/completions/cloudml.fish`.
    """
    from click.shell_completion import get_completion_class

    from cloudml.cli.app import tree

    chosen = get_completion_class(shell)
    assert chosen is not None
    script = chosen(tree, {}, "cloudml", COMPLETE_VARIABLE).source()
    call.answer({"shell": shell, "script": script}, script)
    return 0
