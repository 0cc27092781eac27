"""Captured traffic: the requests and answers that an endpoint keeps in S3, row by row.

Form and path: developer guide, "Capture data from real-time endpoint":
`<destination>/<endpoint>/<variant>/yyyy/mm/dd/hh/` with JSON lines. What cannot be read is counted and passed over: it
is data of users.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cloudml.runtime.drift import Column, Profile
from cloudml_sagemaker.container.control.aws import client, split

PREDICTION = "prediction"
"""The name under which the answers of a model are a column like any other."""
_FOLDER = "%Y/%m/%d/%H"
_HOUR = timedelta(hours=1)


@dataclass
class Traffic:
    """What was read. `broken`: lines that are no records; `refused`: requests whose rows cannot be told."""

    columns: dict[str, Column]
    requests: int = 0
    rows: int = 0
    broken: int = 0
    refused: int = 0
    unseen: set[str] = field(default_factory=set)
    """Columns that no row has had."""

    def document(self) -> dict[str, Any]:
        """The counts, and those of each column."""
        counts = {
            name: {"rows": one.rows, "nulls": one.nulls, "invalid": one.invalid} for name, one in self.columns.items()
        }
        return {
            "requests": self.requests, "rows": self.rows, "broken": self.broken, "refused": self.refused,
            "columns": counts, "unseen": sorted(self.unseen),
        }  # fmt: skip


def parse_time(text: str) -> datetime:
    """A moment in ISO 8601, in UTC."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def files(base: str, begin: datetime, end: datetime) -> Iterator[str]:
    """The objects below `base` in the folders of the hours that [begin, end) touches, in order."""
    hour = begin.replace(minute=0, second=0, microsecond=0)
    s3, (bucket, root) = client("s3"), split(base)
    while hour < end:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{root}/{hour:{_FOLDER}}/")
        for page in pages:
            yield from (f"s3://{bucket}/{one['Key']}" for one in page.get("Contents", ()))
        hour += _HOUR


def lines(uri: str) -> Iterator[bytes]:
    """The lines of an object that are not empty."""
    bucket, key = split(uri)
    for line in client("s3").get_object(Bucket=bucket, Key=key)["Body"].iter_lines():
        if line.strip():
            yield line


def read(
    base: str, window: tuple[datetime, datetime], profiles: Mapping[str, Profile], order: Sequence[str]
) -> Traffic:
    """All that was captured in [begin, end) below `base`, counted against the reference's profiles.

    `order`: the features as a request without names has them.
    """
    traffic = Traffic({name: Column(one) for name, one in profiles.items()}, unseen=set(profiles))
    reader = Reader(profiles, order)
    for uri in files(base, *window):
        for line in lines(uri):
            _take(line, window, traffic, reader)
    return traffic


def _take(line: bytes, window: tuple[datetime, datetime], traffic: Traffic, reader: Reader) -> None:
    try:
        record = json.loads(line)
        when = parse_time(record["eventMetadata"]["inferenceTime"])
        sides = record["captureData"]
    except (ValueError, KeyError, TypeError, AttributeError):
        traffic.broken += 1
        return
    if not window[0] <= when < window[1]:
        return
    traffic.requests += 1
    try:
        rows = reader.rows(sides)
    except (ValueError, KeyError, TypeError, AttributeError):
        traffic.refused += 1
        return
    for row in rows:
        traffic.rows += 1
        traffic.unseen.difference_update(row)
        for name, column in traffic.columns.items():
            column.add(_flat(row.get(name)))


def _flat(value: Any) -> Any:
    """A list or an object is no value of a column: counted as its text."""
    return json.dumps(value, sort_keys=True) if isinstance(value, (list, dict)) else value


class Reader:
    """Rows of captured bodies, by the names of the features. Requests are read as cloudml's endpoints read them."""

    def __init__(self, profiles: Mapping[str, Profile], order: Sequence[str]) -> None:
        from cloudml.serving.schema import FeatureSchema

        names = tuple(order) or tuple(name for name in profiles if name != PREDICTION)
        kinds: dict[str, Any] = {
            name: "any" if profiles.get(name, {}).get("kind") == "number" else "text" for name in names
        }
        self._named, self._free = FeatureSchema(names, kinds), FeatureSchema()
        self._predicted = PREDICTION in profiles

    def rows(self, sides: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of one request, with the prediction of each when that is watched. Raises ValueError, KeyError."""
        side = sides["endpointInput"]
        rows = self._parse(body(side), side.get("observedContentType") or "application/json")
        if not self._predicted or "endpointOutput" not in sides:
            return rows
        answers = _predictions(sides["endpointOutput"])
        if len(answers) != len(rows):
            return rows
        return [{**row, PREDICTION: answer} for row, answer in zip(rows, answers, strict=True)]

    def _parse(self, content: bytes, header: str) -> list[dict[str, Any]]:
        """Rows of objects keep all their fields; rows of bare values are named by the order of the features."""
        from cloudml.serving import protocol
        from cloudml.serving.problems import RequestProblem

        try:
            kind = protocol.content_type(header)
            if kind.format != protocol.CSV:
                try:
                    return protocol.parse(content, kind, self._free)
                except RequestProblem:
                    pass
            return protocol.parse(content, kind, self._named)
        except RequestProblem as problem:
            raise ValueError(str(problem)) from None


def body(side: Mapping[str, Any]) -> bytes:
    """The content of one side of a record: text, or base64. Raises ValueError."""
    data = side["data"]
    if side.get("encoding") != "BASE64":
        return str(data).encode()
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _predictions(side: Mapping[str, Any]) -> list[Any]:
    """The answer's predictions, one a row; none when they cannot be told."""
    content = body(side).decode("utf-8", "replace")
    kind = str(side.get("observedContentType", "")).partition(";")[0].strip()
    try:
        if kind == "application/json":
            found = json.loads(content)
            answers = found["predictions"] if isinstance(found, dict) else found
            return list(answers)
        texts = [line for line in content.splitlines() if line.strip()]
        return texts if kind == "text/csv" else [json.loads(line) for line in texts]
    except (ValueError, KeyError, TypeError):
        return []
