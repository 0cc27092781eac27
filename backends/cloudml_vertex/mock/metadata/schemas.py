"""Metadata schemas: kept and given back; the mock holds no metadata against them."""

from __future__ import annotations

import re
from typing import Any

import yaml

from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.errors import already_exists, invalid, not_found
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.metadata import stores

Document = dict[str, Any]
KIND = "MetadataSchema"
_VERSION = re.compile(r"[0-9]+[.][0-9]+[.][0-9]+")


@rpc("MetadataService.CreateMetadataSchema")
def create(call: Call) -> Document:
    """Register a schema: title (in its YAML) and version are unique in a store."""
    stores.need(call, call.parent)
    given = call.params["metadata_schema"]
    version = str(given.get("schema_version", ""))
    if version and not _VERSION.fullmatch(version):
        raise invalid(f"metadata_schema.schema_version: {version!r} is not of the form 1.0.0.")
    title = _title(str(given.get("schema", "")))
    name = names.child(call.parent, "metadataSchemas", stores.new_id(call, "metadata_schema_id", KIND))
    for known, row in call.table(KIND).items():
        same = (row["_title"], row.get("schema_version", "")) == (title, version)
        if known == name or (same and names.parent_of(known) == call.parent):
            raise already_exists(f"The MetadataSchema {title} {version} already exists: {known}.")
    fields = ("schema_version", "schema", "schema_type", "description")
    document = {key: given[key] for key in fields if key in given}
    return call.table(KIND).put(name, {"name": name, **document, "create_time": call.stamp, "_title": title})


def _title(text: str) -> str:
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("title"), str) or found.get("type") != "object":
        raise invalid("metadata_schema.schema: it must be YAML of an OpenAPI schema with a title and type 'object'.")
    return str(found["title"])


@rpc("MetadataService.GetMetadataSchema")
def get(call: Call) -> Document:
    """One schema."""
    names.parse(call.name, f"{stores.PATTERN}/metadataSchemas/*")
    found = call.table(KIND).get(call.name)
    if found is None:
        raise not_found(call.name)
    return found


@rpc("MetadataService.ListMetadataSchemas")
def list_schemas(call: Call) -> Document:
    """The schemas of a store."""
    stores.need(call, call.parent)
    rows = [row for name, row in call.table(KIND).items() if names.parent_of(name) == call.parent]
    fields = {
        "name": "name",
        "schema_version": "schema_version",
        "schema_type": "schema_type",
        "schema_title": "_title",
    }
    return listed(call, rows, "metadata_schemas", filters=fields)
