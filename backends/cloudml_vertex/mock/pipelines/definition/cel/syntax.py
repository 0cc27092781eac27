"""The tree of an expression, and the error of this package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class CelError(Exception):
    """An expression that cannot be read, typed or evaluated; the text says why."""


class Uint(int):
    """An unsigned integer, which CEL holds apart from an int."""

    __slots__ = ()


@dataclass(frozen=True)
class Literal:
    """A value written down: int, Uint, float, str, bool or None."""

    value: Any


@dataclass(frozen=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True)
class Select:
    """`of.field`; with `test`, has(of.field)."""

    of: Node
    field: str
    test: bool = False


@dataclass(frozen=True)
class Call:
    """An operator (`_+_`, `!_`, `_[_]`, `_?_:_` ...), a function, or a method, whose receiver is the first argument."""

    function: str
    args: tuple[Node, ...]
    method: bool = False


@dataclass(frozen=True)
class ListOf:
    """A list written down."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class MapOf:
    """A map written down."""

    entries: tuple[tuple[Node, Node], ...]


Node = Literal | Name | Select | Call | ListOf | MapOf
