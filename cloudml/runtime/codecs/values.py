"""Is a value what the function declares? Asked of what it returned, before anything is stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cloudml.runtime.codecs.compatibility import ANYTHING, DICTS, LISTS
from cloudml.runtime.codecs.json_values import resolve_type
from cloudml.runtime.codecs.names import UNION, TypeName, parse_type_name, public_name

NUMBERS: dict[str, tuple[type, ...]] = {"float": (float, int), "int": (int,)}
PLAIN: dict[str, type] = {"bool": bool, "bytes": bytes, "bytearray": bytearray, "str": str, "None": type(None)}
PATHS = frozenset({"pathlib.Path", "cloudml.Dataset", "cloudml.File", "cloudml.Model", "cloudml.Report"})
UNCHECKED = frozenset({"Literal"})


def mismatch(value: Any, declared: str) -> str:
    """What `value` is instead of `declared`, in words: `dict`, `str at [3]`; empty when it fits."""
    return _mismatch(value, parse_type_name(declared), "")


def _mismatch(value: Any, name: TypeName, where: str) -> str:  # noqa: PLR0911 - one rule a line
    base = name.base
    if base in ANYTHING or base in UNCHECKED:
        return ""
    if base == UNION:
        problems = [_mismatch(value, member, where) for member in name.args]
        return "" if "" in problems else _described(value, where)
    if base in NUMBERS:
        return "" if _is_number(value, base) else _described(value, where)
    if base in PLAIN:
        return "" if isinstance(value, PLAIN[base]) else _described(value, where)
    if base in LISTS:
        return _list_mismatch(value, name, where)
    if base in DICTS:
        return _dict_mismatch(value, name, where)
    return "" if _is_instance(value, base) else _described(value, where)


def _described(value: Any, where: str) -> str:
    return public_name(type(value)) + (f" at {where}" if where else "")


def _is_number(value: Any, base: str) -> bool:
    """Python's numbers and numpy's scalars; a bool is neither a float nor an int here."""
    if isinstance(value, bool):
        return False
    if isinstance(value, NUMBERS[base]):
        return True
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return getattr(value, "shape", None) == () and kind in ("iu" if base == "int" else "iuf")


def _list_mismatch(value: Any, name: TypeName, where: str) -> str:
    wanted = (list, tuple) if name.base not in ("list", "tuple") else (tuple,) if name.base == "tuple" else (list,)
    if not isinstance(value, wanted):
        return _described(value, where)
    if not name.args:
        return ""
    fixed = name.base == "tuple" and not (len(name.args) == 2 and name.args[1].base == "...")
    if fixed and len(value) != len(name.args):
        return f"tuple of {len(value)}{f' at {where}' if where else ''}"
    kinds = name.args if fixed else name.args[:1] * len(value)
    return _first(
        _mismatch(item, kind, f"{where}[{index}]") for index, (item, kind) in enumerate(zip(value, kinds, strict=True))
    )


def _dict_mismatch(value: Any, name: TypeName, where: str) -> str:
    if not isinstance(value, dict):
        return _described(value, where)
    if len(name.args) != 2:
        return ""
    return _first(_mismatch(item, name.args[1], f"{where}[{key!r}]") for key, item in value.items())


def _first(problems: Iterable[str]) -> str:
    return next((problem for problem in problems if problem), "")


def _is_instance(value: Any, base: str) -> bool:
    """By the public names of the value's classes; only when those do not tell is the declared class imported."""
    names = {public_name(cls) for cls in type(value).__mro__}
    if base in names or (base in PATHS and "pathlib.Path" in names):
        return True
    try:
        wanted = resolve_type(TypeName(base))
    except (ImportError, AttributeError):
        return False
    return wanted is Any or (isinstance(wanted, type) and isinstance(value, wanted))
