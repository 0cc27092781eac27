"""Which fields Google requires. The installed clients carry it in their documentation only: `Required. ...`."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from cloudml_vertex.mock.core import catalog, wire
from cloudml_vertex.mock.core.errors import field_violations

_TELLING = frozenset({FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_ENUM, FieldDescriptor.CPPTYPE_MESSAGE})
"""Types of which the default value says that nothing is set."""
_ATTRIBUTE = re.compile(r"^ +(\w+) \([^\n]*\):\n +Required\.", re.MULTILINE)


def check(message: Any) -> None:
    """Raises INVALID_ARGUMENT with every required field that the message and those in it lack."""
    missing = list(_missing(message, ""))
    if missing:
        raise field_violations((path, f"The required field {path!r} is not set.") for path in missing)


def _missing(message: Any, prefix: str) -> list[str]:
    descriptor = message.DESCRIPTOR
    if not descriptor.full_name.startswith("google.cloud.aiplatform."):
        return []
    found = [
        prefix + name for name in sorted(_required(descriptor.full_name)) if not _is_set(message, descriptor, name)
    ]
    if "update_mask" in descriptor.fields_by_name:
        return found  # an update brings of its resource what the mask names, no more
    for field, value in message.ListFields():
        kind = field.message_type
        if kind is None or kind.GetOptions().map_entry:
            continue
        if hasattr(value, "ListFields"):
            found += _missing(value, f"{prefix}{field.name}.")
        else:
            for number, item in enumerate(value):
                found += _missing(item, f"{prefix}{field.name}[{number}].")
    return found


def _is_set(message: Any, descriptor: Any, name: str) -> bool:
    field = descriptor.fields_by_name.get(name)
    if field is None or (field.cpp_type not in _TELLING and not field.has_presence and not wire.is_repeated(field)):
        return True  # false and 0 are values that one may require, such as a range's lower end
    value = getattr(message, name)
    if field.message_type is not None and not hasattr(value, "__len__"):
        return bool(message.HasField(name))
    return bool(value) or (field.has_presence and bool(message.HasField(name)))


@cache
def _required(full_name: str) -> frozenset[str]:
    version, _, path = full_name.removeprefix("google.cloud.aiplatform.").partition(".")
    found: Any = catalog.imported(f"google.cloud.aiplatform_{version}.types")
    for part in path.split("."):
        found = getattr(found, part, None)
        if found is None:
            return frozenset()
    return frozenset(_ATTRIBUTE.findall(found.__doc__ or ""))
