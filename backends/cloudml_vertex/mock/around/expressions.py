"""The filter language of Cloud Monitoring and Cloud Logging, parsed whole; what a comparison means is the caller's.

NOT binds closest, then OR, then AND, and two terms side by side mean AND (Logging query language, "Boolean operators";
Monitoring filters, "Logical operators"). A value may be a function of texts, or in brackets several values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cloudml_vertex.mock.core.errors import GoogleError, invalid

LONGEST = 20_000
"""Characters of a filter (Cloud Logging; Monitoring has less, which its callers check)."""
_DEEPEST = 40
_TOKEN = re.compile(
    r"""\s*(?:--[^\n]*\n?\s*)*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<op>=~|!~|<=|>=|!=|=|<|>|:)"""
    r"""|(?P<open>\()|(?P<close>\))|(?P<comma>,)|(?P<minus>-(?=[A-Za-z"'(]))"""
    r"""|(?P<word>(?:[^\s()<>=!:,"']|(?<=\.)"[^"]*")+))"""
)
_PART = re.compile(r'"([^"]*)"|([^.]+)')


@dataclass(frozen=True)
class Value:
    """`text`, or the function `function` of `arguments`."""

    text: str
    function: str = ""
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """`path` `operator` `value`; a bare text has no path and the operator "", a bare function no path and "()"."""

    path: tuple[str, ...]
    operator: str
    value: Value


Test = Callable[[Callable[[Comparison], bool]], bool]


@dataclass(frozen=True)
class Expression:
    """What was parsed: all comparisons in it, and `test`, which asks a function about those that matter."""

    comparisons: tuple[Comparison, ...]
    test: Test


EVERYTHING = Expression((), lambda ask: True)


def parse(text: str) -> Expression:
    """The expression; an empty text takes everything. Raises INVALID_ARGUMENT, saying what is wrong where."""
    if len(text) > LONGEST:
        raise invalid(f"The filter has {len(text)} characters, and at most {LONGEST} are allowed.")
    parser = _Parser(text)
    if parser.at_end():
        return EVERYTHING
    test = parser.expression(0)
    if not parser.at_end():
        raise parser.wrong(f"unexpected {parser.peek()[1]!r}")
    return Expression(tuple(parser.comparisons), test)


def _all(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda ask: all(test(ask) for test in tests)


def _any(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda ask: any(test(ask) for test in tests)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._at = 0
        self.comparisons: list[Comparison] = []

    def _split(self) -> list[tuple[str, str]]:
        found, at = [], 0
        end = len(self._text.rstrip())
        while at < end:
            match = _TOKEN.match(self._text, at)
            if match is None or match.lastgroup is None:
                raise self.wrong(f"unexpected {self._text[at : at + 12].strip()!r}")
            found.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        return found

    def wrong(self, why: str) -> GoogleError:
        return invalid(f"Invalid filter {self._text!r}: {why}.")

    def at_end(self) -> bool:
        return self._at >= len(self._tokens)

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        index = self._at + ahead
        return self._tokens[index] if index < len(self._tokens) else ("end", "the end")

    def _word(self, word: str) -> bool:
        if self.peek() == ("word", word):
            self._at += 1
            return True
        return False

    def _take(self, kind: str, what: str) -> str:
        found = self.peek()
        if found[0] != kind:
            raise self.wrong(f"{what} is missing before {found[1]!r}")
        self._at += 1
        return found[1]

    def expression(self, depth: int) -> Test:
        if depth > _DEEPEST:
            raise self.wrong("it is nested too deeply")
        tests = [self._factor(depth)]
        while self.peek()[0] not in {"end", "close"}:
            self._word("AND")
            tests.append(self._factor(depth))
        return _all(tests)

    def _factor(self, depth: int) -> Test:
        tests = [self._term(depth)]
        while self._word("OR"):
            tests.append(self._term(depth))
        return _any(tests)

    def _term(self, depth: int) -> Test:
        if self.peek()[0] == "minus":
            self._at += 1
        elif not self._word("NOT"):
            return self._simple(depth)
        inner = self._simple(depth)
        return lambda ask: not inner(ask)

    def _simple(self, depth: int) -> Test:
        if self.peek()[0] == "open":
            self._at += 1
            inner = self.expression(depth + 1)
            self._take("close", "')'")
            return inner
        if self.peek()[0] not in {"word", "text"} or self.peek()[1] in {"AND", "OR"}:
            raise self.wrong(f"a comparison is missing before {self.peek()[1]!r}")
        if self.peek(1)[0] != "op":
            value = self._value()
            return self._ask(Comparison((), "()" if value.function else "", value))
        path = tuple(quoted or plain for quoted, plain in _PART.findall(self._unquoted()))
        operator = self._take("op", "an operator")
        if self.peek()[0] == "open":
            return self._several(path, operator)
        return self._ask(Comparison(path, operator, self._value()))

    def _unquoted(self) -> str:
        kind, text = self.peek()
        self._at += 1
        return text if kind == "word" else f'"{text[1:-1]}"'

    def _several(self, path: tuple[str, ...], operator: str) -> Test:
        """`field = ("a" OR "b")`."""
        self._take("open", "'('")
        tests, joins = [self._ask(Comparison(path, operator, self._value()))], set()
        while self.peek() in {("word", "OR"), ("word", "AND")}:
            joins.add(self._take("word", "OR"))
            tests.append(self._ask(Comparison(path, operator, self._value())))
        self._take("close", "')'")
        if len(joins) > 1:
            raise self.wrong("AND and OR are mixed among the values of one field")
        return _all(tests) if joins == {"AND"} else _any(tests)

    def _ask(self, comparison: Comparison) -> Test:
        self.comparisons.append(comparison)
        return lambda ask: ask(comparison)

    def _value(self) -> Value:
        kind, text = self.peek()
        if kind not in {"text", "word", "minus"} or text in {"AND", "OR", "NOT"}:
            raise self.wrong(f"a value is missing before {text!r}")
        self._at += 1
        if kind == "minus":
            return Value("-" + self._take("word", "a value"))
        if kind == "text":
            return Value(re.sub(r"\\(.)", r"\1", text[1:-1]))
        if self.peek()[0] == "open":
            return self._function(text)
        while self.peek() == ("op", ":") and self.peek(1)[1][:1].isdigit():  # an unquoted time has colons
            text += f":{self.peek(1)[1]}"
            self._at += 2
        return Value(text)

    def _function(self, name: str) -> Value:
        self._take("open", "'('")
        arguments: list[str] = []
        while self.peek()[0] != "close":
            if arguments:
                self._take("comma", "','")
            kind, text = self.peek()
            if kind not in {"text", "word"}:
                raise self.wrong(f"an argument of {name} is missing before {text!r}")
            self._at += 1
            arguments.append(re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "text" else text)
        self._take("close", "')'")
        return Value("", name, tuple(arguments))
