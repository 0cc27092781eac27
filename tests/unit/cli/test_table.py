"""The help page is written from a table without loading a command; it must say what the commands are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from cloudml.cli import reference, table
from cloudml.cli.app import tree
from cloudml.cli.table import COMMANDS

if TYPE_CHECKING:
    from cli_world import Invoke

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"

REQUIRED = [
    "init",
    "check",
    "graph",
    "run",
    "apply",
    "deploy",
    "runs",
    "show",
    "logs",
    "why",
    "rerun",
    "resume",
    "stop",
    "models",
    "approve",
    "promote",
    "endpoints",
    "rollback",
    "fetch",
    "destroy",
    "invoke",
    "mock",
    "backends",
    "gc",
    "doctor",
    "permissions",
    "build",
    "completion",
    "plan",
]


def command(name: str) -> click.Command:
    found = tree.get_command(click.Context(tree), name)
    assert found is not None
    return found


def test_every_promised_command_is_there() -> None:
    assert set(REQUIRED) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    found = command(name)
    assert found.name == name
    assert found.help is not None
    first = found.help.split("\n")[0]
    known = COMMANDS[name][1]
    assert first.split()[0] == known.split()[0], (first, known)


def test_the_help_of_the_tree_is_the_help_of_the_table(cloudml: Invoke) -> None:
    assert tree.get_help(click.Context(tree)) == table.help_text()
    shown = cloudml("--help")
    assert shown.out == table.help_text() + "\n"
    for name, (_, text, section) in COMMANDS.items():
        assert f"  {name}" in shown.out
        assert text in shown.out
        assert f"{section}:" in shown.out


def test_the_help_page_fits_a_terminal() -> None:
    assert max(map(len, table.help_text().splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_json_can_be_asked_of_every_command(name: str) -> None:
    options = {word for parameter in command(name).params for word in parameter.opts}
    assert "--output" in options


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    for parameter in command(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_the_reference_page_is_the_render_of_the_commands() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.render(), (
        "run: python -m cloudml.cli.reference > docs/reference/cli.md"
    )


def test_the_reference_page_has_every_command_and_exit_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"### cloudml {name}\n" in page for name in COMMANDS)
    assert all(f"| {code} | {meaning} |" in page for code, meaning in table.EXIT_CODES)
