"""A PipelineSpec read strictly: every field must be one of the published proto's (package kfp-pipeline-spec)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from cloudml_vertex.mock.core.wire import is_repeated
from cloudml_vertex.mock.pipelines.definition.problems import Problems, within

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

_ANY_JSON = frozenset({"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"})
DEEPEST = 60
"""Nested documents; protobuf itself ends at 100."""


def read(document: Mapping[str, Any], kind: Any, path: str, problems: Problems) -> Any:
    """A message of the class `kind`; None when it cannot be read. Every problem is noted with its path."""
    before = len(problems.found)
    unknown(document, kind.DESCRIPTOR, path, problems)
    if len(problems.found) > before:
        return None
    message = kind()
    try:
        json_format.ParseDict(document, message)
    except (json_format.ParseError, TypeError, ValueError, RecursionError) as error:
        # A wrong type, or a value that an enum lacks: the parser names the field.
        problems.add(path, re.sub(r"^Failed to parse (\S+) field: ", r"\1: ", str(error))[:500])
        return None
    return message


def unknown(document: Any, kind: Descriptor, path: str, problems: Problems, depth: int = 0) -> None:
    """Note every field of a document, at any depth, that the message does not have."""
    if kind.full_name in _ANY_JSON or not isinstance(document, Mapping):
        return
    if depth > DEEPEST:
        problems.add(path, f"is nested at most {DEEPEST} deep")
        return
    fields: dict[str, FieldDescriptor] = {}
    for field in kind.fields:
        fields[field.name] = fields[field.json_name] = field
    seen: set[str] = set()
    for key, value in document.items():
        field = fields.get(key)
        if field is None:
            problems.add(f"{path}.{key}" if path else key, f"is no field of {kind.name}")
            continue
        if field.name in seen:
            problems.add(f"{path}.{key}" if path else key, "is given twice")
        seen.add(field.name)
        _inside(field, value, f"{path}.{key}" if path else key, problems, depth + 1)


def _inside(field: FieldDescriptor, value: Any, path: str, problems: Problems, depth: int) -> None:
    of = field.message_type
    if of is None:
        return
    if of.GetOptions().map_entry:
        inner = of.fields_by_name["value"].message_type
        if inner is not None and isinstance(value, Mapping):
            for key, one in value.items():
                unknown(one, inner, within(path, key), problems, depth)
    elif is_repeated(field):
        if isinstance(value, list):
            for number, one in enumerate(value):
                unknown(one, of, f"{path}[{number}]", problems, depth)
    elif of.full_name not in {"google.protobuf.Duration", "google.protobuf.Timestamp"}:
        unknown(value, of, path, problems, depth)
