"""The value of an expression. && and || take in any order and absorb errors, as the language definition says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudml_vertex.mock.pipelines.definition.cel import functions
from cloudml_vertex.mock.pipelines.definition.cel.syntax import (
    Call,
    CelError,
    ListOf,
    Literal,
    Name,
    Node,
    Select,
)

_COMPARED = frozenset({"_<_", "_<=_", "_>_", "_>=_"})
_EQUALITY = frozenset({"_==_", "_!=_"})
_ARITHMETIC = frozenset({"_+_", "_-_", "_*_", "_/_", "_%_"})


def evaluate(node: Node, variables: Mapping[str, Any], cross_numbers: bool = False) -> Any:
    """The value of an expression that `check` has passed. Raises CelError, never anything else.

    Values are bool, int, Uint, float, str, None, list and dict. `cross_numbers`: numbers of different types compare.
    """
    return _Evaluator(variables, cross_numbers).value(node)


@dataclass(frozen=True)
class _Evaluator:
    variables: Mapping[str, Any]
    cross_numbers: bool

    def value(self, node: Node) -> Any:
        match node:
            case Literal(value):
                return value
            case Name(name):
                return self.variable(name)
            case Select(of, field, test):
                return _select(self.value(of), field, test)
            case Call(function, args):
                lazy = _LAZY.get(function)
                return lazy(self, *args) if lazy is not None else self.apply(function, args)
        if isinstance(node, ListOf):
            return [self.value(item) for item in node.items]
        return _map([(self.value(key), self.value(value)) for key, value in node.entries])

    def variable(self, name: str) -> Any:
        if name not in self.variables:
            raise CelError(f"no such variable {name!r}")
        return self.variables[name]

    def apply(self, function: str, nodes: tuple[Node, ...]) -> Any:
        args = tuple(self.value(node) for node in nodes)
        if function in _COMPARED:
            return functions.compare(function, args[0], args[1], self.cross_numbers)
        if function in _ARITHMETIC:
            return functions.arithmetic(function, args[0], args[1])
        if function in _EQUALITY:
            return functions.equal(args[0], args[1], self.cross_numbers) is (function == "_==_")
        if function == "_in_":
            return _in(args[0], args[1], self.cross_numbers)
        return _PLAIN[function](*args) if function in _PLAIN else functions.called(function, args)

    def both(self, left: Node, right: Node) -> bool:
        return self.logic("_&&_", left, right, deciding=False)

    def either(self, left: Node, right: Node) -> bool:
        return self.logic("_||_", left, right, deciding=True)

    def logic(self, operator: str, left: Node, right: Node, *, deciding: bool) -> bool:
        """Either side decides by itself, whatever the other does; else an error of either side is the outcome."""
        error: CelError | None = None
        value: object
        for side in (left, right):
            try:
                value = self.value(side)
            except CelError as raised:
                error = error or raised
                continue
            if value is deciding:
                return deciding
            if not isinstance(value, bool):
                error = error or functions.no_overload(operator, value)
        if error is not None:
            raise error
        return not deciding

    def choice(self, asked: Node, then: Node, other: Node) -> Any:
        chosen = self.value(asked)
        if not isinstance(chosen, bool):
            raise functions.no_overload("_?_:_", chosen)
        return self.value(then if chosen else other)


def _not(value: Any) -> bool:
    if not isinstance(value, bool):
        raise functions.no_overload("!_", value)
    return not value


def _select(of: Any, field: str, test: bool) -> Any:
    if not isinstance(of, dict):
        raise CelError(f"no such field {field!r} in a {functions.kind(of)}")
    if test:
        return field in of
    if field not in of:
        raise CelError(f"no such key: {field}")
    return of[field]


def _index(of: Any, key: Any) -> Any:
    if isinstance(of, list):
        if functions.kind(key) != "int":
            raise functions.no_overload("_[_]", of, key)
        if not 0 <= key < len(of):
            raise CelError(f"index out of bounds: {key}")
        return of[key]
    if not isinstance(of, dict):
        raise functions.no_overload("_[_]", of, key)
    found = _found(of, key)
    if found is None:
        raise CelError(f"no such key: {key}")
    return found[0]


def _found(of: dict[Any, Any], key: Any) -> tuple[Any] | None:
    """The entry whose key is equal and of the same type: Python holds 1, 1.0 and True for one."""
    if functions.kind(key) not in {"string", "int", "uint", "bool"}:
        raise functions.no_overload("_[_]", of, key)
    for known, value in of.items():
        if known == key and functions.kind(known) == functions.kind(key):
            return (value,)
    return None


def _in(item: Any, of: Any, cross_numbers: bool) -> bool:
    if isinstance(of, dict):
        return _found(of, item) is not None
    if not isinstance(of, list):
        raise functions.no_overload("_in_", item, of)
    error: CelError | None = None
    for one in of:
        try:
            if functions.equal(item, one, cross_numbers):
                return True
        except CelError as raised:
            error = raised
    if error is not None:
        raise error
    return False


def _map(entries: list[tuple[Any, ...]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, value in entries:
        if functions.kind(key) not in {"string", "int", "uint", "bool"}:
            raise CelError(f"unsupported key type: {functions.kind(key)}")
        if _found(found, key) is not None:
            raise CelError(f"the key {key!r} is twice in a map")
        if key in found:
            raise CelError("a map with equal keys of different types is not supported in conditions")
        found[key] = value
    return found


_LAZY: dict[str, Callable[..., Any]] = {
    "_&&_": _Evaluator.both,
    "_||_": _Evaluator.either,
    "_?_:_": _Evaluator.choice,
}
_PLAIN: dict[str, Callable[..., Any]] = {"!_": _not, "-_": functions.negated, "_[_]": _index}
