"""The Open Inference Protocol (v2), the part every client speaks: named columns or one matrix in, one tensor out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cloudml.serving.problems import ModelFailed, bad_request
from cloudml.serving.schema import FeatureSchema, Row

_INTEGERS = {f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}
_DATATYPES = _INTEGERS | {"BOOL", "FP16", "FP32", "FP64", "BYTES"}


def rows_of(document: object, schema: FeatureSchema) -> list[Row]:
    """The rows of a request: one input for each feature, shape [n] or [n, 1]; or one input, shape [n, features]."""
    inputs = document.get("inputs") if isinstance(document, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise bad_request('the body must be {"inputs": [{"name", "shape", "datatype", "data"}, ...]}')
    tensors = [_tensor(item) for item in inputs]
    if len(tensors) == 1 and len(tensors[0][1]) == 2 and tensors[0][1][1] != 1:
        return schema.conform(_matrix_rows(*tensors[0]))
    return schema.conform(_column_rows(tensors))


def response(model: str, version: str, request_id: object, values: Sequence[Any]) -> dict[str, Any]:
    """The answer: one output named `predictions`. Raises ModelFailed when the predictions are ragged."""
    width = len(values[0]) if values and isinstance(values[0], list) else None
    if any((len(value) if isinstance(value, list) else None) != width for value in values):
        raise ModelFailed("the predictions have different shapes; they fit no tensor")
    flat = list(values) if width is None else [item for value in values for item in value]
    output = {
        "name": "predictions",
        "shape": [len(values)] if width is None else [len(values), width],
        "datatype": _datatype(flat),
        "data": flat,
    }
    answer: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": [output]}
    return answer if request_id is None else {**answer, "id": request_id}


def _tensor(item: object) -> tuple[str, list[int], list[Any]]:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise bad_request("every input needs a name, a shape, a datatype and data")
    name, shape, data = item["name"], item.get("shape"), item.get("data")
    if item.get("datatype") not in _DATATYPES:
        legal = ", ".join(sorted(_DATATYPES))
        raise bad_request(f"input {name!r}: datatype {item.get('datatype')!r} is none of {legal}")
    if not _is_shape(shape):
        raise bad_request(f"input {name!r}: the shape must be [rows] or [rows, columns]")
    if not isinstance(data, list):
        raise bad_request(f"input {name!r}: the data must be a list")
    flat = [value for part in data for value in (part if isinstance(part, list) else [part])]
    assert isinstance(shape, list)
    if len(flat) != math.prod(shape):
        raise bad_request(f"input {name!r}: {len(flat)} values do not fill the shape {shape}")
    return name, shape, flat


def _is_shape(shape: object) -> bool:
    if not isinstance(shape, list) or len(shape) not in (1, 2):
        return False
    return all(isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in shape)


def _matrix_rows(name: str, shape: list[int], flat: list[Any]) -> list[list[Any]]:
    width = shape[1]
    return [flat[start : start + width] for start in range(0, len(flat), width)] if width else []


def _column_rows(tensors: list[tuple[str, list[int], list[Any]]]) -> list[Row]:
    names = [name for name, _, _ in tensors]
    if len(set(names)) != len(names):
        raise bad_request("two inputs have the same name")
    for name, shape, _ in tensors:
        if len(shape) == 2 and shape[1] != 1:
            raise bad_request(f"input {name!r}: beside other inputs, a feature has the shape [rows] or [rows, 1]")
    lengths = {len(flat) for _, _, flat in tensors}
    if len(lengths) != 1:
        raise bad_request("the inputs have different numbers of rows")
    return [dict(zip(names, values, strict=True)) for values in zip(*(flat for _, _, flat in tensors), strict=True)]


def _datatype(flat: Sequence[Any]) -> str:
    types = {type(value) for value in flat}
    if types == {bool}:
        return "BOOL"
    if types == {int}:
        return "INT64"
    if types <= {int, float}:
        return "FP64"
    return "BYTES"
