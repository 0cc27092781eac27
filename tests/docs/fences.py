"""Reads the fenced code of a page, and runs its shell sessions.

A `console` block is a session: lines after `$ ` are commands (a line that ends with a backslash goes on), what follows
is what they print. Commands must succeed unless `$ echo $?` comes next. What a page shows is compared as follows:
`...` stands for anything (alone on a line: for any lines); numbers with a fraction, durations, clock times, ports and
digests stand for any of their kind; runs of spaces count as one. Lines that begin with `#` are remarks.

A block with a title, such as ```toml title="cloudml.toml", is a file.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w+-]*) *(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="([^"]+)"')
_ANYTHING = re.compile(r"(\\ )?\\\.\\\.\\\.(\\ )?")  # an escaped `...` with the spaces around it
_STATE = "__state__"
_OWN = ("_", "SHLVL", "PWD", "OLDPWD")  # variables of bash itself

_VOLATILE = (
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "<clock>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d <clock>"), "<when>"),
    (re.compile(r"(127\.0\.0\.1|localhost):\d+"), "<address>"),
    (re.compile(r"\b(sha256|tree|blake3):[0-9a-f]+"), "<digest>"),
    (re.compile(r"\b(\d+h )?(\d+m )?\d+(\.\d+)? ?(ms|s)\b"), "<duration>"),
    (re.compile(r"\b\d+(\.\d+)? ?(B|kB|MB|GB)\b"), "<size>"),
    (re.compile(r"-?\b\d+\.\d+(e-?\d+)?\b"), "<number>"),
    (re.compile(r"[─-╿ \t]+"), " "),
)


@dataclass(frozen=True)
class Fence:
    """One fenced block: its language, its title, its text, and the line in the page where the text begins."""

    language: str
    title: str
    body: str
    line: int


@dataclass
class Command:
    """A command of a session and the lines that the page shows as its output."""

    text: str
    line: int
    shown: list[str] = field(default_factory=list)


def fences(page: str) -> list[Fence]:
    """All fenced blocks of a page, in order."""
    found = []
    for match in _FENCE.finditer(page):
        indent = match["indent"]
        body = "".join(line.removeprefix(indent) for line in match["body"].splitlines(keepends=True))
        title = _TITLE.search(match["info"])
        line = page.count("\n", 0, match.start("body")) + 1
        found.append(Fence(match["language"], title[1] if title else "", body, line))
    return found


def commands(fence: Fence) -> list[Command]:
    """The commands of a `console` block."""
    found: list[Command] = []
    goes_on = False
    for number, line in enumerate(fence.body.splitlines(), fence.line):
        if goes_on:
            found[-1].text += "\n" + line
        elif line.startswith("$ "):
            found.append(Command(line[2:], number))
        elif found:
            found[-1].shown.append(line)
        else:
            raise ValueError(f"line {number}: a console block begins with a command, `$ ...`")
        goes_on = line.endswith("\\") and (goes_on or line.startswith("$ "))
    return found


def matches(shown: list[str], printed: str) -> bool:
    """Whether a command printed what the page shows; a page that shows nothing says nothing about it."""
    if not shown:
        return True
    pattern = ""
    for line in shown:
        text = _settle(line)
        pattern += r"(.*\n)*?" if text == "..." else _ANYTHING.sub(".*?", re.escape(text)) + r"\n"
    actual = "".join(f"{_settle(line)}\n" for line in printed.splitlines() if line.strip())
    return re.fullmatch(pattern, actual) is not None


def _settle(line: str) -> str:
    for pattern, name in _VOLATILE:
        line = pattern.sub(name, line)
    return line.strip()


class Shell:
    """A shell session: folder, variables and the last exit code live on from command to command."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.status = 0

    def run(self, command: str, timeout: float = 600) -> tuple[int, str]:
        """The exit code, and what was printed on both streams."""
        with tempfile.NamedTemporaryFile() as variables:
            mark = f'\n__status=$?\nprintf "\\n{_STATE}%s\\n" "$PWD"\nenv -0 > {variables.name}\nexit $__status'
            script = f"(exit {self.status})\n{command}{mark}"
            done = subprocess.run(
                ["bash", "-c", script], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False,
            )  # fmt: skip
            pairs = [line.partition("=") for line in variables.read().decode().split("\0") if line]
        printed, _, state = done.stdout.rpartition(f"\n{_STATE}")
        if state:
            self.folder = Path(state.strip())
        if pairs:
            self.environment = {name: value for name, _, value in pairs if name not in _OWN}
        self.status = done.returncode
        return done.returncode, printed
