"""What the operators of conditions and arithmetic mean over JSON values: the same on every backend."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable
from typing import Any


def _member(left: Any, right: Any) -> bool:
    if not isinstance(right, list):
        raise TypeError("the right side of `in` is not a list")
    return left in right


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return False
    return bool(left == right)


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": _equal,
    "ne": lambda left, right: not _equal(left, right),
    "in": _member,
}
"""Raise TypeError for values that have no order."""

ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
}
"""Raise TypeError and ZeroDivisionError."""

SIGNS = {
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "in": "in",
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
}
"""How an operator is written."""


def short(value: Any) -> str:
    """A value in a few characters, for a sentence about it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def field_of(value: Any, name: str | None) -> Any:
    """A member of a JSON value: by key, or of a list by index; None is the value itself.

    Raises:
        KeyError: there is none; the message names what the value holds.
    """
    if name is None:
        return value
    if isinstance(value, dict) and name in value:
        return value[name]
    if isinstance(value, list) and name.lstrip("-").isdigit() and -len(value) <= int(name) < len(value):
        return value[int(name)]
    held = ", ".join(value) if isinstance(value, dict) else type(value).__name__
    raise KeyError(f"there is no {name!r} in it (it holds: {held})")
