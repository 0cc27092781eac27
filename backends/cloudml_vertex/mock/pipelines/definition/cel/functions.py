"""Functions and operators on values, by the standard definitions of cel-spec (doc/langdef.md).

int is 64 bits signed, uint 64 bits unsigned, double IEEE 754; leaving a range is an error. Values of types that no
overload takes are an error.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from cloudml_vertex.mock.pipelines.definition.cel.lexer import INT_MAX, UINT_MAX
from cloudml_vertex.mock.pipelines.definition.cel.syntax import CelError, Uint

_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (Uint, "uint"),
    (int, "int"),
    (float, "double"),
    (str, "string"),
    (list, "list"),
    (dict, "map"),
)
_TRUE, _FALSE = ("1", "t", "true", "TRUE", "True"), ("0", "f", "false", "FALSE", "False")
_NOT_RE2 = re.compile(r"\\[1-9]|\(\?(?:=|!|<=|<!|P=|\(|>|#)|\\Z")
"""What Python's regular expressions have and RE2 has not."""


_DOUBLE_TEXT = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE)


def kind(value: Any) -> str:
    """The type of a value, in words."""
    return next((name for of, name in _NAMES if isinstance(value, of)), "null")


def no_overload(function: str, *values: Any) -> CelError:
    """No function of that name takes these values."""
    return CelError(f"no such overload: {function} applied to ({', '.join(kind(value) for value in values)})")


def integer(value: int) -> int:
    """An int within its range. Raises CelError."""
    if not -INT_MAX - 1 <= value <= INT_MAX:
        raise CelError("integer overflow")
    return value


def unsigned(value: int) -> Uint:
    """A uint within its range. Raises CelError."""
    if not 0 <= value <= UINT_MAX:
        raise CelError("unsigned integer overflow")
    return Uint(value)


def equal(left: Any, right: Any, cross_numbers: bool) -> bool:
    """`==`. With `cross_numbers` values of all types compare; without, different types have no overload."""
    one, other = kind(left), kind(right)
    if one != other:
        if "null" in (one, other):
            return False
        if not cross_numbers:
            raise no_overload("_==_", left, right)
        numbers = {"int", "uint", "double"}
        return one in numbers and other in numbers and bool(left == right)
    if one == "list":
        return len(left) == len(right) and all(equal(a, b, cross_numbers) for a, b in zip(left, right, strict=True))
    if one == "map":
        return left.keys() == right.keys() and all(equal(left[key], right[key], cross_numbers) for key in left)
    return bool(left == right)


def compare(operator: str, left: Any, right: Any, cross_numbers: bool) -> bool:
    """<, <=, > and >=. Raises CelError."""
    one, other = kind(left), kind(right)
    numbers = {"int", "uint", "double"}
    fits = one == other and one in numbers | {"string", "bool"}
    if not fits and not (cross_numbers and one in numbers and other in numbers):
        raise no_overload(operator, left, right)
    return _COMPARE[operator](left, right)


def arithmetic(operator: str, left: Any, right: Any) -> Any:
    """+, -, *, / and %. Raises CelError."""
    one = kind(left)
    if one != kind(right):
        raise no_overload(operator, left, right)
    if operator == "_+_" and one in {"string", "list"}:
        return left + right
    if one == "double" and operator != "_%_":
        return _divided(left, right) if operator == "_/_" else _DOUBLE[operator](left, right)
    if one not in {"int", "uint"}:
        raise no_overload(operator, left, right)
    if operator in {"_/_", "_%_"} and right == 0:
        raise CelError("division by zero" if operator == "_/_" else "modulus by zero")
    result = _WHOLE[operator](int(left), int(right))
    return integer(result) if one == "int" else unsigned(result)


def negated(value: Any) -> Any:
    """Unary minus. Raises CelError."""
    if kind(value) == "int":
        return integer(-value)
    if kind(value) == "double":
        return -value
    raise no_overload("-_", value)


def called(function: str, args: tuple[Any, ...]) -> Any:
    """A function's value. Raises CelError."""
    return _FUNCTIONS[function](*args)


def _divided(left: float, right: float) -> float:
    if right:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def _quotient(left: int, right: int) -> int:
    """Towards zero."""
    return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "_<_": lambda a, b: bool(a < b),
    "_<=_": lambda a, b: bool(a <= b),
    "_>_": lambda a, b: bool(a > b),
    "_>=_": lambda a, b: bool(a >= b),
}
_DOUBLE: dict[str, Callable[[float, float], float]] = {
    "_+_": lambda a, b: a + b,
    "_-_": lambda a, b: a - b,
    "_*_": lambda a, b: a * b,
}
_WHOLE: dict[str, Callable[[int, int], int]] = {
    "_+_": lambda a, b: a + b,
    "_-_": lambda a, b: a - b,
    "_*_": lambda a, b: a * b,
    "_/_": _quotient,
    "_%_": lambda a, b: a - b * _quotient(a, b),
}


def _to_whole(name: str, limit: Callable[[int], int], pattern: str) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        of = kind(value)
        if of in {"int", "uint"}:
            return limit(int(value))
        if of == "double":
            if not math.isfinite(value):
                raise CelError(f"{value} is out of the range of {name}")
            return limit(math.trunc(value))
        if of == "string":
            if not re.fullmatch(pattern, value, re.ASCII):
                raise CelError(f"type conversion error: {value!r} is no {name}")
            return limit(int(value))
        raise no_overload(name, value)

    return convert


def _to_double(value: Any) -> float:
    if kind(value) in {"int", "uint", "double"}:
        return float(value)
    if kind(value) != "string":
        raise no_overload("double", value)
    if not _DOUBLE_TEXT.fullmatch(value):
        raise CelError(f"type conversion error: {value!r} is no double")
    return float(value)


def _to_string(value: Any) -> str:
    if kind(value) == "bool":
        return "true" if value else "false"
    if kind(value) in {"int", "uint"}:
        return str(int(value))
    if kind(value) == "double":
        return _double_text(value)
    if kind(value) == "string":
        return str(value)
    raise no_overload("string", value)


def _double_text(value: float) -> str:
    """The shortest text that reads back as the double; whole ones without a fraction, as cel-go and cel-cpp write."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e21:
        return f"{value:.0f}"
    return repr(value)


def _to_bool(value: Any) -> bool:
    if kind(value) == "bool":
        return bool(value)
    if kind(value) != "string":
        raise no_overload("bool", value)
    if value not in (*_TRUE, *_FALSE):
        raise CelError(f"type conversion error: {value!r} is no bool")
    return value in _TRUE


def _size(value: Any) -> int:
    if kind(value) not in {"string", "list", "map"}:
        raise no_overload("size", value)
    return len(value)


def _on_strings(name: str, of: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def call(text: Any, other: Any) -> bool:
        if kind(text) != "string" or kind(other) != "string":
            raise no_overload(name, text, other)
        return of(text, other)

    return call


def _matches(text: str, pattern: str) -> bool:
    """Whether the RE2 pattern occurs in the text; what Python reads otherwise than RE2 is refused."""
    if _NOT_RE2.search(pattern):
        raise CelError(f"{pattern!r} is no regular expression of RE2")
    try:
        return re.search(pattern.replace(r"\z", r"\Z"), text) is not None
    except (re.error, OverflowError) as error:
        raise CelError(f"{pattern!r} is no regular expression: {error}") from None


def _parsed(text: Any) -> Any:
    if kind(text) != "string":
        raise no_overload("parseJson", text)
    try:
        return of_json(json.loads(text))
    except ValueError:
        raise CelError("parseJson: the text is no JSON") from None


def of_json(value: Any) -> Any:
    """A JSON value as CEL sees it: every number is a double (google.protobuf.Value)."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return float(value)
    if isinstance(value, list):
        return [of_json(item) for item in value]
    if isinstance(value, dict):
        return {key: of_json(item) for key, item in value.items()}
    return value


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "int": _to_whole("int", integer, r"[+-]?\d+"),
    "uint": _to_whole("uint", unsigned, r"\d+"),
    "double": _to_double,
    "string": _to_string,
    "bool": _to_bool,
    "size": _size,
    "contains": _on_strings("contains", lambda text, other: other in text),
    "startsWith": _on_strings("startsWith", str.startswith),
    "endsWith": _on_strings("endsWith", str.endswith),
    "matches": _on_strings("matches", _matches),
    "parseJson": _parsed,
}
