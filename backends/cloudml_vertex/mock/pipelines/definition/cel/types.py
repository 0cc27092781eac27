"""Types of expressions, and which functions take what (the standard definitions of cel-spec, doc/langdef.md).

A type is a word (int, uint, double, string, bool, null, dyn), a ListType, a MapType or a Message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ListType:
    """list(of)."""

    of: Type

    def __str__(self) -> str:
        return f"list({self.of})"


@dataclass(frozen=True)
class MapType:
    """map(string, of). `entries` are keys whose types are known; with `closed` there are no others."""

    of: Type
    entries: Mapping[str, Type] = field(default_factory=dict, hash=False)
    closed: bool = False
    what: str = "key"

    def __str__(self) -> str:
        return f"map(string, {self.of})"


@dataclass(frozen=True)
class Message:
    """A message with known fields."""

    name: str
    fields: Mapping[str, Type] = field(hash=False)

    def __str__(self) -> str:
        return self.name


Type = str | ListType | MapType | Message

NUMBERS = ("int", "uint", "double")

_SAME = {
    "_+_": (*NUMBERS, "string"),
    "_-_": NUMBERS,
    "_*_": NUMBERS,
    "_/_": NUMBERS,
    "_%_": ("int", "uint"),
}
_ORDERED = (*NUMBERS, "string", "bool")

OVERLOADS: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    **{operator: tuple(((kind, kind), kind) for kind in kinds) for operator, kinds in _SAME.items()},
    **{f"_{sign}_": tuple(((kind, kind), "bool") for kind in _ORDERED) for sign in ("<", "<=", ">", ">=")},
    "_&&_": ((("bool", "bool"), "bool"),),
    "_||_": ((("bool", "bool"), "bool"),),
    "!_": ((("bool",), "bool"),),
    "-_": ((("int",), "int"), (("double",), "double")),
    "int": tuple(((kind,), "int") for kind in (*NUMBERS, "string")),
    "uint": tuple(((kind,), "uint") for kind in (*NUMBERS, "string")),
    "double": tuple(((kind,), "double") for kind in (*NUMBERS, "string")),
    "string": tuple(((kind,), "string") for kind in (*NUMBERS, "string", "bool")),
    "bool": ((("bool",), "bool"), (("string",), "bool")),
    "size": ((("string",), "int"), (("list",), "int"), (("map",), "int")),
    "contains": ((("string", "string"), "bool"),),
    "startsWith": ((("string", "string"), "bool"),),
    "endsWith": ((("string", "string"), "bool"),),
    "matches": ((("string", "string"), "bool"),),
    "parseJson": ((("string",), "dyn"),),
}
"""What a function takes and gives; "list" and "map" stand for any of them."""

METHODS_ONLY = frozenset({"contains", "startsWith", "endsWith"})
METHODS = METHODS_ONLY | {"size", "matches"}


def accepts(wanted: str, given: Type) -> bool:
    """Whether a value of the type `given` may be taken where an overload wants `wanted`."""
    if given == "dyn":
        return True
    if wanted == "list":
        return isinstance(given, ListType)
    return isinstance(given, MapType) if wanted == "map" else given == wanted


def assignable(one: Type, other: Type) -> bool:
    """Whether two types may be the same: dyn is like any."""
    if "dyn" in (one, other):
        return True
    if isinstance(one, ListType) and isinstance(other, ListType):
        return assignable(one.of, other.of)
    if isinstance(one, MapType) and isinstance(other, MapType):
        return assignable(one.of, other.of)
    return one == other
