"""Filters of List requests (https://google.aip.dev/160): parsed whole, and refused when a field or operator is unknown.

    state="PIPELINE_STATE_RUNNING" AND (labels.team=ml OR NOT labels.team:*) AND create_time>"2026-11-01T00:00:00Z"

OR binds closer than AND, as AIP-160 says; two terms side by side mean AND. `*` in a quoted text stands for anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from cloudml_vertex.mock.core.errors import GoogleError, invalid
from cloudml_vertex.mock.core.times import seconds

Document = dict[str, Any]
Field = str | Callable[[Document], Any]
Test = Callable[[Callable[[str], Any]], bool]
"""Given a reader of fields (MISSING where there is none), whether the row is wanted."""

MISSING: Any = object()
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<op><=|>=|!=|=|<|>|:)|(?P<open>\()|(?P<close>\))"""
    r"""|(?P<minus>-(?=[\w"'(]))|(?P<word>[^\s()<>=!:"']+(?:\."[^"]*")?))"""
)
_LONGEST = 8192
_DEEPEST = 40


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def wanted(
    filter_: str, fields: Mapping[str, Field], operators: Mapping[str, str] | None = None
) -> Callable[[Document], bool]:
    """A test of documents. `fields`: what may be filtered by, each a path in the document or a function of it; a field
    that holds a map may be followed by a key. `operators`: what a field has ("= !="), where it has not all of them.
    Raises INVALID_ARGUMENT."""
    if not filter_.strip():
        return lambda row: True
    test, used = _parsed(filter_)
    for name, operator in used:
        if operator not in (operators or {}).get(name, operator).split():
            raise invalid(f"Invalid filter {filter_!r}: the field {name!r} does not support {operator}.")
        if name not in fields and name.partition(".")[0] not in fields:
            known = ", ".join(sorted(fields))
            raise invalid(f"Invalid filter {filter_!r}: unknown field {name!r}; it may be one of: {known}.")
    return lambda row: test(lambda name: _read(row, fields, name))


def _read(row: Document, fields: Mapping[str, Field], name: str) -> Any:
    head, _, key = name.partition(".")
    field = fields.get(name)
    if field is None:
        field, rest = fields[head], key
    else:
        rest = ""
    value = field(row) if callable(field) else at(row, field)
    return at(value, rest) if rest and value is not MISSING else value


def at(value: Any, path: str) -> Any:
    """What lies at a dotted path; MISSING when nothing does. A key of a map may hold dots itself."""
    if not path:
        return value
    if not isinstance(value, dict):
        return MISSING
    if path in value:
        return value[path]
    head, _, rest = path.partition(".")
    return at(value[head], rest) if rest and head in value else MISSING


@lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[Test, frozenset[tuple[str, str]]]:
    if len(text) > _LONGEST:
        raise invalid(f"Invalid filter: it is longer than {_LONGEST} characters.")
    parser = _Parser(text)
    test = parser.expression(0)
    parser.end()
    return test, frozenset(parser.fields)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._at = 0
        self.fields: set[tuple[str, str]] = set()

    def _split(self) -> list[_Token]:
        found, at_ = [], 0
        text = self._text.rstrip()
        while at_ < len(text):
            match = _TOKEN.match(text, at_)
            if match is None or match.lastgroup is None:
                raise self._wrong(f"unexpected {text[at_ : at_ + 10]!r}")
            found.append(_Token(match.lastgroup, match[match.lastgroup]))
            at_ = match.end()
        return found

    def _wrong(self, why: str) -> GoogleError:
        return invalid(f"Invalid filter {self._text!r}: {why}.")

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, kind: str, what: str) -> _Token:
        token = self._peek()
        if token is None or token.kind != kind:
            raise self._wrong(f"{what} is missing" + (f" before {token.text!r}" if token else " at the end"))
        self._at += 1
        return token

    def _word(self, word: str) -> bool:
        token = self._peek()
        if token is not None and token.kind == "word" and token.text == word:
            self._at += 1
            return True
        return False

    def end(self) -> None:
        token = self._peek()
        if token is not None:
            raise self._wrong(f"unexpected {token.text!r}")

    def expression(self, depth: int) -> Test:
        """Factors, all of which must hold."""
        if depth > _DEEPEST:
            raise self._wrong("it is nested too deeply")
        tests = [self._factor(depth)]
        while (token := self._peek()) is not None and token.kind != "close":
            self._word("AND")
            tests.append(self._factor(depth))
        return tests[0] if len(tests) == 1 else lambda read: all(test(read) for test in tests)

    def _factor(self, depth: int) -> Test:
        tests = [self._term(depth)]
        while self._word("OR"):
            tests.append(self._term(depth))
        return tests[0] if len(tests) == 1 else lambda read: any(test(read) for test in tests)

    def _term(self, depth: int) -> Test:
        token = self._peek()
        minus = token is not None and token.kind == "minus"
        if minus:
            self._at += 1
        if minus or self._word("NOT"):
            inner = self._simple(depth)
            return lambda read: not inner(read)
        return self._simple(depth)

    def _simple(self, depth: int) -> Test:
        token = self._peek()
        if token is not None and token.kind == "open":
            self._at += 1
            inner = self.expression(depth + 1)
            self._take("close", "')'")
            return inner
        name = self._take("word", "a field").text.replace('"', "")
        operator = self._take("op", f"an operator after {name!r}").text
        value = self._argument(name)
        self.fields.add((name, operator))
        if operator == ":" and value == "*":
            absent: tuple[Any, ...] = (MISSING, None, [], {}) if "." in name else (MISSING, None, "", [], {})
            return lambda read: read(name) not in absent  # the value of a map's key may be empty
        compare = _OPERATORS[operator]
        return lambda read: compare(read(name), value)

    def _argument(self, name: str) -> str:
        token = self._peek()
        if token is None or token.kind not in {"text", "word", "minus"}:
            raise self._wrong(f"a value for {name!r} is missing")
        self._at += 1
        if token.kind == "minus":
            return "-" + self._take("word", f"a value for {name!r}").text
        parts = [token.text]
        while token.kind == "word" and (rest := self._colon()) is not None:  # an unquoted time has colons
            parts.append(rest)
        text = "".join(parts)
        return re.sub(r"\\(.)", r"\1", text[1:-1]) if token.kind == "text" else text

    def _colon(self) -> str | None:
        pair = self._tokens[self._at : self._at + 2]
        if len(pair) == 2 and pair[0].text == ":" and pair[1].kind == "word" and pair[1].text[:1].isdigit():
            self._at += 2
            return f":{pair[1].text}"
        return None


def _equal(found: Any, value: str) -> bool:
    if found is MISSING or found is None:
        return value in {"", "null"}
    if isinstance(found, bool):
        return str(found).lower() == value.lower()
    if isinstance(found, int | float):
        return _number(value) == found
    if isinstance(found, list):
        return any(_equal(item, value) for item in found)
    text = str(found)
    if "*" in value:
        return fnmatchcase(text, re.sub(r"([\[?])", r"[\1]", value))
    return text == value or _same_time(text, value)


def _same_time(text: str, value: str) -> bool:
    first, second = _time(text), _time(value)
    return first is not None and first == second


def _time(text: str) -> float | None:
    try:
        return seconds(text)
    except GoogleError:
        return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, str], bool]:
    def test(found: Any, value: str) -> bool:
        if found is MISSING or found is None:
            return False
        if isinstance(found, int | float) and not isinstance(found, bool):
            number = _number(value)
            return number is not None and compare(found, number)
        first, second = _time(str(found)), _time(value)
        if first is not None and second is not None:
            return compare(first, second)
        return compare(str(found), value)

    return test


def _has(found: Any, value: str) -> bool:
    """`:`: a map has the key, a list the item, a text the part."""
    if found is MISSING or found is None:
        return False
    if isinstance(found, dict):
        return value in found
    if isinstance(found, list):
        return any(_equal(item, value) for item in found)
    return value.strip("*").lower() in str(found).lower()


_OPERATORS: dict[str, Callable[[Any, str], bool]] = {
    "=": _equal,
    "!=": lambda found, value: not _equal(found, value),
    "<": _ordered(lambda a, b: bool(a < b)),
    "<=": _ordered(lambda a, b: bool(a <= b)),
    ">": _ordered(lambda a, b: bool(a > b)),
    ">=": _ordered(lambda a, b: bool(a >= b)),
    ":": _has,
}
