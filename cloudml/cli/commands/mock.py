"""`mock`: start a mock cloud on this machine, for a shell or around one command."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudml.cli import options
from cloudml.cli.options import Call
from cloudml.cli.style import grid, one_line, style_of

if TYPE_CHECKING:
    from cloudml.mocks.port import MockOptions, RunningMock


def _time(_ctx: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time; write it like 2026-01-31T09:00:00") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _pairs(_ctx: click.Context, option: click.Parameter, words: tuple[str, ...]) -> dict[str, str]:
    if any(not name or not equals for name, equals, _ in (word.partition("=") for word in words)):
        raise click.BadParameter(f"write {option.metavar}")
    return dict(word.partition("=")[::2] for word in words)


@click.command()
@click.argument("name", required=False)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Of loopback.  [default: any free]")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep everything there, and go on from it.",
)
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="PATTERN=COMMAND",
    help="What stands for an image: a virtual environment, or a command; repeatable.",
)
@click.option(
    "--isolation",
    type=click.Choice(["auto", "namespaces", "paths", "container"]),
    default="auto",
    show_default=True,
    help="How the processes of jobs are kept apart.",
)
@click.option("--hold-clock", "hold", is_flag=True, help="Time moves only when it is told to.")
@click.option("--start", metavar="TIME", callback=_time, help="When a held clock begins (UTC).  [default: now]")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="RULE",
    help="KIND:PATTERN[,count=N][,after=N][,probability=P][,seed=N][,seconds=S]; repeatable.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    callback=_pairs,
    metavar="NAME=CHOICE",
    help="What to do where the cloud's behaviour is not published; repeatable.",
)
@click.option(
    "--function",
    "functions",
    multiple=True,
    callback=_pairs,
    metavar="NAME=MODULE:FUNCTION",
    help="The Python function that stands for a Lambda function; repeatable.",
)
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Jobs at a time.  [default: 2 for each core]")
@options.plain
def mock(call: Call, /, name: str | None, command: tuple[str, ...], **given: Any) -> int:
    """Start the mock cloud NAME (sagemaker, vertex) and serve until Ctrl-C; without NAME, list the mocks.

    With `-- COMMAND`, run that with the environment set, and end with its exit code.
    """
    if name is None:
        return _list(call)
    from cloudml.discovery import load_mock

    cloud = load_mock(name)
    with _running(cloud.start(_options(given))) as running:
        if command:
            return _around(running, command)
        _tell(call, name, running)
        _until_signal()
    return 0


def _options(given: dict[str, Any]) -> MockOptions:
    from cloudml.mocks.port import MockOptions

    if given["start"] is not None and not given["hold"]:
        raise click.UsageError("--start is for a held clock: say --hold-clock too")
    if given["jobs"] is None:
        del given["jobs"]
    return MockOptions(**given)


@contextmanager
def _running(mock: RunningMock) -> Iterator[RunningMock]:
    try:
        yield mock
    finally:
        mock.stop()


def _list(call: Call) -> int:
    from cloudml.discovery import mocks

    found = mocks()
    style = style_of(sys.stdout)
    rows = [
        (
            style.paint(item.name, "bold"),
            style.paint("not usable", "red") if item.error else style.paint("ready", "green"),
            one_line(item.error or item.description, 200),
        )
        for item in found
    ]
    document = {"mocks": [vars(item) for item in found]}
    call.answer(document, lambda: grid(rows, ("MOCK", "STATE", ""), style))
    return 0


def _tell(call: Call, name: str, running: RunningMock) -> None:
    kind, reason = running.isolation
    document = {
        "mock": name,
        "url": running.url,
        "pid": os.getpid(),
        "environment": dict(running.environment),
        "isolation": kind,
        "reason": reason,
        "warnings": list(running.warnings),
    }
    lines = [f"{name} answers at {running.url} until Ctrl-C. In the shell of your client:", ""]
    lines += [f"  export {variable}={shlex.quote(value)}" for variable, value in running.environment.items()]
    hidden = sorted(name for name in os.environ if name.startswith(running.hides) and name not in running.environment)
    lines += [f"  unset {' '.join(hidden)}"] if hidden else []
    lines += ["", f"Jobs run isolated by {kind}: {reason}."]
    lines += [f"Note: {warning}" for warning in running.warnings]
    call.answer(document, "\n".join(lines))
    sys.stdout.flush()


def _until_signal() -> None:
    """Until Ctrl-C or SIGTERM."""
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ended.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment(running: RunningMock) -> dict[str, str]:
    """This process's, pointed at the mock, without what would lead a client past it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(running.hides)}
    return {**kept, **running.environment}


def _around(running: RunningMock, command: tuple[str, ...]) -> int:
    """Run a command as a client of the mock; signals go to it, and its exit code is ours."""
    try:
        process = subprocess.Popen(command, env=_environment(running))  # noqa: S603 - what the caller asked for
    except OSError as error:
        raise click.UsageError(f"{command[0]} cannot be started: {error.strerror}") from None
    # Ctrl-C reaches the command by the terminal; it says when it has ended.
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
    }
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code
