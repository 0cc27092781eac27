"""Bodies to rows and predictions to bodies: JSON (four layouts), JSON lines, CSV.

Every refusal is a 4xx that says what would fit.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any, Literal, NoReturn, TypeAlias

from cloudml.serving.problems import ModelFailed, RequestProblem, bad_request
from cloudml.serving.schema import FeatureSchema, Row

JSON = "application/json"
JSON_LINES = "application/jsonlines"
CSV = "text/csv"

Format: TypeAlias = Literal["application/json", "application/jsonlines", "text/csv"]

_ALIASES: dict[str, Format] = {
    JSON: "application/json",
    JSON_LINES: "application/jsonlines",
    "application/jsonl": "application/jsonlines",
    "application/x-ndjson": "application/jsonlines",
    "application/x-jsonlines": "application/jsonlines",
    CSV: "text/csv",
}

_SUPPORTED = f"{JSON}, {JSON_LINES}, {CSV}"
_LAYOUTS = '{"instances": [...]}, a list of rows, {"dataframe_records": [...]} or {"dataframe_split": {...}}'


@dataclass(frozen=True)
class ContentType:
    """A media type this server reads, and its parameters in lower case."""

    format: Format
    parameters: dict[str, str]


def content_type(header: str) -> ContentType:
    """Read a Content-Type header; none at all means JSON. Raises 415 for what cannot be read."""
    if not header.strip():
        return ContentType("application/json", {})
    message = Message()
    message["content-type"] = header
    kind = message.get_content_type() if "/" in header else header
    parameters = {str(key).lower(): str(value).lower() for key, value in (message.get_params() or [])[1:]}
    if kind not in _ALIASES:
        raise RequestProblem(415, f"cannot read {kind!r}; send one of {_SUPPORTED}")
    if parameters.get("charset", "utf-8") not in ("utf-8", "utf8", "us-ascii"):
        raise RequestProblem(415, f"cannot read the charset {parameters['charset']!r}; send UTF-8")
    return ContentType(_ALIASES[kind], parameters)


def negotiate(accept: str, default: Format) -> Format:
    """The answer's format: the best supported entry of the Accept header, `default` without one. Raises 406."""
    if not accept.strip():
        return default
    for media_type in _by_quality(accept):
        if media_type in ("*/*", default.split("/")[0] + "/*"):
            return default
        if media_type in _ALIASES:
            return _ALIASES[media_type]
    raise RequestProblem(406, f"cannot answer as {accept!r}; accept one of {_SUPPORTED}")


def parse(body: bytes, kind: ContentType, schema: FeatureSchema) -> list[Row]:
    """The rows of a request, every one checked against the schema."""
    return _READERS[kind.format](body, kind, schema)


def load_json(body: bytes) -> Any:
    """Strict JSON: UTF-8, no NaN, no infinity, no runaway nesting."""
    if not body.strip():
        raise bad_request(f"the body is empty; send {_LAYOUTS}")
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise bad_request(f"the body is not UTF-8: byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise bad_request("the body is nested too deeply") from None
    except ValueError as error:
        # An integer of thousands of digits.
        raise bad_request(f"the body is not usable JSON: {error}") from None


def render(values: Sequence[Any], kind: Format) -> bytes:
    """The answer's body, one prediction for each row, in order. Raises ModelFailed for what JSON cannot say."""
    try:
        return _WRITERS[kind](values)
    except (TypeError, ValueError) as error:
        raise ModelFailed(f"a prediction cannot be written as JSON: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise bad_request(f"the body is not JSON: {name} is no JSON number; send null for a missing value")


def _by_quality(accept: str) -> list[str]:
    ranked: list[tuple[float, int, str]] = []
    for position, entry in enumerate(accept.split(",")):
        media_type, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((_quality(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        if quality > 0:
            ranked.append((-quality, position, media_type))
    return [media_type for _, _, media_type in sorted(ranked)]


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _read_json(body: bytes, kind: ContentType, schema: FeatureSchema) -> list[Row]:
    document = load_json(body)
    if isinstance(document, list):
        return schema.conform(document)
    if isinstance(document, dict):
        for key, layout in _JSON_LAYOUTS.items():
            if key in document:
                return layout(document[key], schema)
    raise bad_request(f"the body must be {_LAYOUTS}")


def _read_instances(value: object, schema: FeatureSchema) -> list[Row]:
    if not isinstance(value, list):
        raise bad_request("the instances must be a list of rows")
    return schema.conform(value)


def _read_split(value: object, schema: FeatureSchema) -> list[Row]:
    columns = value.get("columns") if isinstance(value, dict) else None
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(columns, list) or not isinstance(data, list) or not all(isinstance(c, str) for c in columns):
        raise bad_request('dataframe_split must be {"columns": [names], "data": [[values], ...]}')
    _refuse_repeated(columns)
    rows: list[Row] = []
    for index, values in enumerate(data):
        if not isinstance(values, list) or len(values) != len(columns):
            raise bad_request(f"row {index}: must be a list of {len(columns)} values, one for each column")
        rows.append(dict(zip(columns, values, strict=True)))
    return schema.conform(rows)


_JSON_LAYOUTS: dict[str, Callable[[object, FeatureSchema], list[Row]]] = {
    "instances": _read_instances,
    "dataframe_records": _read_instances,
    "dataframe_split": _read_split,
}


def _read_json_lines(body: bytes, kind: ContentType, schema: FeatureSchema) -> list[Row]:
    rows: list[Any] = []
    for number, line in enumerate(body.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append(load_json(line))
        except RequestProblem as problem:
            raise bad_request(f"line {number}: {problem.message}") from None
    return schema.conform(rows)


def _read_csv(body: bytes, kind: ContentType, schema: FeatureSchema) -> list[Row]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_request(f"the body is not UTF-8: byte {error.start}") from None
    try:
        lines = [cells for cells in csv.reader(io.StringIO(text, newline=""), strict=True) if cells]
    except csv.Error as error:
        raise bad_request(f"the body is not CSV: {error}") from None
    names: Sequence[str] = schema.names
    if kind.parameters.get("header") == "present":
        names, lines = (lines[0], lines[1:]) if lines else ((), [])
        _refuse_repeated(names)
    elif not names:
        raise bad_request("the order of the features is not known; send a header line and 'text/csv; header=present'")
    rows: list[Row] = []
    for index, cells in enumerate(lines):
        if len(cells) != len(names):
            raise bad_request(f"row {index}: {len(cells)} cells, expected {len(names)}")
        rows.append({name: schema.from_text(name, cell) for name, cell in zip(names, cells, strict=True)})
    return schema.conform(rows)


def _refuse_repeated(names: Sequence[str]) -> None:
    repeated = next((name for name, count in Counter(names).items() if count > 1), None)
    if repeated is not None:
        raise bad_request(f"column {repeated!r} occurs twice")


_READERS: dict[Format, Callable[[bytes, ContentType, FeatureSchema], list[Row]]] = {
    "application/json": _read_json,
    "application/jsonlines": _read_json_lines,
    "text/csv": _read_csv,
}


def _dump(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _write_json(values: Sequence[Any]) -> bytes:
    return _dump({"predictions": list(values)}).encode()


def _write_json_lines(values: Sequence[Any]) -> bytes:
    return "".join(_dump(value) + "\n" for value in values).encode()


def _write_csv(values: Sequence[Any]) -> bytes:
    target = io.StringIO(newline="")
    writer = csv.writer(target, lineterminator="\n")
    for value in values:
        writer.writerow([_cell(item) for item in (value if isinstance(value, list) else [value])])
    return target.getvalue().encode()


def _cell(value: object) -> object:
    return value if isinstance(value, str) else "" if value is None else _dump(value)


_WRITERS: dict[Format, Callable[[Sequence[Any]], bytes]] = {
    "application/json": _write_json,
    "application/jsonlines": _write_json_lines,
    "text/csv": _write_csv,
}
