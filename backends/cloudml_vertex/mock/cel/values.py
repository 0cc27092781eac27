"""Values of expressions, and what the operators and functions do with them.

A value is a Python object of its own type: `Int`, `Uint`, float, str, bool, None, list or dict.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from cloudml_vertex.mock.cel.errors import CelError

_LOW, _HIGH, _UHIGH = -(2**63), 2**63 - 1, 2**64 - 1


class Int(int):
    """An int of CEL: 64 bits, signed."""


class Uint(int):
    """A uint of CEL: 64 bits."""


def of_json(value: Any) -> Any:
    """A value of google.protobuf.Value as CEL has it: every number is a double."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, dict):
        return {key: of_json(item) for key, item in value.items()}
    return [of_json(item) for item in value]


def kind_of(value: Any) -> str:
    """The name of a value's type in CEL."""
    if isinstance(value, bool):
        return "bool"
    for python, name in (
        (Int, "int"),
        (Uint, "uint"),
        (float, "double"),
        (str, "string"),
        (list, "list"),
        (dict, "map"),
    ):
        if isinstance(value, python):
            return name
    return "null_type"


def no_overload(function: str, *values: Any) -> CelError:
    """No matching overload."""
    kinds = ", ".join(kind_of(value) for value in values)
    return CelError(f"no matching overload for {function!r} applied to ({kinds})")


def whole(value: int) -> Int:
    """The int, within its bounds. Raises CelError."""
    if not _LOW <= value <= _HIGH:
        raise CelError("integer overflow")
    return Int(value)


def unsigned(value: int) -> Uint:
    """The uint, within its bounds. Raises CelError."""
    if not 0 <= value <= _UHIGH:
        raise CelError("unsigned integer overflow")
    return Uint(value)


def equal(left: Any, right: Any) -> bool:
    """`==`: of one type only. Raises CelError."""
    if left is None or right is None:
        return left is None and right is None
    if kind_of(left) != kind_of(right):
        raise no_overload("==", left, right)
    if isinstance(left, list):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return bool(left == right)


def ordered(sign: str, left: Any, right: Any) -> bool:
    """`<` and its like: numbers of one type, texts, booleans. Raises CelError."""
    if kind_of(left) != kind_of(right) or isinstance(left, list | dict) or left is None:
        raise no_overload(sign, left, right)
    if sign == "<":
        return bool(left < right)
    if sign == "<=":
        return bool(left <= right)
    return bool(left > right) if sign == ">" else bool(left >= right)


def contains(item: Any, holder: Any) -> bool:
    """`in`: of a list or of a map's keys. Raises CelError."""
    if isinstance(holder, dict):
        return any(kind_of(key) == kind_of(item) and key == item for key in holder)
    if not isinstance(holder, list):
        raise no_overload("in", item, holder)
    return any(kind_of(one) == kind_of(item) and equal(one, item) for one in holder)


def arithmetic(sign: str, left: Any, right: Any) -> Any:
    """`+ - * / %` of numbers of one type; `+` of texts and lists too. Raises CelError."""
    kind = kind_of(left)
    if kind != kind_of(right) or (kind in {"string", "list"} and sign != "+") or (kind == "double" and sign == "%"):
        raise no_overload(sign, left, right)
    if kind in {"string", "list"}:
        return left + right
    if kind == "double":
        return _double(sign, left, right)
    if kind not in {"int", "uint"}:
        raise no_overload(sign, left, right)
    return (whole if kind == "int" else unsigned)(_integer(sign, int(left), int(right)))


def _double(sign: str, left: float, right: float) -> float:
    if sign == "/" and right == 0:  # IEEE 754, as cel-spec says for doubles
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1.0, right)
    try:
        return {"+": left + right, "-": left - right, "*": left * right}[sign] if sign != "/" else left / right
    except OverflowError:
        return math.inf


def _integer(sign: str, left: int, right: int) -> int:
    if sign in {"/", "%"}:
        if right == 0:
            raise CelError("divide by zero" if sign == "/" else "modulus by zero")
        quotient = abs(left) // abs(right)  # toward zero, as in C
        quotient = quotient if (left < 0) == (right < 0) else -quotient
        return quotient if sign == "/" else left - quotient * right
    return {"+": left + right, "-": left - right, "*": left * right}[sign]


def to_int(value: Any) -> Int:
    """`int(x)`. A double is cut toward zero. Raises CelError."""
    if isinstance(value, str):
        if not re.fullmatch(r"[+-]?\d+", value, re.ASCII):
            raise CelError(f"int: {value!r} is no integer")
        return whole(int(value))
    if isinstance(value, float):
        if not math.isfinite(value) or not -(2.0**63) < value < 2.0**63:
            raise CelError("int: the double is out of range")
        return Int(int(value))
    if kind_of(value) in {"int", "uint"}:
        return whole(int(value))
    raise no_overload("int", value)


def to_uint(value: Any) -> Uint:
    """`uint(x)`. Raises CelError."""
    return unsigned(int(to_int(value)) if not isinstance(value, Uint) else int(value))


def to_double(value: Any) -> float:
    """`double(x)`. Raises CelError."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise CelError(f"double: {value!r} is no number") from None
    if kind_of(value) in {"int", "uint", "double"}:
        return float(value)
    raise no_overload("double", value)


def to_string(value: Any) -> str:
    """`string(x)`. Raises CelError."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind_of(value) in {"int", "uint"}:
        return str(int(value))
    if isinstance(value, float):
        return _shortest(value)
    raise no_overload("string", value)


def _shortest(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    return text.removesuffix(".0")


def to_bool(value: Any) -> bool:
    """`bool(x)` of a bool or a text. Raises CelError."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "True": True, "TRUE": True, "t": True, "1": True}
    known |= {"false": False, "False": False, "FALSE": False, "f": False, "0": False}
    if isinstance(value, str):
        if value not in known:
            raise CelError(f"bool: {value!r} is neither true nor false")
        return known[value]
    raise no_overload("bool", value)


def size(value: Any) -> Int:
    """`size(x)` of a text (code points), list or map. Raises CelError."""
    if not isinstance(value, str | list | dict):
        raise no_overload("size", value)
    return Int(len(value))


def _texts(name: str, work: Callable[[str, str], bool]) -> Callable[..., bool]:
    def call(left: Any, right: Any) -> bool:
        if not isinstance(left, str) or not isinstance(right, str):
            raise no_overload(name, left, right)
        return work(left, right)

    return call


def _found(text: str, pattern: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error as error:
        raise CelError(f"matches: {pattern!r} is no regular expression: {error}") from None


FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "int": (1, to_int),
    "uint": (1, to_uint),
    "double": (1, to_double),
    "string": (1, to_string),
    "bool": (1, to_bool),
    "size": (1, size),
}
"""Functions: how many arguments, and what they do."""
METHODS: dict[str, tuple[int, Callable[..., Any]]] = {
    "size": (1, size),
    "startsWith": (2, _texts("startsWith", str.startswith)),
    "endsWith": (2, _texts("endsWith", str.endswith)),
    "contains": (2, _texts("contains", str.__contains__)),
    "matches": (2, _texts("matches", _found)),
}
"""Methods, their target counted."""
