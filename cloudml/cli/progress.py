"""Listeners that show a run while it goes on: lines for a pipe or a log, a live tree for a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from cloudml.backend.records import Event, Listener, RunRecord
from cloudml.cli.runview import RunView
from cloudml.cli.style import Style, clean, duration, one_line, pad, style_of
from cloudml.cli.tree import UNTIMED, tree_lines

FRAMES_PER_SECOND = 8
LOOKUP_PAUSE = 0.5
"""Least seconds between two questions to the backend; longer when an answer takes long, to stay under a twentieth."""

Lookup = Callable[[str], RunRecord]


def is_interactive(stream: IO[str]) -> bool:
    """Whether a live view makes sense: a person's terminal, not a log."""
    return stream.isatty() and not (
        os.environ.get("NO_COLOR") or os.environ.get("CI") or os.environ.get("TERM") in ("dumb", "unknown")
    )


class Lines:
    """One line for each change of state: `12:01:07 features          succeeded  1.2s`."""

    def __init__(self, stream: IO[str], style: Style) -> None:
        self._stream: IO[str] | None = stream
        self._style = style
        self._last: dict[str | None, str] = {}
        self._width = 16

    def __call__(self, event: Event) -> None:
        told = event.status == "pending" or self._last.get(event.task) == event.status
        ended = event.task is None and event.status != "running"  # the command tells the end of the run itself
        if told or ended or self._stream is None:
            return
        self._last[event.task] = event.status
        name = clean(event.task if event.task is not None else event.run)
        self._width = max(self._width, min(len(name), 48))
        spent = duration(event.duration) if event.status not in ("running", *UNTIMED) else ""
        detail = one_line(event.detail) if event.status not in ("succeeded", "cached", "running") else ""
        tail = "  ".join(part for part in (spent, detail) if part)
        status = self._style.status(pad(event.status, 10), event.status)
        self._write(f"{time.strftime('%H:%M:%S')} {pad(name, self._width)}  {status} {tail}".rstrip())

    def _write(self, line: str) -> None:
        try:
            print(line, file=self._stream, flush=True)
        except UnicodeEncodeError:
            print(line.encode("ascii", "replace").decode(), file=self._stream, flush=True)
        except OSError:
            self._stream = None  # the reader went away; the run goes on


class Live:
    """A tree that is drawn anew a few times a second by a thread of rich; events only change what it draws."""

    def __init__(self, view: RunView, lookup: Lookup, style: Style) -> None:
        self._view = view
        self._lookup = lookup
        self._style = style
        self._next_question = 0.0
        self._news = False

    def __call__(self, event: Event) -> None:
        unknown = self._view.update(event)
        self._news |= unknown or not self._view.pipeline or event.status == "succeeded"
        began = time.monotonic()
        if self._news and began > self._next_question:
            self._news = False
            self._learn(event)
            ended = time.monotonic()
            self._next_question = ended + max(LOOKUP_PAUSE, 20 * (ended - began))

    def _learn(self, event: Event) -> None:
        """Ask the backend for all steps, their places and metrics; a refusal costs the display, never the run."""
        try:
            self._view.seed(self._lookup(event.run))
        except Exception:  # noqa: BLE001
            return
        self._view.update(event)

    def frame(self, width: int, height: int) -> str:
        """The tree at this moment."""
        turn = int(time.monotonic() * FRAMES_PER_SECOND)
        return "\n".join(tree_lines(self._view, self._style, width=width, height=height, frame=turn))


@contextmanager
def shown(target: str, lookup: Lookup, *, quiet: bool, json: bool) -> Iterator[Listener]:
    """A listener that fits where the output goes. With JSON on stdout, the lines go to stderr."""
    stream = sys.stderr if json else sys.stdout
    if quiet:
        yield lambda event: None
    elif json or not is_interactive(stream):
        yield Lines(stream, style_of(stream))
    else:
        with _live(Live(RunView(target), lookup, style_of(stream))) as listener:
            yield listener


@contextmanager
def _live(listener: Live) -> Iterator[Listener]:
    from rich.console import Console
    from rich.live import Live as Screen
    from rich.text import Text

    console = Console(highlight=False)

    def draw() -> Text:
        height = max(6, console.size.height - 2)
        return Text.from_ansi(listener.frame(console.size.width, height), no_wrap=True, overflow="crop")

    with Screen(
        get_renderable=draw,
        console=console,
        refresh_per_second=FRAMES_PER_SECOND,
        transient=True,
        vertical_overflow="crop",
    ):
        yield listener
