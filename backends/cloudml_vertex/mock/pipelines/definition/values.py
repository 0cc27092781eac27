"""Parameter values and their types (`ParameterType.ParameterTypeEnum` of pipeline_spec.proto)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Value = Any
"""Native JSON: str, int, float, bool, list, dict, or None for what has no value."""

LARGEST_INTEGER = 2**53 - 1
"""Integers travel as doubles: beyond it they must be strings (NUMBER_INTEGER in pipeline_spec.proto)."""

PRIMITIVES = {"INT": "NUMBER_INTEGER", "DOUBLE": "NUMBER_DOUBLE", "STRING": "STRING"}
"""The deprecated `PrimitiveType` by which schema version 2.0.0 types parameters."""


def native(value: Any) -> Value:
    """A google.protobuf.Value as native JSON; whole numbers are int."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        return whole(value.number_value)
    if kind == "struct_value":
        return native_struct(value.struct_value)
    if kind == "list_value":
        return [native(item) for item in value.list_value.values]
    return None if kind in {None, "null_value"} else getattr(value, kind)


def native_struct(struct: Any) -> dict[str, Value]:
    """A google.protobuf.Struct as native JSON."""
    return {key: native(item) for key, item in struct.fields.items()}


def whole(number: float) -> int | float:
    """An int for a whole number: JSON does not tell 4 from 4.0."""
    return int(number) if math.isfinite(number) and number == int(number) else number


def plain(value: Value) -> Value:
    """The value with its whole numbers as int, all the way down."""
    if isinstance(value, float):
        return whole(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def fitted(value: Value, kind: str) -> Value:
    """The value as its type has it. Raises ValueError with what is wrong."""
    return _FIT[kind](value)


def from_text(text: str, kind: str) -> Value:
    """What a parameter's text file says: strings as they are, all else as JSON. Raises ValueError."""
    if kind == "STRING":
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = _BARE.get(text.strip().lower()) if kind == "BOOLEAN" else None
        if value is None:
            raise ValueError(f"{_shown(text)} is no {kind}") from None
    return fitted(value, kind)


def to_text(value: Value) -> str:
    """A value inside a command: strings as they are, numbers in plain decimals, true and false, JSON for the rest."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        number = whole(value)
        fraction = isinstance(number, float) and math.isfinite(number)
        return format(Decimal(repr(number)), "f") if fraction else str(number)
    return "" if value is None else json.dumps(plain(value), ensure_ascii=False)


def _shown(value: Value) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _integer(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or isinstance(whole(value), float):
        raise ValueError(f"{_shown(value)} is no NUMBER_INTEGER")
    if abs(value) > LARGEST_INTEGER:
        raise ValueError(f"{_shown(value)} is beyond 2^53-1, where doubles do not hold integers: use a STRING")
    return int(value)


def _double(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_shown(value)} is no NUMBER_DOUBLE")
    return float(value)


def _instance(kind: str, of: type) -> Callable[[Value], Value]:
    def fit(value: Value) -> Value:
        if not isinstance(value, of):
            raise ValueError(f"{_shown(value)} is no {kind}")
        return plain(value)

    return fit


_BARE = {"true": True, "false": False}
_FIT: dict[str, Callable[[Value], Value]] = {
    "NUMBER_INTEGER": _integer,
    "NUMBER_DOUBLE": _double,
    "STRING": _instance("STRING", str),
    "BOOLEAN": _instance("BOOLEAN", bool),
    "LIST": _instance("LIST", list),
    "STRUCT": _instance("STRUCT", dict),
    "TASK_FINAL_STATUS": _instance("TASK_FINAL_STATUS", dict),
}

TYPES = tuple(_FIT)
"""The types that are served; TASK_CONFIG is none of Vertex AI's."""

Artifact = Mapping[str, Any]
"""`RuntimeArtifact` in proto3 JSON: name, type, uri, metadata."""


@dataclass(frozen=True)
class Values:
    """Inputs or outputs of a task: parameters, and artifacts, each name with one or several."""

    parameters: Mapping[str, Value] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict)
