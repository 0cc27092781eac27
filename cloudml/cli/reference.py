"""The reference page of the command line, made from the command tree.

python -m cloudml.cli.reference > docs/reference/cli.md
"""

from __future__ import annotations

import inspect
import re

import click

from cloudml.cli import table
from cloudml.cli.app import tree
from cloudml.cli.output import OUTPUT_VERSION

_INTRODUCTION = f"""\
# The command line

`cloudml COMMAND --help` says the same as this page, which is made from the commands themselves.

Every command takes `--output json`. Then stdout holds one JSON object on one line and nothing else, with
`"version": {OUTPUT_VERSION}` first. An error is `{{"version": {OUTPUT_VERSION}, "error": {{"message", "exit_code",
"diagnostics": [{{"code", "severity", "where", "message", "hint"}}]}}}}`; the codes are explained in
[errors](errors.md). Progress goes to stderr in that case, and `--quiet` turns it off.

On a terminal a run is shown as a live tree. Without one, or when `NO_COLOR` or `CI` is set, it is one line for each
change of a step's state. `NO_COLOR` also turns off colours.

Where a command takes `RUN`, `last` is the newest run. A step inside a map has its item's number in its name:
`score[3]`.
"""

_EXIT_NOTE = """\
`run`, `deploy`, `rerun` and `resume` end with the code of the run's outcome: 0 succeeded, 1 failed, 3 waiting for a
person, 130 stopped or interrupted. The first Ctrl-C lets a run stop in order: the steps that run are ended, the run is
`stopped`, and `cloudml resume` goes on with it.
"""


def render() -> str:
    """The page, as Markdown."""
    parts = [_INTRODUCTION, "## Exit codes\n", "| code | meaning |\n|---|---|"]
    parts += [f"| {code} | {meaning} |" for code, meaning in table.EXIT_CODES]
    parts += ["", _EXIT_NOTE]
    root = click.Context(tree, info_name="cloudml")
    for section in table.SECTIONS:
        parts.append(f"## {section}\n")
        for name, (_, _, belongs) in table.COMMANDS.items():
            if belongs == section:
                command = tree.get_command(root, name)
                assert command is not None
                parts.append(_command(command, click.Context(command, info_name=name, parent=root)))
    return "\n".join(parts).rstrip() + "\n"


def _command(command: click.Command, context: click.Context) -> str:
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"### cloudml {command.name}\n", f"```\ncloudml {command.name} {usage}\n```\n"]
    lines += [inspect.cleandoc(command.help or ""), "", "| option | |", "|---|---|"]
    for parameter in command.get_params(context):
        found = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if found is not None and "--help" not in parameter.opts:
            lines.append(f"| `{_cell(found[0])}` | {_cell(found[1])} |")
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


if __name__ == "__main__":
    print(render(), end="")
