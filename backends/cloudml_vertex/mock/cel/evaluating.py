"""The value of an expression (cel-spec, "Runtime Errors", "Logical Operators")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cloudml_vertex.mock.cel.errors import CelError
from cloudml_vertex.mock.cel.tree import Call, Index, ListOf, Literal, MapOf, Name, Node, Select
from cloudml_vertex.mock.cel.values import (
    FUNCTIONS,
    METHODS,
    Int,
    Uint,
    arithmetic,
    contains,
    equal,
    kind_of,
    no_overload,
    ordered,
    whole,
)

_MAKERS: dict[str, Callable[[Any], Any]] = {"int": Int, "uint": Uint}


def evaluate(node: Node, variables: Mapping[str, Any]) -> Any:
    """The value, of variables that hold CEL values (`values.of_json`). Raises CelError."""
    return _KINDS[type(node)](node, variables)


def _literal(node: Literal, _variables: Mapping[str, Any]) -> Any:
    return _MAKERS.get(node.kind, lambda value: value)(node.value)


def _name(node: Name, variables: Mapping[str, Any]) -> Any:
    if node.name not in variables:
        raise CelError(f"undeclared reference to {node.name!r}")
    return variables[node.name]


def _select(value: Any, field: str) -> Any:
    if not isinstance(value, dict):
        raise CelError(f"type {kind_of(value)!r} has no field {field!r}")
    if field not in value:
        raise CelError(f"no such key: {field}")
    return value[field]


def _index(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        if not any(kind_of(one) == kind_of(key) and one == key for one in value):
            raise CelError(f"no such key: {key}")
        return value[key]
    if isinstance(value, list) and isinstance(key, Int):
        if not 0 <= key < len(value):
            raise CelError(f"index out of bounds: {int(key)}")
        return value[key]
    raise no_overload("[]", value, key)


def _map(node: MapOf, variables: Mapping[str, Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key_node, value_node in node.entries:
        key = evaluate(key_node, variables)
        if kind_of(key) not in {"int", "uint", "string", "bool"}:
            raise CelError(f"a key of a map cannot be a {kind_of(key)}")
        if contains(key, found):
            raise CelError(f"a map has the key {key!r} twice")
        found[key] = evaluate(value_node, variables)
    return found


def _call(node: Call, variables: Mapping[str, Any]) -> Any:
    special = _SPECIAL.get(node.function) if not node.method else None
    if special is not None:
        return special(node.arguments, variables)
    values = [evaluate(argument, variables) for argument in node.arguments]
    operator = _OPERATORS.get(node.function) if not node.method else None
    if operator is not None:
        return operator(*values)
    found = (METHODS if node.method else FUNCTIONS).get(node.function)
    if found is None or found[0] != len(values):
        raise no_overload(node.function, *values)
    return found[1](*values)


def _logical(absorbing: bool, sign: str) -> Callable[[tuple[Node, ...], Mapping[str, Any]], bool]:
    """`&&` and `||` are commutative: a side that decides absorbs the error of the other."""

    def decide(arguments: tuple[Node, ...], variables: Mapping[str, Any]) -> bool:
        failed: CelError | None = None
        for argument in arguments:
            try:
                value = evaluate(argument, variables)
            except CelError as error:
                failed = failed or error
                continue
            if not isinstance(value, bool):
                failed = failed or no_overload(sign, value)
            elif value is absorbing:
                return absorbing
        if failed is not None:
            raise failed
        return not absorbing

    return decide


def _conditional(arguments: tuple[Node, ...], variables: Mapping[str, Any]) -> Any:
    condition = evaluate(arguments[0], variables)
    if not isinstance(condition, bool):
        raise no_overload("?:", condition)
    return evaluate(arguments[1 if condition else 2], variables)


def _has(arguments: tuple[Node, ...], variables: Mapping[str, Any]) -> bool:
    if len(arguments) != 1 or not isinstance(arguments[0], Select):
        raise CelError("has() takes a field, has(a.b)")
    holder = evaluate(arguments[0].operand, variables)
    if not isinstance(holder, dict):
        raise no_overload("has", holder)
    return arguments[0].field in holder


def _negated(value: Any) -> Any:
    if isinstance(value, Int):
        return whole(-int(value))
    if isinstance(value, float):
        return -value
    raise no_overload("-", value)


def _inverted(value: Any) -> bool:
    if not isinstance(value, bool):
        raise no_overload("!", value)
    return not value


_SPECIAL: dict[str, Callable[[tuple[Node, ...], Mapping[str, Any]], Any]] = {
    "&&": _logical(absorbing=False, sign="&&"),
    "||": _logical(absorbing=True, sign="||"),
    "?:": _conditional,
    "has": _has,
}
_OPERATORS: dict[str, Callable[..., Any]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "in": contains,
    "!_": _inverted,
    "-_": _negated,
    **{sign: (lambda left, right, sign=sign: ordered(sign, left, right)) for sign in ("<", "<=", ">", ">=")},
    **{sign: (lambda left, right, sign=sign: arithmetic(sign, left, right)) for sign in ("+", "-", "*", "/", "%")},
}
_KINDS: dict[type, Callable[..., Any]] = {
    Literal: _literal,
    Name: _name,
    Select: lambda node, variables: _select(evaluate(node.operand, variables), node.field),
    Index: lambda node, variables: _index(evaluate(node.operand, variables), evaluate(node.key, variables)),
    ListOf: lambda node, variables: [evaluate(item, variables) for item in node.items],
    MapOf: _map,
    Call: _call,
}
