"""Between protobuf messages and the documents that the mock works with.

A document is the message in proto3 JSON with the proto's field names, except that 64-bit integers are numbers, whole
numbers of a Struct are int, and a FieldMask is a list of paths. What has its default value and no presence is absent.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor

from cloudml_vertex.mock.core.times import duration_text, stamp

Document = dict[str, Any]
_NANO = 1_000_000_000


def document(message: Any) -> Document:
    """The message as a document."""
    found: Document = {}
    for field, value in message.ListFields():
        found[field.name] = _field(field, value)
    return found


def message(found: Document, kind: Any) -> Any:
    """A message of the class `kind`. Private keys and what this version of the type lacks are left out.

    Raises ValueError for what does not fit the type at all.
    """
    public = {key: value for key, value in found.items() if not key.startswith("_")}
    made = kind()
    if isinstance(public.get("@type"), str):
        public = {key: value for key, value in public.items() if key != "@type"}
    try:
        json_format.ParseDict(public, made, ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise ValueError(f"{made.DESCRIPTOR.full_name}: {error}") from error
    return made


def packed(found: Document, version: str) -> Any:
    """A google.protobuf.Any of a document whose "@type" is a full name, or that of a message of aiplatform alone."""
    from google.protobuf.any_pb2 import Any as AnyMessage

    holder = AnyMessage()
    holder.Pack(message(found, message_type(found["@type"], version)))
    return holder


@cache
def message_type(name: str, version: str) -> Any:
    """The class of a message by its full name, by a type URL, or by its name in `google.cloud.aiplatform.VERSION`.

    Raises KeyError when no such message is loaded.
    """
    short = name.rpartition("/")[2]
    full = short if "." in short else f"google.cloud.aiplatform.{version}.{short}"
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(full))


def _field(field: Any, value: Any) -> Any:
    if _is_map(field):
        of = field.message_type.fields_by_name["value"]
        return {_key(key): _one(of, value[key]) for key in value}
    if is_repeated(field):
        return [_one(field, item) for item in value]
    return _one(field, value)


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _one(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        known = _KNOWN.get(field.message_type.full_name)
        return known(value) if known is not None else document(value)
    if field.enum_type is not None:
        if field.enum_type.full_name == "google.protobuf.NullValue":
            return None
        named = field.enum_type.values_by_number.get(value)
        return named.name if named is not None else value
    if field.type == FieldDescriptor.TYPE_BYTES:
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def is_repeated(field: Any) -> bool:
    """Whether a field holds a list or a map."""
    asked = getattr(field, "is_repeated", None)  # protobuf 6 and later; `label` is deprecated there
    return bool(asked) if asked is not None else field.label == FieldDescriptor.LABEL_REPEATED


def _is_map(field: Any) -> bool:
    kind = field.message_type
    return kind is not None and bool(kind.GetOptions().map_entry)


def _value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if math.isfinite(number) and number == int(number) else number
    if kind == "struct_value":
        return _struct(value.struct_value)
    if kind == "list_value":
        return _list(value.list_value)
    return None if kind in {None, "null_value"} else getattr(value, kind)


def _struct(value: Any) -> Document:
    return {key: _value(item) for key, item in value.fields.items()}


def _list(value: Any) -> list[Any]:
    return [_value(item) for item in value.values]


def _any(value: Any) -> Document:
    try:
        inner = message_type(value.type_url, "")()
    except KeyError:
        return {"@type": value.type_url, "value": base64.b64encode(value.value).decode()}
    inner.ParseFromString(value.value)
    return {"@type": value.type_url, **document(inner)}


_KNOWN: dict[str, Callable[[Any], Any]] = {
    "google.protobuf.Timestamp": lambda value: stamp(value.seconds + round(value.nanos / 1000) / 1_000_000),
    "google.protobuf.Duration": lambda value: duration_text(value.seconds + value.nanos / _NANO),
    "google.protobuf.FieldMask": lambda value: list(value.paths),
    "google.protobuf.Value": _value,
    "google.protobuf.Struct": _struct,
    "google.protobuf.ListValue": _list,
    "google.protobuf.Any": _any,
    **{
        f"google.protobuf.{kind}Value": lambda value: value.value
        for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String")
    },
}
