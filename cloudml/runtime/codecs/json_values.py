"""Plain values as JSON: numbers, text, lists, dicts, tuples, None, dataclasses, NamedTuples and metrics."""

from __future__ import annotations

import importlib
import json
import math
import operator
import sys
from functools import reduce
from typing import Any, Union, get_args, get_origin, get_type_hints

from cloudml.runtime.codecs.base import Codec, CodecError
from cloudml.runtime.codecs.names import UNION, TypeName, parse_type_name

BUILTINS: dict[str, Any] = {
    "Any": Any,
    "Collection": list,
    "Iterable": list,
    "Mapping": dict,
    "MutableMapping": dict,
    "None": type(None),
    "Sequence": list,
    "bool": bool,
    "bytes": bytes,
    "bytearray": bytearray,
    "dict": dict,
    "float": float,
    "int": int,
    "list": list,
    "object": Any,
    "str": str,
    "tuple": tuple,
}
TYPES = (*(name for name in BUILTINS if name not in ("bytes", "bytearray")), "Literal", "cloudml.Metrics")
SCALARS = (str, int, float, bool, type(None))
INLINE_LIMIT = 64 * 1024
"""Bytes of JSON up to which an output is repeated in the result, for the driver to see without opening a file."""


def encode(value: Any, where: str = "value") -> Any:  # noqa: PLR0911 - one kind of value a line
    """`value` in JSON's own types.

    Raises:
        CodecError: a part has no JSON form; the message says where and what would do. NaN and infinity have none.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CodecError(f"{where} is {float(value)}, which JSON cannot hold: return None, or drop it")
        return float(value)
    if type(value) in SCALARS:
        return value
    fields = field_values(value)
    if fields is not None:
        return {name: encode(item, f"{where}.{name}") for name, item in fields.items()}
    if isinstance(value, dict):
        return {_key(key, where): encode(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, (str, int)):
        return str.__str__(value) if isinstance(value, str) else int(value)
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a scalar of numpy
        return encode(value.item(), where)
    raise CodecError(
        f"{where} is a {type(value).__name__}, which JSON cannot hold: convert it to a number, text, a list or a dict"
    )


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise CodecError(f"{where} has the key {key!r} ({type(key).__name__}); in JSON every key is a str")
    return key


def field_values(value: Any) -> dict[str, Any] | None:
    """The fields of a dataclass, a NamedTuple or metrics by name; None for anything else."""
    names = field_names(type(value))
    return None if names is None else {name: getattr(value, name) for name in names}


def field_names(cls: Any) -> tuple[str, ...] | None:
    """The names of the fields of a class that has declared ones."""
    for attribute in ("__metric_fields__", "__dataclass_fields__", "_fields"):
        fields = getattr(cls, attribute, None)
        if isinstance(fields, (dict, tuple)):
            return tuple(fields)
    return None


def is_json_class(cls: type) -> bool:
    """True for classes that become JSON objects by their fields, and for subclasses of JSON's own types."""
    return field_names(cls) is not None or issubclass(cls, (str, int, float, list, tuple, dict))


def write_json(value: Any, path: str) -> None:
    """Store `value` as UTF-8 JSON."""
    text = json.dumps(encode(value), ensure_ascii=False, allow_nan=False)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read_json(path: str, type_name: str) -> Any:
    """The stored value as the declared type: tuples, floats and dataclasses come back as such."""
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    return restore(document, resolve_type(parse_type_name(type_name)))


def resolve_type(name: TypeName) -> Any:
    """The type behind a parsed name; classes of the user's are imported.

    Raises:
        ImportError, AttributeError: there is no such class.
    """
    if name.base == UNION:
        return reduce(operator.or_, (resolve_type(member) for member in name.args))
    base: Any = BUILTINS.get(name.base)
    if base is None:
        base = Any if name.base == "Literal" else _import_attribute(name.base)
    if not name.args or base is Any:
        return base
    if not hasattr(base, "__class_getitem__"):
        return base
    return base[tuple(... if arg.base == "..." else resolve_type(arg) for arg in name.args)]


def _import_attribute(dotted: str) -> Any:
    """`package.module.Class` or a class nested in it: the longest importable prefix, then attributes."""
    parts = dotted.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:cut])
        try:
            found: Any = sys.modules.get(module_name) or importlib.import_module(module_name)
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise ImportError(f"{dotted} cannot be imported")


def restore(value: Any, wanted: Any) -> Any:
    """A JSON value as the type `wanted`, where JSON could not say it: float from int, tuple, Path, dataclass."""
    wanted = getattr(wanted, "__origin__", wanted) if hasattr(wanted, "__metadata__") else wanted  # Annotated
    origin = get_origin(wanted) or wanted
    if wanted is float and type(value) is int:
        return float(value)
    if isinstance(value, list):
        return _restore_list(value, origin, get_args(wanted))
    if isinstance(value, dict):
        return _restore_dict(value, origin, get_args(wanted))
    if isinstance(value, str) and getattr(wanted, "__module__", "").startswith("pathlib"):
        return wanted(value)
    if _is_union(origin):
        return _restore_union(value, get_args(wanted))
    return value


def _is_union(origin: Any) -> bool:
    return origin is Union or getattr(origin, "__name__", "") in ("Union", "UnionType")


def _restore_union(value: Any, members: tuple[Any, ...]) -> Any:
    if value is None or type(value) in members:
        return value
    for member in members:
        restored = restore(value, member)
        if restored is not value:
            return restored
    return value


def _restore_list(value: list[Any], origin: Any, args: tuple[Any, ...]) -> Any:
    if _is_union(origin):
        return _restore_union(value, args)
    is_tuple = isinstance(origin, type) and issubclass(origin, tuple)
    if is_tuple and args and not (len(args) == 2 and args[1] is ...):
        items = [restore(item, kind) for item, kind in zip(value, args, strict=False)] + value[len(args) :]
    else:
        items = [restore(item, args[0]) for item in value] if args else value
    return tuple(items) if is_tuple else items


def _restore_dict(value: dict[str, Any], origin: Any, args: tuple[Any, ...]) -> Any:
    if _is_union(origin):
        return _restore_union(value, args)
    if not isinstance(origin, type):
        return value
    names = field_names(origin)
    if names is not None:
        hints = get_type_hints(origin)
        return origin(**{key: restore(item, hints.get(key, Any)) for key, item in value.items()})
    return {key: restore(item, args[1]) for key, item in value.items()} if len(args) == 2 else value


CODECS = (Codec("json", TYPES, "json", ".json", ("json",), write_json, read_json),)
