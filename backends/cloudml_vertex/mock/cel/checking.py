"""What can be known of an expression before it runs: types by types of variables; whatever has no overload is refused.

A type is its name in CEL, or "dyn" where only the value will tell.
"""

from __future__ import annotations

from collections.abc import Callable

from cloudml_vertex.mock.cel.errors import CelTypeError
from cloudml_vertex.mock.cel.tree import Call, Index, ListOf, Literal, MapOf, Name, Node, Select
from cloudml_vertex.mock.cel.values import FUNCTIONS, METHODS

Resolve = Callable[[Node], str | None]
"""The type of a reference that the caller knows (`inputs.parameter_values['x']`); None for one that it does not. Raises
CelTypeError for a reference to what does not exist."""

_NUMBERS = frozenset({"int", "uint", "double"})
_ORDERED = _NUMBERS | {"string", "bool"}
_RESULTS = {"int": "int", "uint": "uint", "double": "double", "string": "string", "bool": "bool", "size": "int"}
_ARGUMENTS = {
    "int": _NUMBERS | {"string"},
    "uint": _NUMBERS | {"string"},
    "double": _NUMBERS | {"string"},
    "string": _NUMBERS | {"string", "bool"},
    "bool": frozenset({"bool", "string"}),
    "size": frozenset({"string", "list", "map"}),
}
_EQUAL = frozenset({"==", "!="})
_ORDER = frozenset({"<", "<=", ">", ">="})


def check(node: Node, resolve: Resolve) -> str:
    """The type of an expression. Raises CelTypeError."""
    known = resolve(node)
    if known is not None:
        return known
    return _KINDS[type(node)](node, resolve)


def _literal(node: Literal, _resolve: Resolve) -> str:
    return "null_type" if node.kind == "null" else node.kind


def _name(node: Name, _resolve: Resolve) -> str:
    raise CelTypeError(f"undeclared reference to {node.name!r}")


def _select(node: Select, resolve: Resolve) -> str:
    return _inside(check(node.operand, resolve), f".{node.field}", {"map"})


def _index(node: Index, resolve: Resolve) -> str:
    check(node.key, resolve)
    return _inside(check(node.operand, resolve), "[...]", {"map", "list"})


def _list(node: ListOf, resolve: Resolve) -> str:
    for item in node.items:
        check(item, resolve)
    return "list"


def _map(node: MapOf, resolve: Resolve) -> str:
    for pair in node.entries:
        for item in pair:
            check(item, resolve)
    return "map"


def _inside(kind: str, what: str, holders: set[str]) -> str:
    if kind not in {*holders, "dyn"}:
        raise CelTypeError(f"a {kind} has no {what}")
    return "dyn"


def _call(node: Call, resolve: Resolve) -> str:
    if node.function == "has" and not node.method:
        if len(node.arguments) != 1 or not isinstance(node.arguments[0], Select):
            raise CelTypeError("has() takes a field, has(a.b)")
        check(node.arguments[0].operand, resolve)
        return "bool"
    kinds = [check(argument, resolve) for argument in node.arguments]
    if not node.method and node.function in _OPERATORS:
        return _OPERATORS[node.function](node.function, kinds)
    found = (METHODS if node.method else FUNCTIONS).get(node.function)
    if found is None:
        served = ", ".join(sorted({*FUNCTIONS, *METHODS}))
        raise CelTypeError(f"undeclared reference to the function {node.function!r}; served are {served}")
    if found[0] != len(kinds):
        raise _wrong(node.function, kinds)
    allowed = _ARGUMENTS.get(node.function, frozenset({"string"}))
    if any(kind not in {*allowed, "dyn"} for kind in kinds):
        raise _wrong(node.function, kinds)
    return _RESULTS.get(node.function, "bool")


def _wrong(function: str, kinds: list[str]) -> CelTypeError:
    return CelTypeError(f"found no matching overload for {function!r} applied to ({', '.join(kinds)})")


def _same(sign: str, kinds: list[str]) -> str:
    left, right = kinds
    if "dyn" not in kinds and left != right and (sign in _ORDER or "null_type" not in kinds):
        raise _wrong(sign, kinds)
    if sign in _ORDER and any(kind not in {*_ORDERED, "dyn"} for kind in kinds):
        raise _wrong(sign, kinds)
    return "bool"


def _arithmetic(sign: str, kinds: list[str]) -> str:
    left, right = kinds
    allowed = _NUMBERS - {"double"} if sign == "%" else _NUMBERS | ({"string", "list"} if sign == "+" else set())
    if any(kind not in {*allowed, "dyn"} for kind in kinds) or ("dyn" not in kinds and left != right):
        raise _wrong(sign, kinds)
    return right if left == "dyn" else left


def _bools(sign: str, kinds: list[str]) -> str:
    if any(kind not in {"bool", "dyn"} for kind in kinds):
        raise _wrong(sign.rstrip("_"), kinds)
    return "bool"


def _negative(sign: str, kinds: list[str]) -> str:
    if kinds[0] not in {"int", "double", "dyn"}:
        raise _wrong("-", kinds)
    return kinds[0]


def _conditional(sign: str, kinds: list[str]) -> str:
    if kinds[0] not in {"bool", "dyn"}:
        raise _wrong(sign, kinds)
    if kinds[1] == kinds[2]:
        return kinds[1]
    if "dyn" not in kinds[1:]:
        raise _wrong(sign, kinds)
    return "dyn"


def _within(sign: str, kinds: list[str]) -> str:
    if kinds[1] not in {"list", "map", "dyn"}:
        raise _wrong(sign, kinds)
    return "bool"


_OPERATORS: dict[str, Callable[[str, list[str]], str]] = {
    **dict.fromkeys((*_EQUAL, *_ORDER), _same),
    **dict.fromkeys("+-*/%", _arithmetic),
    **dict.fromkeys(("&&", "||", "!_"), _bools),
    "-_": _negative,
    "?:": _conditional,
    "in": _within,
}
_KINDS: dict[type, Callable[..., str]] = {
    Literal: _literal,
    Name: _name,
    Select: _select,
    Index: _index,
    ListOf: _list,
    MapOf: _map,
    Call: _call,
}
