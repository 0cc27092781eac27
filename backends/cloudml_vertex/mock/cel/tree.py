"""An expression, parsed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Literal:
    """`kind`: int, uint, double, string, bool or null."""

    kind: str
    value: Any


@dataclass(frozen=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True)
class Select:
    """`operand.field`."""

    operand: Node
    field: str


@dataclass(frozen=True)
class Index:
    """`operand[key]`."""

    operand: Node
    key: Node


@dataclass(frozen=True)
class Call:
    """A function, or a method: then its target is the first argument. Operators are functions named by their sign."""

    function: str
    arguments: tuple[Node, ...]
    method: bool = False


@dataclass(frozen=True)
class ListOf:
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class MapOf:
    """`{k: v}`."""

    entries: tuple[tuple[Node, Node], ...]


Node: TypeAlias = Literal | Name | Select | Index | Call | ListOf | MapOf
