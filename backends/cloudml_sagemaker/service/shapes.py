"""Strict validation against botocore's shapes: what botocore's own validator leaves to the service is held here too.

Required members, types, enums, ranges, lengths, patterns, list and map limits; the wording is that of AWS's services
("Value 'x' at 'path' failed to satisfy constraint: Member must ..."), paths in lower camel case as they print them.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

Dynamic = Callable[[Any], bool]
"""Says whether a value stands for one that is known only later (a pipeline's `{"Get": ...}`)."""

_JAVA = {
    "\\p{Alnum}": "A-Za-z0-9",
    # Surrogate pairs are Java's way to write what lies above the basic plane.
    "\\uE000-\\uFFFD\\uD800\\uDC00-\\uDBFF\\uDFFF": "\\uE000-\\uFFFD\\U00010000-\\U0010FFFF",
    "${1,128}": "$",
    "${1,256}": "$",
}
"""Java's spellings in the service model that other engines read otherwise."""


@cache
def pattern(source: str) -> Any:
    """The compiled pattern of the service model (Java syntax, `\\p{L}` and the like included)."""
    import regex

    for java, other in _JAVA.items():
        source = source.replace(java, other)
    return regex.compile(source)


def problems(
    shape: Any,
    value: Any,
    *,
    dynamic: Dynamic | None = None,
    optional: frozenset[str] = frozenset(),
    strict: bool = True,
) -> list[str]:
    """Everything wrong with `value` as a request of that shape; empty when it is right.

    `dynamic` values are left out of the check; `optional` names top-level members that need not be there though the
    model requires them (a pipeline step's job name); `strict` also refuses members that the shape does not know.
    """
    return list(_Walk(dynamic, strict).structure(shape, value, "", optional))


class _Walk:
    def __init__(self, dynamic: Dynamic | None, strict: bool) -> None:
        self._dynamic = dynamic
        self._strict = strict

    def value(self, shape: Any, value: Any, path: str) -> Iterator[str]:
        if self._dynamic is not None and self._dynamic(value):
            return
        check = _CHECKS.get(shape.type_name)
        if check is None:
            return
        yield from check(self, shape, value, path)

    def structure(self, shape: Any, value: Any, path: str, optional: frozenset[str] = frozenset()) -> Iterator[str]:
        if not isinstance(value, dict):
            yield _wrong_type(value, path, "an object")
            return
        members = shape.members if shape is not None else {}
        required = shape.required_members if shape is not None else ()
        for name in required:
            if value.get(name) is None and name not in optional:
                yield _fails("null", _join(path, name), "Member must not be null")
        if shape is not None and getattr(shape, "is_tagged_union", False):
            given = [name for name in members if value.get(name) is not None]
            if len(given) != 1:
                yield f"Value at '{path}' failed to satisfy constraint: exactly one of {', '.join(members)} must be set"
        for name, item in value.items():
            if item is None:
                continue
            if name in members:
                yield from self.value(members[name], item, _join(path, name))
            elif self._strict:
                yield f"Unknown member '{name}' at '{path or 'the request'}', must be one of: {', '.join(members)}"

    def list(self, shape: Any, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield _wrong_type(value, path, "a list")
            return
        yield from _length(shape, value, len(value), path)
        for position, item in enumerate(value, 1):
            if item is None:
                yield _fails("null", f"{path}.{position}.member", "Member must not be null")
            else:
                yield from self.value(shape.member, item, f"{path}.{position}.member")

    def map(self, shape: Any, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield _wrong_type(value, path, "a map")
            return
        yield from _length(shape, value, len(value), path)
        for key, item in value.items():
            if not self._strict and item is None:
                continue
            yield from self.value(shape.key, key, f"{path}.key")
            if item is None:
                yield _fails("null", f"{path}.{key}", "Member must not be null")
            else:
                yield from self.value(shape.value, item, f"{path}.{key}.member")

    def string(self, shape: Any, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield _wrong_type(value, path, "a string")
            return
        if shape.enum and value not in shape.enum:
            yield _fails(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
        yield from _length(shape, value, len(value), path)
        source = shape.metadata.get("pattern")
        if source and not pattern(source).fullmatch(value):
            yield _fails(value, path, f"Member must satisfy regular expression pattern: {source}")

    def integer(self, shape: Any, value: Any, path: str) -> Iterator[str]:
        whole = isinstance(value, float) and value.is_integer()
        if isinstance(value, bool) or not (isinstance(value, int) or whole):
            yield _wrong_type(value, path, "an integer")
            return
        yield from _range(shape, value, path)

    def number(self, shape: Any, value: Any, path: str) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            yield _wrong_type(value, path, "a number")
            return
        yield from _range(shape, value, path)

    def boolean(self, shape: Any, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, bool):
            yield _wrong_type(value, path, "a boolean")

    def timestamp(self, shape: Any, value: Any, path: str) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            yield _wrong_type(value, path, "a timestamp (seconds since the epoch)")

    def blob(self, shape: Any, value: Any, path: str) -> Iterator[str]:
        if isinstance(value, bytes):
            yield from _length(shape, "<bytes>", len(value), path)
            return
        try:
            size = len(base64.b64decode(value, validate=True))
        except (TypeError, ValueError):
            yield _wrong_type(value, path, "base64 text")
            return
        yield from _length(shape, "<bytes>", size, path)


_CHECKS: dict[str, Callable[[_Walk, Any, Any, str], Iterator[str]]] = {
    "structure": _Walk.structure,
    "list": _Walk.list,
    "map": _Walk.map,
    "string": _Walk.string,
    "integer": _Walk.integer,
    "long": _Walk.integer,
    "float": _Walk.number,
    "double": _Walk.number,
    "boolean": _Walk.boolean,
    "timestamp": _Walk.timestamp,
    "blob": _Walk.blob,
}


def _join(path: str, member: str) -> str:
    name = member[:1].lower() + member[1:]
    return f"{path}.{name}" if path else name


def _fails(value: Any, path: str, must: str) -> str:
    shown = str(value)
    if len(shown) > 200:
        shown = shown[:200] + "..."
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: {must}"


def _wrong_type(value: Any, path: str, wanted: str) -> str:
    return _fails(value, path, f"Member must be {wanted}")


def _length(shape: Any, value: Any, length: int, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and length < low:
        yield _fails(value, path, f"Member must have length greater than or equal to {low}")
    if high is not None and length > high:
        yield _fails(value, path, f"Member must have length less than or equal to {high}")


def _range(shape: Any, value: float, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and value < low:
        yield _fails(value, path, f"Member must have value greater than or equal to {low}")
    if high is not None and value > high:
        yield _fails(value, path, f"Member must have value less than or equal to {high}")


def prune(shape: Any, value: Any) -> Any:
    """`value` with only what the response shape knows: private keys and nulls are left out."""
    if shape is None:
        return {}
    if shape.type_name == "structure" and isinstance(value, dict):
        members = shape.members
        return {
            name: prune(members[name], item) for name, item in value.items() if name in members and item is not None
        }
    if shape.type_name == "list" and isinstance(value, list | tuple):
        return [prune(shape.member, item) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: prune(shape.value, item) for key, item in value.items()}
    return value
