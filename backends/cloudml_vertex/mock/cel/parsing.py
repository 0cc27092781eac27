"""Tokens to a tree (cel-spec, "Syntax": the grammar, by recursive descent)."""

from __future__ import annotations

from functools import lru_cache

from cloudml_vertex.mock.cel.errors import CelSyntaxError
from cloudml_vertex.mock.cel.lexing import Token, tokens
from cloudml_vertex.mock.cel.tree import Call, Index, ListOf, Literal, MapOf, Name, Node, Select

_DEEPEST = 100
_RELATIONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_INT = (-(2**63), 2**63 - 1)


@lru_cache(maxsize=1024)
def parse(text: str) -> Node:
    """The expression. Raises CelSyntaxError."""
    parser = _Parser(text)
    node = parser.expression()
    parser.end()
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0

    @property
    def _here(self) -> Token:
        return self._tokens[self._at]

    def _sign(self, *signs: str) -> str:
        """The sign that stands here, taken; "" when none of these does."""
        token = self._here
        if token.kind == "sign" and token.text in signs:
            self._at += 1
            return token.text
        return ""

    def _need(self, sign: str) -> None:
        if not self._sign(sign):
            raise self._unexpected(f", where {sign!r} must stand")

    def _unexpected(self, more: str = "") -> CelSyntaxError:
        token = self._here
        what = "the end" if token.kind == "end" else f"{token.text!r} at character {token.at + 1}"
        return CelSyntaxError(f"unexpected {what}{more}")

    def end(self) -> None:
        if self._here.kind != "end":
            raise self._unexpected()

    def expression(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise CelSyntaxError("the expression is nested too deeply")
        node = self._or()
        if self._sign("?"):
            yes = self._or()
            self._need(":")
            node = Call("?:", (node, yes, self.expression()))
        self._depth -= 1
        return node

    def _or(self) -> Node:
        node = self._and()
        while self._sign("||"):
            node = Call("||", (node, self._and()))
        return node

    def _and(self) -> Node:
        node = self._relation()
        while self._sign("&&"):
            node = Call("&&", (node, self._relation()))
        return node

    def _relation(self) -> Node:
        node = self._sum()
        while True:
            sign = self._sign(*_RELATIONS)
            if not sign and self._here.kind == "name" and self._here.text == "in":
                self._at += 1
                sign = "in"
            if not sign:
                return node
            node = Call(sign, (node, self._sum()))

    def _sum(self) -> Node:
        node = self._product()
        while sign := self._sign("+", "-"):
            node = Call(sign, (node, self._product()))
        return node

    def _product(self) -> Node:
        node = self._unary()
        while sign := self._sign("*", "/", "%"):
            node = Call(sign, (node, self._unary()))
        return node

    def _unary(self) -> Node:
        signs = 0
        first = self._sign("!", "-")
        if not first:
            return self._member()
        while first and self._sign(first):
            signs += 1
        signs += 1
        if first == "-" and self._here.kind in {"int", "double"}:  # -9223372036854775808 is one literal
            node = self._member(negative=True)
            signs -= 1
        else:
            node = self._member()
        for _ in range(signs):
            node = Call("!_" if first == "!" else "-_", (node,))
        return node

    def _member(self, *, negative: bool = False) -> Node:
        node = self._primary(negative=negative)
        while sign := self._sign(".", "["):
            if sign == "[":
                node = Index(node, self.expression())
                self._need("]")
                continue
            name = self._identifier()
            node = Call(name, (node, *self._list(")")), method=True) if self._sign("(") else Select(node, name)
        return node

    def _identifier(self) -> str:
        token = self._here
        if token.kind != "name":
            raise self._unexpected(", where a name must stand")
        self._at += 1
        return token.text

    def _list(self, end: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._sign(end):
            found.append(self.expression())
            if not self._sign(","):
                self._need(end)
                break
        return tuple(found)

    def _map(self) -> MapOf:
        entries: list[tuple[Node, Node]] = []
        while not self._sign("}"):
            key = self.expression()
            self._need(":")
            entries.append((key, self.expression()))
            if not self._sign(","):
                self._need("}")
                break
        return MapOf(tuple(entries))

    def _primary(self, *, negative: bool) -> Node:
        token = self._here
        if token.kind in {"int", "uint", "double", "string"}:
            self._at += 1
            return _literal(token, negative=negative)
        if token.kind == "name":
            return self._named()
        if self._sign("("):
            node = self.expression()
            self._need(")")
            return node
        if self._sign("["):
            return ListOf(self._list("]"))
        if self._sign("{"):
            return self._map()
        raise self._unexpected()

    def _named(self) -> Node:
        name = self._identifier()
        if name in {"true", "false", "null"}:
            return Literal("null", None) if name == "null" else Literal("bool", name == "true")
        if name == "in":
            self._at -= 1
            raise self._unexpected()
        return Call(name, self._list(")")) if self._sign("(") else Name(name)


def _literal(token: Token, *, negative: bool) -> Literal:
    if token.kind == "string":
        return Literal("string", token.text)
    if token.kind == "double":
        return Literal("double", -float(token.text) if negative else float(token.text))
    number = int(token.text.rstrip("uU"), 0 if token.text[1:2] in {"x", "X"} else 10)
    if token.kind == "uint":
        if number >= 2**64:
            raise CelSyntaxError(f"{token.text} is larger than a uint can be")
        return Literal("uint", number)
    number = -number if negative else number
    if not _INT[0] <= number <= _INT[1]:
        raise CelSyntaxError(f"{number} is not between the bounds of an int (64 bits)")
    return Literal("int", number)
