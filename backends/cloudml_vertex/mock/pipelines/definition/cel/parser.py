"""From text to tree, by the grammar of the language definition (cel-spec, doc/langdef.md)."""

from __future__ import annotations

from dataclasses import dataclass

from cloudml_vertex.mock.pipelines.definition.cel.lexer import INT_MAX, Token, tokens
from cloudml_vertex.mock.pipelines.definition.cel.syntax import (
    Call,
    CelError,
    ListOf,
    Literal,
    MapOf,
    Name,
    Node,
    Select,
)

DEEPEST = 100
"""Nested expressions: the definition asks for 32 operators of a kind and 12 levels at least; a limit keeps hostile
texts from the stack."""

LONGEST = 32_768
"""Characters of an expression."""

_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",),
    ("&&",),
    ("<", "<=", ">=", ">", "==", "!=", "in"),
    ("+", "-"),
    ("*", "/", "%"),
)
"""Binary operators, the loosest first; all group to the left."""


def parse(text: str) -> Node:
    """The tree of an expression. Raises CelError."""
    if len(text) > LONGEST:
        raise CelError(f"an expression has at most {LONGEST} characters")
    reader = _Reader(tokens(text))
    found = reader.expression()
    if reader.next.kind != "end":
        raise CelError(f"unexpected {reader.next.value!r} at {reader.next.at}")
    if _height(found) > DEEPEST:
        raise CelError(f"an expression is nested at most {DEEPEST} deep")
    return found


def _height(node: Node) -> int:
    """How many nodes lie one below the other; chains of operators make height without parentheses."""
    height = 0
    row: list[Node] = [node]
    while row:
        height += 1
        row = [below for one in row for below in _below(one)]
    return height


def _below(node: Node) -> tuple[Node, ...]:
    match node:
        case Call(_, args):
            return args
        case Select(of):
            return (of,)
        case ListOf(items):
            return items
        case MapOf(entries):
            return tuple(part for entry in entries for part in entry)
    return ()


@dataclass
class _Reader:
    found: list[Token]
    at: int = 0
    depth: int = 0

    @property
    def next(self) -> Token:
        return self.found[self.at]

    def take(self, *values: str) -> str | None:
        """The operator if it comes next."""
        token = self.next
        if token.kind == "op" and token.value in values:
            self.at += 1
            return str(token.value)
        return None

    def need(self, value: str) -> None:
        if self.take(value) is None:
            shown = "the end" if self.next.kind == "end" else repr(self.next.value)
            raise CelError(f"expected {value!r} and found {shown} at {self.next.at}")

    def expression(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise CelError(f"an expression is nested at most {DEEPEST} deep")
        found = self.binary(0)
        if self.take("?"):
            then = self.binary(0)
            self.need(":")
            found = Call("_?_:_", (found, then, self.expression()))
        self.depth -= 1
        return found

    def binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self.unary()
        found = self.binary(level + 1)
        while True:
            operator = self.take(*_LEVELS[level])
            if operator is None:
                return found
            found = Call(f"_{operator}_", (found, self.binary(level + 1)))

    def unary(self) -> Node:
        operator = self.take("!", "-")
        if operator is None:
            return self.member()
        count = 1
        while self.take(operator):
            count += 1
        token = self.next
        number = token.kind == "literal" and type(token.value) in {int, float}
        if operator == "-" and number:
            found = self.member(negative=True)
            count -= 1
        else:
            found = self.member()
        for _ in range(count):
            found = Call(f"{operator}_", (found,))
        return found

    def member(self, negative: bool = False) -> Node:
        found = self.primary(negative)
        while True:
            if self.take("."):
                field = self.name()
                found = Call(field, (found, *self.list_until(")")), True) if self.take("(") else Select(found, field)
            elif self.take("["):
                found = Call("_[_]", (found, self.expression()))
                self.need("]")
            else:
                return found

    def name(self) -> str:
        token = self.next
        if token.kind != "name":
            raise CelError(f"expected a name at {token.at}")
        self.at += 1
        return str(token.value)

    def primary(self, negative: bool) -> Node:
        token = self.next
        if token.kind == "literal":
            self.at += 1
            return _literal(token, negative)
        if self.take("("):
            found = self.expression()
            self.need(")")
            return found
        if self.take("["):
            return ListOf(self.list_until("]"))
        if self.take("{"):
            return MapOf(self.entries())
        name = self.name() if token.kind == "name" else None
        if name is None:
            raise CelError(f"unexpected {'end' if token.kind == 'end' else repr(token.value)} at {token.at}")
        if self.take("("):
            return _function(name, self.list_until(")"))
        return Name(name)

    def list_until(self, closing: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self.take(closing):
            if found:
                self.need(",")
                if closing == "]" and self.take(closing):
                    break
            found.append(self.expression())
        return tuple(found)

    def entries(self) -> tuple[tuple[Node, Node], ...]:
        found: list[tuple[Node, Node]] = []
        while not self.take("}"):
            if found:
                self.need(",")
                if self.take("}"):
                    break
            key = self.expression()
            self.need(":")
            found.append((key, self.expression()))
        return tuple(found)


def _literal(token: Token, negative: bool) -> Literal:
    value = -token.value if negative else token.value
    if type(value) is int and value > INT_MAX:
        raise CelError(f"{value} at {token.at} is out of the range of int")
    return Literal(value)


def _function(name: str, args: tuple[Node, ...]) -> Node:
    if name != "has":
        return Call(name, args)
    if len(args) != 1 or not isinstance(args[0], Select) or args[0].test:
        raise CelError("has() takes one selection of a field, as in has(x.y)")
    return Select(args[0].of, args[0].field, test=True)
