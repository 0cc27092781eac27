"""URI templates of google.api.http (`/v1/{name=projects/*/models/*}:export`): matching a path, many at a time.

Rules: google/api/http.proto, "Path template syntax": `*` is one segment, `**` any number, a variable without a pattern
is one segment; one-segment variables are decoded whole, longer ones save `%2F`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import unquote

Value = TypeVar("Value")
_PART = re.compile(r"\{(?P<name>[\w.]+)(?:=(?P<pattern>[^}]*))?\}|(?P<stars>\*\*?)|(?P<text>[^{*]+)")
_KEPT = re.compile("(%2[fF])")


@dataclass(frozen=True)
class Template:
    """One template as a regular expression over the encoded path."""

    expression: re.Pattern[str]
    names: tuple[str, ...]
    long: frozenset[str]
    """Variables of more than one segment."""

    def match(self, path: str) -> dict[str, str] | None:
        """The variables of a path, decoded; None when it does not fit."""
        found = self.expression.fullmatch(path)
        if found is None:
            return None
        return {
            name: _decoded(text, long=name in self.long) for name, text in zip(self.names, found.groups(), strict=True)
        }


def compiled(template: str) -> Template:
    """Read a template."""
    names: list[str] = []
    long: set[str] = set()

    def replaced(part: re.Match[str]) -> str:
        if part["name"] is None:
            return _expression(part["stars"]) if part["stars"] else re.escape(part["text"])
        pattern = part["pattern"] or "*"
        names.append(part["name"])
        if "/" in pattern or "**" in pattern:
            long.add(part["name"])
        return f"({_expression(pattern)})"

    expression = "".join(map(replaced, _PART.finditer(template)))
    return Template(re.compile(expression), tuple(names), frozenset(long))


def _expression(pattern: str) -> str:
    pieces = {"**": ".*", "*": "[^/]+"}
    return "".join(pieces.get(part) or re.escape(part) for part in re.split(r"(\*\*?)", pattern))


def _decoded(text: str, *, long: bool) -> str:
    if not long:
        return unquote(text)
    return "".join(part if _KEPT.fullmatch(part) else unquote(part) for part in _KEPT.split(text))


class Table(Generic[Value]):
    """Templates with what they stand for; found by verb, number of segments and custom verb before any is tried."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int, str], list[tuple[Template, Value]]] = {}

    def add(self, verb: str, template: str, value: Value) -> None:
        """Enter one; of two that fit the same path the first is found."""
        bare = re.sub(r"\{[\w.]+(?:=([^}]*))?\}", lambda found: found[1] or "*", template)
        segments = -1 if "**" in bare else bare.count("/")
        action = bare.rpartition("/")[2].partition(":")[2]
        self._rows.setdefault((verb, segments, action), []).append((compiled(template), value))

    def find(self, verb: str, path: str) -> tuple[Value, dict[str, str]] | None:
        """What fits a verb and an encoded path."""
        action = path.rpartition("/")[2].rpartition(":")[2] if ":" in path.rpartition("/")[2] else ""
        for segments in (path.count("/"), -1):
            for one in (action, "") if action else ("",):
                for template, value in self._rows.get((verb, segments, one), ()):
                    variables = template.match(path)
                    if variables is not None:
                        return value, variables
        return None
