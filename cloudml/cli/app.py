"""The command tree, loaded one command at a time, and what happens to every error."""

from __future__ import annotations

import difflib
import importlib

import click

from cloudml.cli import COMPLETE_VARIABLE, table
from cloudml.cli.failures import exit_code_of


class CommandTree(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(table.COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = table.COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry[0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def get_help(self, ctx: click.Context) -> str:
        return table.help_text()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and name not in table.COMMANDS:
            close = difflib.get_close_matches(name, table.COMMANDS, n=1)
            remedy = f"did you mean 'cloudml {close[0]}'?" if close else "'cloudml --help' lists the commands"
            raise click.UsageError(f"there is no command {name!r}; {remedy}", ctx)
        return super().resolve_command(ctx, args)


tree = CommandTree(
    "cloudml",
    help=table.SUMMARY,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@tree.result_callback()
def _as_exit_code(code: int | None) -> int:
    return code or 0


def run(arguments: list[str]) -> int:
    """Run one command. Errors end here, each as one exit code and a message for a person or a JSON object."""
    try:
        code = tree.main(arguments, prog_name="cloudml", complete_var=COMPLETE_VARIABLE, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except Exception as error:  # noqa: BLE001 - the last place where an error can be told
        return exit_code_of(error, arguments)
    except KeyboardInterrupt as error:
        return exit_code_of(error, arguments)
