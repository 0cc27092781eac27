"""The features that a row must have. Every row is checked before it may enter a batch with its neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from cloudml.serving.problems import bad_request

Row: TypeAlias = dict[str, Any]
Kind: TypeAlias = Literal["float", "number", "boolean", "text", "any"]

_SHOWN = 40
_INT64 = 2**63


@dataclass(frozen=True)
class FeatureSchema:
    """The names of the features, in the model's order, and the kind of each. Without names any row is accepted."""

    names: tuple[str, ...] = ()
    kinds: Mapping[str, Kind] = field(default_factory=dict)

    @classmethod
    def from_sample(cls, sample: Sequence[Mapping[str, Any]], features: Sequence[str] = ()) -> FeatureSchema:
        """Learn from rows that the model is known to accept; `features` fixes names and order."""
        names = tuple(features) or tuple(dict.fromkeys(name for row in sample for name in row))
        return cls(names, {name: _kind([row.get(name) for row in sample]) for name in names})

    def conform(self, rows: Sequence[object]) -> list[Row]:
        """The rows with exactly the known features, in order; raises RequestProblem naming row and feature."""
        return [self._row(index, row) for index, row in enumerate(rows)]

    def from_text(self, name: str, text: str) -> object:
        """A CSV cell as the feature's kind; an empty cell is a missing value."""
        if text == "":
            return None
        return _PARSE[self.kinds.get(name, "any")](text)

    def _row(self, index: int, row: object) -> Row:
        if isinstance(row, list):
            row = self._from_values(index, row)
        if not isinstance(row, dict):
            raise bad_request(f"row {index}: a row must be an object of features, got {_describe(row)}")
        if not self.names:
            return {name: _checked(index, name, "any", value) for name, value in row.items()}
        missing = [name for name in self.names if name not in row]
        if missing:
            raise bad_request(f"row {index}: missing feature {_quoted(missing)}")
        return {name: _checked(index, name, self.kinds.get(name, "any"), row[name]) for name in self.names}

    def _from_values(self, index: int, values: list[Any]) -> Row:
        if not self.names:
            raise bad_request(f"row {index}: a list, but the order of the features is not known; send an object")
        if len(values) != len(self.names):
            raise bad_request(f"row {index}: {len(values)} values for {len(self.names)} features {_quoted(self.names)}")
        return dict(zip(self.names, values, strict=True))


def _kind(values: Sequence[object]) -> Kind:
    types = {type(value) for value in values if value is not None}
    if types == {bool}:
        return "boolean"
    if types == {str}:
        return "text"
    if types == {int}:
        return "number"
    if types and types <= {int, float}:
        return "float"
    return "any"


def _checked(index: int, name: str, kind: Kind, value: Any) -> Any:
    """The value, with integers made floats where the sample says so: a batch must not change a column's type."""
    if value is None:
        return None
    expected, accepts = _EXPECTED[kind]
    if not accepts(value):
        raise bad_request(f"row {index}: feature {name!r} must be {expected}, got {_describe(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise bad_request(f"row {index}: feature {name!r} must be a finite number, got {value}")
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise bad_request(f"row {index}: feature {name!r} does not fit 64 bits")
    return float(value) if kind == "float" else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_EXPECTED: dict[Kind, tuple[str, Callable[[object], bool]]] = {
    "float": ("a number", _is_number),
    "number": ("a number", _is_number),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "text": ("text", lambda value: isinstance(value, str)),
    "any": ("anything", lambda value: True),
}


def _describe(value: object) -> str:
    if isinstance(value, str):
        shown = value if len(value) <= _SHOWN else value[:_SHOWN] + "…"
        return f"text {shown!r}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", int: "a number", float: "a number"}
    return names.get(type(value), type(value).__name__)


def _quoted(names: Sequence[str], most: int = 10) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _number_or_text(text: str) -> object:
    # Text that is no number stays text: the check of the row then names row and feature.
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


_BOOLEANS = {"true": True, "false": False}

_PARSE: dict[Kind, Callable[[str], object]] = {
    "float": _number_or_text,
    "number": _number_or_text,
    "boolean": lambda text: _BOOLEANS.get(text.strip().lower(), text),
    "text": lambda text: text,
    "any": _number_or_text,
}
