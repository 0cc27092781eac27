"""Colours, signs, tables, durations: how text looks. Standard library only; rich is for the live view alone."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36}
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

STATUS_COLOURS = {
    "pending": "dim",
    "running": "yellow",
    "waiting": "magenta",
    "succeeded": "green",
    "cached": "cyan",
    "skipped": "dim",
    "failed": "red",
    "stopped": "yellow",
    "stopping": "yellow",
    "interrupted": "yellow",
}

_SIGNS = {
    "pending": ("○", "."),
    "running": ("●", ">"),
    "waiting": ("◷", "?"),
    "succeeded": ("✓", "+"),
    "cached": ("✓", "="),
    "skipped": ("−", "-"),
    "failed": ("✗", "x"),
    "stopped": ("■", "#"),
    "interrupted": ("■", "!"),
}

_SPINNER = ("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\")


@dataclass(frozen=True)
class Style:
    """Whether colours and signs beyond ASCII may be used."""

    colour: bool = False
    unicode: bool = False

    def paint(self, text: str, *names: str) -> str:
        """The text in a colour, or as it is."""
        if not self.colour or not text:
            return text
        return f"\x1b[{';'.join(str(_CODES[name]) for name in names)}m{text}\x1b[0m"

    def status(self, text: str, status: str) -> str:
        """The text in the colour of a status."""
        return self.paint(text, STATUS_COLOURS.get(status, "bold"))

    def sign(self, status: str, frame: int | None = None) -> str:
        """One character for a status; a running one turns with `frame`."""
        if status == "running" and frame is not None:
            spinner = _SPINNER[0 if self.unicode else 1]
            return spinner[frame % len(spinner)]
        return _SIGNS.get(status, ("?", "?"))[0 if self.unicode else 1]

    @property
    def arrow(self) -> str:
        return "→" if self.unicode else "->"

    def bar(self, done: int, total: int, width: int = 16) -> str:
        """A progress bar."""
        full = max(0, min(width, round(width * done / total))) if total > 0 else 0
        filled, empty = ("━", "─") if self.unicode else ("#", ".")
        return self.paint(filled * full, "green") + self.paint(empty * (width - full), "dim")


def style_of(stream: IO[str]) -> Style:
    """What a stream can show. NO_COLOR and TERM=dumb are kept."""
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
    colour = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(colour=colour, unicode=encoding.startswith("utf"))


def clean(text: str) -> str:
    """Text of a user or a job without control characters: it must not steer the terminal."""
    return _CONTROL.sub("�", text)


def one_line(text: str, limit: int = 160) -> str:
    """The text on one line, cut with an ellipsis."""
    joined = " ".join(clean(text).split())
    return joined if len(joined) <= limit else joined[: limit - 1] + "…"


def cells(text: str) -> int:
    """How many columns a text takes on a terminal; colours take none."""
    plain = _ESCAPES.sub("", text)
    if plain.isascii():
        return len(plain)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in plain
    )


def pad(text: str, width: int, right: bool = False) -> str:
    """Filled with spaces up to `width` columns."""
    space = " " * max(0, width - cells(text))
    return space + text if right else text + space


def grid(
    rows: Sequence[Sequence[str]], header: Sequence[str] = (), style: Style | None = None, indent: str = ""
) -> str:
    """Columns under a header, as wide as their widest cell; nothing is cut, so a pipe gets it all."""
    head = [[(style or Style()).paint(name, "dim") for name in header]] if header else []
    lines = [*head, *rows]
    widths = [max(cells(line[index]) for line in lines) for index in range(len(lines[0]))] if lines else []
    return "\n".join(
        indent + "  ".join(pad(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def duration(seconds: float | None) -> str:
    """`0.35s`, `12.3s`, `2m 05s`, `1h 03m`; nothing for None."""
    if seconds is None:
        return ""
    if seconds < 0.9995:
        return f"{max(seconds, 0.0):.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def size(count: int) -> str:
    """Bytes for a person: `812 B`, `1.4 MB`."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95 or unit == "TB":
            break
    return f"{value:.1f} {unit}"


def number(value: float) -> str:
    """A metric: whole, or in four significant digits."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def metrics_text(metrics: dict[str, float]) -> str:
    """`auc 0.8412 · f1 0.61`."""
    return "  ".join(f"{name} {number(value)}" for name, value in metrics.items())


def when(moment: str | None) -> str:
    """A UTC ISO 8601 moment in local time, to the second."""
    if not moment:
        return ""
    from datetime import datetime

    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return clean(moment)
