"""Requests that an endpoint has answered, row by row; what cannot be read is counted and passed over."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cloudml.runtime.drift import Column, Profile

PREDICTION = "prediction"
"""The name under which the answers of a model are a column like any other."""
JSON = "application/json"


@dataclass(frozen=True)
class Exchange:
    """A request and its answer as bodies with their content types; `answer` is None when it was not kept."""

    request: bytes
    answer: bytes | None = None
    request_type: str = JSON
    answer_type: str = JSON


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

    @classmethod
    def against(cls, profiles: Mapping[str, Profile]) -> Traffic:
        """Nothing yet, to be counted against the reference's profiles."""
        return cls({name: Column(one) for name, one in profiles.items()}, unseen=set(profiles))

    def take(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count rows."""
        for row in rows:
            self.rows += 1
            self.unseen.difference_update(row)
            for name, column in self.columns.items():
                column.add(_flat(row.get(name)))

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


def _flat(value: Any) -> Any:
    """A list or an object is no value of a column: counted as its text."""
    return json.dumps(value, sort_keys=True) if isinstance(value, (list, dict)) else value


class Reader:
    """Rows of exchanges, by the names of the features. Requests are read as cloudml's endpoints read them.

    `order`: the features as a request without names has them.
    """

    def __init__(self, profiles: Mapping[str, Profile], order: Sequence[str]) -> None:
        from cloudml.serving.schema import FeatureSchema

        names = tuple(order) or tuple(name for name in profiles if name != PREDICTION)
        kinds: dict[str, Any] = {
            name: "any" if profiles.get(name, {}).get("kind") == "number" else "text" for name in names
        }
        self._named, self._free = FeatureSchema(names, kinds), FeatureSchema()
        self._predicted = PREDICTION in profiles

    def rows(self, exchange: Exchange) -> list[dict[str, Any]]:
        """The rows of one request, with the prediction of each when that is watched. Raises ValueError."""
        rows = self._parse(exchange.request, exchange.request_type or JSON)
        if not self._predicted or exchange.answer is None:
            return rows
        answers = _predictions(exchange.answer, exchange.answer_type)
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


def _predictions(body: bytes, header: str) -> list[Any]:
    """The answer's predictions, one a row; none when they cannot be told."""
    content, kind = body.decode("utf-8", "replace"), header.partition(";")[0].strip()
    try:
        if kind == JSON:
            found = json.loads(content)
            answers = found["predictions"] if isinstance(found, dict) else found
            return list(answers)
        texts = [line for line in content.splitlines() if line.strip()]
        return texts if kind == "text/csv" else [json.loads(line) for line in texts]
    except (ValueError, KeyError, TypeError):
        return []
