"""The options that many commands share, and `Call`: where and how one command was called."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from cloudml.cli import complete, output

if TYPE_CHECKING:
    from cloudml.backend.port import RunOptions, Session, Target
    from cloudml.operations.project import Project

P = ParamSpec("P")
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Call:
    """The project, the target and the form of output that a command was called with."""

    directory: Path | None = None
    backend: str | None = None
    target_name: str | None = None
    json: bool = False

    @functools.cached_property
    def project(self) -> Project:
        """The project around `--project` or the working directory. Raises ProjectError."""
        from cloudml.operations.project import load_project

        return load_project(self.directory)

    @functools.cached_property
    def target(self) -> Target:
        """The target of the project that the options choose."""
        return self.project.target(self.target_name, self.backend)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """The open backend."""
        from cloudml.operations.session import open_session

        with open_session(self.target) as session:
            yield session

    def answer(self, document: Mapping[str, Any], text: str | Callable[[], str]) -> None:
        """Print the object, or the text; exactly one of them."""
        if self.json:
            output.write_json(document)
            return
        shown = text if isinstance(text, str) else text()
        if shown:
            output.write(shown)


def apply(function: Function, options: tuple[Callable[[Any], Any], ...]) -> Function:
    """Put options on a function so that the help lists them in this order."""
    for option in reversed(options):
        function = option(function)
    return function


_OUTPUT = click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For a person, or one JSON object on stdout and nothing else.",
)
_PLACE = (
    click.option("--backend", metavar="NAME", shell_complete=complete.backends, help="The backend, such as local."),
    click.option("--target", metavar="NAME", shell_complete=complete.targets, help="A target of cloudml.toml."),
    click.option(
        "--project",
        "directory",
        metavar="DIR",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The project's directory.  [default: this one, or the nearest above that has a cloudml.toml]",
    ),
)


def plain(function: Callable[Concatenate[Call, P], int]) -> Callable[..., int]:
    """For commands that need no project: only `--output`."""

    @functools.wraps(function)
    def wrapper(form: str, *args: P.args, **kwargs: P.kwargs) -> int:
        return function(Call(json=form == "json"), *args, **kwargs)

    return apply(wrapper, (_OUTPUT,))


def placed(function: Callable[Concatenate[Call, P], int]) -> Callable[..., int]:
    """For commands that work in a project and on a target."""

    @functools.wraps(function)
    def wrapper(
        form: str, directory: Path | None, backend: str | None, target: str | None, *args: P.args, **kwargs: P.kwargs
    ) -> int:
        return function(Call(directory, backend, target, form == "json"), *args, **kwargs)

    return apply(wrapper, (*_PLACE, _OUTPUT))


def _read_parameters(ctx: click.Context, option: click.Parameter, words: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{word!r} is not of the form name=value", ctx, option)
        if name in found:
            raise click.BadParameter(f"parameter {name!r} is given twice", ctx, option)
        found[name] = value
    return found


parameters = click.option(
    "-p",
    "--param",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_read_parameters,
    help="A parameter of the pipeline; repeatable.",
)

pipeline = click.argument("pipeline", required=False, metavar="[PIPELINE]", shell_complete=complete.pipelines)

yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")

prune = click.option(
    "--prune", is_flag=True, help="Also remove what is declared no more and cannot be made again, with what it holds."
)

who = click.option("--as", "who", metavar="WHO", help="Who decides.  [default: the user of this machine]")

reason = click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept with the decision.")


def person(who: str | None) -> str:
    """Who decides: the name that was given, else the user of this machine."""
    if who:
        return who
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise click.UsageError("this machine does not tell who you are; say it with --as WHO") from None


driving = (
    click.option("--parallel", type=click.IntRange(min=1), metavar="N", help="Cores to use.  [default: all]"),
    click.option("--wait", is_flag=True, help="Stay while a person's approval is awaited."),
    click.option("--no-cache", is_flag=True, help="Compute everything anew."),
    click.option("-q", "--quiet", is_flag=True, help="No progress; only the outcome."),
)


def driven(function: Function) -> Function:
    """The options of commands that drive a run."""
    return apply(function, driving)


def run_options(parallel: int | None, wait: bool, no_cache: bool) -> RunOptions:
    """The options as the backend takes them."""
    from cloudml.backend.port import RunOptions

    return RunOptions(parallel=parallel, wait=wait, cache=not no_cache)
