"""Typing an expression before it ever runs, as CEL's checker does: what can be known to fail is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloudml_vertex.mock.pipelines.definition.cel.syntax import (
    Call,
    CelError,
    ListOf,
    Literal,
    MapOf,
    Name,
    Node,
    Select,
    Uint,
)
from cloudml_vertex.mock.pipelines.definition.cel.types import (
    METHODS,
    METHODS_ONLY,
    NUMBERS,
    OVERLOADS,
    ListType,
    MapType,
    Message,
    Type,
    accepts,
    assignable,
)

_LITERALS: dict[type, Type] = {
    bool: "bool",
    int: "int",
    Uint: "uint",
    float: "double",
    str: "string",
    type(None): "null",
}
_KEYS = ("string", "int", "uint", "bool", "dyn")
_COMPARED = ("_<_", "_<=_", "_>_", "_>=_")


def check(node: Node, variables: Mapping[str, Type], cross_numbers: bool = False) -> Type:
    """The type of the expression. Raises CelError for what is undeclared, unknown or has no overload.

    `cross_numbers`: whether <, <=, > and >= compare numbers of different types.
    """
    return _Checker(variables, cross_numbers).type(node)


@dataclass(frozen=True)
class _Checker:
    variables: Mapping[str, Type]
    cross_numbers: bool

    def type(self, node: Node) -> Type:
        match node:
            case Literal(value):
                return _LITERALS[type(value)]
            case Name(name):
                return self.variable(name)
            case Select(of, field, test):
                found = _field(self.type(of), field, test)
                return "bool" if test else found
            case Call():
                return self.call(node)
        return ListType(self.joined(node.items)) if isinstance(node, ListOf) else self.map(node)

    def variable(self, name: str) -> Type:
        if name not in self.variables:
            raise CelError(f"undeclared reference to {name!r}")
        return self.variables[name]

    def joined(self, nodes: Iterable[Node]) -> Type:
        return _joined([self.type(node) for node in nodes])

    def map(self, node: MapOf) -> Type:
        for key, _ in node.entries:
            if self.type(key) not in _KEYS:
                raise CelError("the keys of a map are strings, integers or booleans")
        return MapType(self.joined(value for _, value in node.entries))

    def call(self, node: Call) -> Type:
        function = node.function
        if function not in _SPECIAL and (function not in OVERLOADS or _misused(function, node.method)):
            raise CelError(f"undeclared reference to {function!r}: no such function in conditions")
        types = [self.type(arg) for arg in node.args]
        if function in _SPECIAL:
            return _SPECIAL[function](node.args, types)
        return _call(function, types, self.cross_numbers)


def _misused(function: str, method: bool) -> bool:
    return function in METHODS_ONLY if not method else function not in METHODS


def _call(function: str, types: list[Type], cross_numbers: bool) -> Type:
    results = {
        result
        for wanted, result in OVERLOADS[function]
        if len(wanted) == len(types) and all(accepts(one, given) for one, given in zip(wanted, types, strict=True))
    }
    if cross_numbers and function in _COMPARED and all(one in (*NUMBERS, "dyn") for one in types):
        results.add("bool")
    if function == "_+_" and all(isinstance(one, ListType) or one == "dyn" for one in types) and len(types) == 2:
        return (
            ListType(_joined([one.of for one in types if isinstance(one, ListType)])) if "dyn" not in types else "dyn"
        )
    if not results:
        raise _no_overload(function, types)
    return results.pop() if len(results) == 1 else "dyn"


def _no_overload(function: str, types: list[Type]) -> CelError:
    return CelError(f"no matching overload for {function!r} applied to ({', '.join(map(str, types))})")


def _joined(types: list[Type]) -> Type:
    return types[0] if types and all(one == types[0] for one in types) else "dyn"


def _field(of: Type, field: str, test: bool) -> Type:
    if of == "dyn":
        return "dyn"
    if isinstance(of, MapType):
        return _entry(of, field, test)
    if isinstance(of, Message):
        if field not in of.fields:
            raise CelError(f"{of} has no field {field!r}")
        return of.fields[field]
    raise CelError(f"type {of} has no field {field!r}")


def _entry(of: MapType, key: str, test: bool = False) -> Type:
    if of.closed and key not in of.entries and not test:
        raise CelError(f"there is no {of.what} {key!r}")
    return of.entries.get(key, of.of)


def _index(args: tuple[Node, ...], types: list[Type]) -> Type:
    of, key = types
    if of == "dyn":
        return "dyn"
    if isinstance(of, ListType) and key in {"int", "dyn"}:
        return of.of
    if isinstance(of, MapType) and key in _KEYS:
        literal = args[1]
        return _entry(of, literal.value) if isinstance(literal, Literal) and key == "string" else of.of
    raise _no_overload("_[_]", types)


def _equality(args: tuple[Node, ...], types: list[Type]) -> Type:
    if not assignable(*types):
        raise _no_overload("_==_", types)
    return "bool"


def _inequality(args: tuple[Node, ...], types: list[Type]) -> Type:
    if not assignable(*types):
        raise _no_overload("_!=_", types)
    return "bool"


def _in(args: tuple[Node, ...], types: list[Type]) -> Type:
    item, of = types
    fits = of == "dyn" or (isinstance(of, ListType) and assignable(item, of.of))
    if not fits and not (isinstance(of, MapType) and item in _KEYS):
        raise _no_overload("_in_", types)
    return "bool"


def _choice(args: tuple[Node, ...], types: list[Type]) -> Type:
    if types[0] not in {"bool", "dyn"} or not assignable(types[1], types[2]):
        raise _no_overload("_?_:_", types)
    return _joined(types[1:])


_SPECIAL = {"_[_]": _index, "_==_": _equality, "_!=_": _inequality, "_in_": _in, "_?_:_": _choice}
