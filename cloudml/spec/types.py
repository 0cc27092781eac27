"""Which value fits where: types by their dotted names, nothing imported.

A type is written as Python prints it: `float`, `list[float]`, `str | None`, `polars.DataFrame`, `cloudml.Dataset`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cloudml.runtime.codecs import type_accepts
from cloudml.runtime.codecs.names import UNION, TypeName, parse_type_name

ANY = "Any"
ANYTHING = frozenset({ANY, "object"})
SCALARS = frozenset({"int", "float", "str", "bool"})
LISTS = frozenset({"list", "tuple", "set"})
PATHS = frozenset({"pathlib.Path", "cloudml.File"})
"""Types that a literal path or a `path` parameter may fill: input from outside the pipeline."""

TABLES = frozenset(
    {
        "polars.DataFrame",
        "polars.LazyFrame",
        "pandas.DataFrame",
        "pyarrow.Table",
        "cloudml.Dataset",
        "cloudml.File",
        "pathlib.Path",
    }
)
NO_MODELS = (
    SCALARS
    | (TABLES - PATHS)
    | LISTS
    | {
        "dict",
        "None",
        "numpy.ndarray",
        "pandas.Series",
        "cloudml.Report",
        "cloudml.ModelVersion",
        "cloudml.Endpoint",
        "cloudml.Step",
    }
)
"""Types that are certainly no model."""

PARAMETER_TYPES = {
    "bool": "bool",
    "int": "int",
    "float": "float",
    "str": "str",
    "path": "pathlib.Path",
    "json": ANY,
}
"""Python's names of the types of pipeline parameters."""


@lru_cache(maxsize=4096)
def parsed(type_name: str) -> TypeName:
    """The parts of a type's name; a malformed one is a type that nothing else equals."""
    try:
        return parse_type_name(type_name)
    except ValueError:
        return TypeName(type_name)


def canonical(type_name: str) -> str:
    """The name in the one form that documents use: `polars.DataFrame`, `list[float]`, `float | None`."""
    return str(parsed(type_name))


def members(type_name: str) -> tuple[TypeName, ...]:
    """The members of a union; any other type is its own only member."""
    name = parsed(type_name)
    return name.args if name.base == UNION else (name,)


def element(type_name: str) -> str:
    """What one takes out of a value of the type: `float` of `dict[str, float]` and of `list[float]`."""
    name = parsed(type_name)
    if not name.args or name.base == UNION:
        return ANY
    return str(name.args[-1] if name.base == "dict" else name.args[0])


def is_list(type_name: str) -> bool:
    """Whether a map could go over a value of the type; what is unknown may be a list."""
    return any(name.base in LISTS or name.base in ANYTHING for name in members(type_name))


def has_members(type_name: str) -> bool:
    """Whether `["field"]` may be asked of a value of the type."""
    return any(name.base in LISTS or name.base == "dict" or name.base in ANYTHING for name in members(type_name))


def is_comparable(type_name: str) -> bool:
    """Whether a condition can look at a value of the type."""
    return all(name.base in SCALARS or name.base in ANYTHING or name.base == "None" for name in members(type_name))


def is_table(type_name: str) -> bool:
    """Whether a value of the type has rows: a frame, a Dataset, a file, or a list of records."""
    return all(name.base in TABLES or name.base in LISTS or name.base in ANYTHING for name in members(type_name))


def is_model(type_name: str) -> bool:
    """Whether a value of the type can be a model; classes that are not known here may be estimators."""
    return not any(name.base in NO_MODELS for name in members(type_name))


def accepts(producer: str, consumer: str) -> bool:
    """Whether a value of the first type may feed an input of the second."""
    try:
        return type_accepts(producer, consumer)
    except ValueError:
        return producer == consumer


def fits(value: Any, type_name: str) -> bool:
    """Whether a JSON value may be given for a parameter of the type. An int may stand for a float, a bool may not."""
    return any(_fits_one(value, member) for member in members(type_name))


def _fits_one(value: Any, member: TypeName) -> bool:
    if member.base in ANYTHING:
        return True
    check = _FITS.get(member.base)
    if check is None or not check(value):
        return False
    inner = [str(one) for one in member.args if one.base != "..."]
    if not inner:
        return True
    if isinstance(value, dict):
        return all(fits(one, inner[-1]) for one in value.values())
    if member.base == "tuple" and len(inner) == len(member.args):
        return len(inner) == len(value) and all(fits(one, kind) for one, kind in zip(value, inner, strict=True))
    return all(fits(one, inner[0]) for one in value)


def _is_float(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_FITS: dict[str, Callable[[Any], bool]] = {
    "None": lambda value: value is None,
    "bool": lambda value: isinstance(value, bool),
    "int": _is_int,
    "float": _is_float,
    "str": _is_text,
    "list": _is_list,
    "tuple": _is_list,
    "set": _is_list,
    "dict": lambda value: isinstance(value, dict),
    "pathlib.Path": _is_text,
    "cloudml.File": _is_text,
}


def takes_literals(type_name: str) -> bool:
    """Whether any JSON value at all may be written for the type."""
    return any(member.base in ANYTHING or member.base in _FITS for member in members(type_name))
