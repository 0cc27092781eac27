"""InputFilter, OutputFilter and JoinSource of a transform job: JSONPath over a record, a CSV row being a list.

Developer guide, "Associate Prediction Results with Input Records": its table names the operators that there are.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_][\w-]*)
      | \.(?P<every>\*)
      | \.?\[\s*(?P<all>\*)\s*\]
      | \.?\[\s*(?P<names>(?:'[^']*'|"[^"]*")(?:\s*,\s*(?:'[^']*'|"[^"]*"))*)\s*\]
      | \.?\[(?P<places>[-\d:,\s]+)\]""",
    re.VERBOSE,
)
_NAME = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_PLACE = re.compile(r"\s*(-?\d+)\s*|\s*(-?\d+)?\s*:\s*(-?\d+)?\s*")


class FilterFailed(Exception):
    """A record does not fit a filter; the text says why."""


@dataclass(frozen=True)
class Step:
    """One step of a path: names, or indexes and slices, or everything (neither). `several`: the result is a list."""

    names: tuple[str, ...] = ()
    places: tuple[int | tuple[int | None, int | None], ...] = ()
    several: bool = False


def parse(path: str) -> list[Step]:
    """The steps of a JSONPath of the supported kind: `$`, `.name`, `['a','b']`, `[0]`, `[1:]`, `[0,5:]`, `*`.

    Raises FilterFailed for anything else.
    """
    if not path.startswith("$"):
        raise FilterFailed(f"{path!r} is no JSONPath: it must begin with $")
    steps, place = [], 1
    while place < len(path):
        found = _STEP.match(path, place)
        step = _step(found.groupdict()) if found else None
        if found is None or step is None:
            raise FilterFailed(f"{path!r} is not a JSONPath that batch transform supports, from {path[place:]!r} on")
        steps.append(step)
        place = found.end()
    return steps


def _step(found: Mapping[str, str | None]) -> Step | None:
    if found["name"]:
        return Step(names=(found["name"],))
    if found["names"]:
        names = tuple(single or double for single, double in _NAME.findall(found["names"]))
        return Step(names=names, several=len(names) > 1)
    if found["places"] is None:
        return Step(several=True)
    matches = [_PLACE.fullmatch(one) for one in found["places"].split(",")]
    places = tuple(int(match[1]) if match[1] else (_number(match[2]), _number(match[3])) for match in matches if match)
    if len(places) < len(matches):
        return None
    return Step(places=places, several=len(places) > 1 or not isinstance(places[0], int))


def _number(text: str | None) -> int | None:
    return int(text) if text else None


def select(path: str, record: Any, *, inclusive: bool = False) -> Any:
    """What the path selects; `inclusive`: a slice takes its end too. Raises FilterFailed when there is nothing."""
    value = record
    for step in parse(path):
        try:
            value = _take(step, value, inclusive=inclusive)
        except (KeyError, IndexError, TypeError):
            raise FilterFailed(f"{path} selects nothing in {json.dumps(value)[:200]}") from None
    return value


def _take(step: Step, value: Any, *, inclusive: bool) -> Any:
    if step.names:
        found = {name: value[name] for name in step.names}
        return found if step.several else found[step.names[0]]
    if not step.places:
        return list(value.values()) if isinstance(value, dict) else [value[place] for place in range(len(value))]
    if not isinstance(value, list):
        raise TypeError
    taken: list[Any] = []
    for place in step.places:
        taken += [value[place]] if isinstance(place, int) else value[_slice(place, inclusive=inclusive)]
    return taken if step.several else taken[0]


def _slice(ends: tuple[int | None, int | None], *, inclusive: bool) -> slice:
    start, end = ends
    if end is not None and inclusive:
        end = None if end == -1 else end + 1
    return slice(start, end)


class Csv:
    """Records that are CSV rows."""

    @staticmethod
    def read(text: str) -> Any:
        """The columns."""
        return next(csv.reader([text]), [])

    @staticmethod
    def write(value: Any) -> str:
        """A row; a single value is a row of one column."""
        stream = io.StringIO()
        csv.writer(stream, lineterminator="").writerow(value if isinstance(value, list) else [value])
        return stream.getvalue()

    @staticmethod
    def join(given: Any, answer: Any) -> Any:
        """The answer's columns after those of the input."""
        return [*given, *(answer if isinstance(answer, list) else [answer])]


class Json:
    """Records that are JSON values."""

    @staticmethod
    def read(text: str) -> Any:
        """The value. Raises FilterFailed."""
        try:
            return json.loads(text)
        except ValueError:
            raise FilterFailed(f"a record is not JSON: {text[:200]}") from None

    @staticmethod
    def write(value: Any) -> str:
        """One line."""
        return json.dumps(value, separators=(",", ":"))

    @staticmethod
    def join(given: Any, answer: Any) -> Any:
        """`SageMakerOutput` in the input's object; an input that is no object becomes `SageMakerInput`."""
        if isinstance(given, dict):
            return {**given, "SageMakerOutput": answer}
        return {"SageMakerInput": given, "SageMakerOutput": answer}


Form = type[Csv] | type[Json]

_FORMS: dict[str, Form] = {
    "text/csv": Csv,
    "application/json": Json,
    "application/jsonlines": Json,
    "application/x-jsonlines": Json,
}


def form(content_type: str) -> Form | None:
    """How records of a content type are read; None for one that filters cannot read."""
    return _FORMS.get(content_type.partition(";")[0].strip().lower())
