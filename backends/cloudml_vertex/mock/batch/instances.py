"""From objects of Cloud Storage to the instances that a container is sent.

Google's page "Get batch inferences from a custom-trained model" for the formats, and the docstring of
BatchPredictionJob.InstanceConfig for what is sent of an instance, and what of it stands in the results.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudml_vertex.mock.core import gcs, wildcards
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.world import World

Document = dict[str, Any]

_CELL = re.compile(r'("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n|\n|\r|\Z)')
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Instance:
    """One instance: what is `sent`, and what stands for it in the results, {"instance": ...} or {"key": ...}.

    With a `problem` it is not sent at all. `columns` are the names of a CSV's.
    """

    shown: Document
    sent: Any = None
    problem: str = ""
    columns: Sequence[str] = ()


@dataclass
class Read:
    """What was read: instances in their order, and why objects could not be."""

    instances: list[Instance] = field(default_factory=list)
    failures: list[GoogleError] = field(default_factory=list)


def read(world: World, source: Document, config: Document) -> Read:
    """Every instance of an InputConfig, converted as the InstanceConfig says."""
    found = Read()
    reader = _READERS[source["instances_format"]]
    objects = [one for uri in source["gcs_source"]["uris"] for one in _objects(world, uri, found)]
    for uri in dict.fromkeys(objects):
        try:
            text = gcs.read(world, uri).decode("utf-8-sig")
            found.instances += reader(text, config)
        except gcs.GcsError as error:
            found.failures.append(GoogleError("NOT_FOUND", str(error)))
        except ValueError as error:  # of the encoding, or a file that is no CSV
            found.failures.append(GoogleError("INVALID_ARGUMENT", f"{uri} cannot be read: {error}"))
    return found


def _objects(world: World, uri: str, found: Read) -> list[str]:
    try:
        objects = wildcards.matching(world, uri)
    except gcs.GcsError as error:
        found.failures.append(GoogleError("NOT_FOUND", str(error)))
        return []
    if not objects:
        found.failures.append(GoogleError("NOT_FOUND", f"There are no objects {uri}."))
    return objects


def _jsonl(text: str, config: Document) -> Iterator[Instance]:
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            yield Instance({"instance": line}, problem="The instance is not valid JSON.")
            continue
        yield _converted(value, config)


def _converted(value: Any, config: Document) -> Instance:
    kind, key = config.get("instance_type", ""), config.get("key_field", "")
    included, excluded = config.get("included_fields") or [], config.get("excluded_fields") or []
    whole = {"instance": value}
    if not isinstance(value, dict):
        if kind == "object" or key or included or excluded:
            return Instance(whole, problem="The instance is not a JSON object.")
        fits = kind != "array" or isinstance(value, list)
        return Instance(whole, value, "" if fits else "The instance is not a JSON array.")
    missing = [name for name in (*included, *([key] if key else [])) if name not in value]
    if missing:
        return Instance(whole, problem=f"The instance has no field {missing[0]!r}.")
    if kind == "array" and not included:
        return Instance(whole, problem="included_fields must be populated to send objects as arrays.")
    dropped = {*excluded, key}
    sent = {name: value[name] for name in (included or value) if name not in dropped}
    return Instance({"key": value[key]} if key else whole, list(sent.values()) if kind == "array" else sent)


def _csv(text: str, config: Document) -> Iterator[Instance]:
    """The first line names the columns; every other is sent as an array, a field in quotes as a text."""
    rows = list(_rows(text))
    header = [str(name) for name in rows[0]] if rows else []
    key = config.get("key_field", "")
    if key and key not in header:
        raise ValueError(f"it has no column {key!r}")
    at = header.index(key) if key else -1
    for row in rows[1:]:
        if len(row) != len(header):
            told = f"The instance has {len(row)} values for {len(header)} columns."
            yield Instance({"instance": row}, problem=told, columns=header)
        elif key:
            yield Instance({"key": row[at]}, [value for number, value in enumerate(row) if number != at])
        else:
            yield Instance({"instance": row}, row, columns=header)


def _rows(text: str) -> Iterator[list[Any]]:
    """Rows of a CSV; empty lines are none. Raises ValueError."""
    row: list[Any] = []
    at = 0
    while at < len(text):
        found = _CELL.match(text, at)
        if found is None:
            raise ValueError(f"it is no CSV at character {at}")
        row.append(_value(found[1]))
        at = found.end()
        if found[2] == ",":
            if at == len(text):  # the last line ends with an empty field
                row.append("")
            continue
        if row != [""]:
            yield row
        row = []
    if row:
        yield row


def _value(text: str) -> Any:
    if text.startswith('"'):
        return text[1:-1].replace('""', '"')
    if not _NUMBER.fullmatch(text.strip()):
        return text
    number = float(text)
    if not math.isfinite(number):
        return text
    return int(text) if text.strip().lstrip("+-").isdigit() else number


_READERS = {"jsonl": _jsonl, "csv": _csv}
