"""Rows of data for monitoring: from CSV and JSONL objects, and from what endpoints answered."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cloudml_vertex.mock.core import gcs, wildcards
from cloudml_vertex.mock.core.errors import GoogleError, failed_precondition, invalid, not_executed
from cloudml_vertex.mock.core.world import World

Row = dict[str, Any]


def read(world: World, uris: Iterable[str], format_: str) -> list[Row]:
    """The rows of all objects; a URI may have wildcards. Raises GoogleError when there is none, or one is unfit."""
    reader = _READERS.get(format_.lower().replace("_", "-"))
    if reader is None:
        raise not_executed(f"The data format {format_ or '(unset)'}", "write the data as csv or jsonl")
    rows: list[Row] = []
    for uri in uris:
        for found in _objects(world, uri):
            rows += reader(found, gcs.read(world, found))
    if not rows:
        raise failed_precondition("The dataset has no rows.")
    return rows


def _objects(world: World, uri: str) -> list[str]:
    try:
        found = wildcards.matching(world, uri)
    except gcs.GcsError as error:
        raise _missing(uri) from error
    if not found:
        raise _missing(uri)
    return found


def _missing(uri: str) -> GoogleError:
    return GoogleError("NOT_FOUND", f"There are no objects {uri!r}.")


def _csv(uri: str, data: bytes) -> list[Row]:
    """With a header line; values that are numbers are read as numbers, empty ones are missing."""
    try:
        lines = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), strict=True)
        rows = [{key: typed(value) for key, value in row.items() if key is not None and value} for row in lines]
    except (UnicodeDecodeError, csv.Error) as error:
        raise invalid(f"{uri} is no CSV: {error}.") from None
    return rows


def _jsonl(uri: str, data: bytes) -> list[Row]:
    rows = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise invalid(f"{uri}: line {number} is no JSON object.")
        rows.append(row)
    return rows


_READERS = {"csv": _csv, "jsonl": _jsonl}


def typed(text: str) -> Any:
    """A number where the text is one."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def as_row(value: Any, names: Sequence[str]) -> Row:
    """One instance or prediction as a row: an object as it is, a list by the order of names, a scalar by the first."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list):
        return dict(zip(names, value, strict=False))
    return {names[0]: value} if names else {}


def column(rows: Iterable[Row], name: str) -> list[Any]:
    """All scalar values of a feature; those of an array count one by one, and missing ones not at all."""
    found: list[Any] = []
    for row in rows:
        value = row.get(name)
        found += value if isinstance(value, list) else [value]
    return [value for value in found if isinstance(value, str | int | float)]


def numbers(values: Iterable[Any]) -> list[float] | None:
    """The values as numbers; None when one is none."""
    found = []
    for value in values:
        number = typed(value) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            return None
        found.append(float(number))
    return found
