"""List operations: filters, sorting and pages, the same for every kind."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.core.operations import Call

Field = str | Callable[[Document], Any]

DEFAULT_PAGE = 10
"""SageMaker's documented default of MaxResults for list operations; the model's maximum is 100."""


def listed(
    call: Call,
    rows: Iterable[Document],
    key: str,
    *,
    name: Field,
    status: Field | None = None,
    created: Field = "CreationTime",
    modified: Field = "LastModifiedTime",
    sorts: dict[str, Field] | None = None,
    descending: bool = True,
    summary: Callable[[Document], Document] | None = None,
    size: int = DEFAULT_PAGE,
) -> Document:
    """The response of a List operation: `{key: [...], "NextToken": ...}`.

    Reads the usual request members: NameContains, StatusEquals, CreationTimeAfter/Before (also CreatedAfter/Before),
    LastModifiedTimeAfter/Before, SortBy, SortOrder, MaxResults, NextToken. `sorts` maps SortBy's values to fields
    (Name, CreationTime, LastModifiedTime and Status are known); `descending` is the operation's default order, `size`
    its page.
    """
    params = call.params
    fields: dict[str, Field] = {"Name": name, "CreationTime": created, "LastModifiedTime": modified, **(sorts or {})}
    if status is not None:
        fields.setdefault("Status", status)
    found = [row for row in rows if _wanted(row, params, name, status, created, modified)]
    by = fields.get(params.get("SortBy", "CreationTime"), created)
    order = params.get("SortOrder", "Descending" if descending else "Ascending")
    found.sort(key=lambda row: _sortable(_read(row, by)), reverse=order == "Descending")
    return page(call, [summary(row) if summary else row for row in found], key, size=size)


def page(call: Call, items: list[Any], key: str, *, size: int = DEFAULT_PAGE) -> Document:
    """One page of `items`. Raises ValidationException for a token that this operation did not give."""
    start = _start(call)
    length = int(call.params.get("MaxResults") or size)
    result: Document = {key: items[start : start + length]}
    if start + length < len(items):
        result["NextToken"] = base64.urlsafe_b64encode(json.dumps([call.operation, start + length]).encode()).decode()
    return result


def _start(call: Call) -> int:
    token = call.params.get("NextToken")
    if not token:
        return 0
    try:
        operation, start = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise validation("The provided NextToken is invalid.") from None
    if operation != call.operation or not isinstance(start, int) or start < 0:
        raise validation("The provided NextToken is invalid.")
    return start


def _read(row: Document, field: Field) -> Any:
    return field(row) if callable(field) else row.get(field)


def _sortable(value: Any) -> tuple[int, Any]:
    return (0, 0) if value is None else (1, value)


def _wanted(
    row: Document, params: Document, name: Field, status: Field | None, created: Field, modified: Field
) -> bool:
    contains = params.get("NameContains")
    if contains and contains.lower() not in str(_read(row, name)).lower():
        return False
    if status is not None and params.get("StatusEquals") and _read(row, status) != params["StatusEquals"]:
        return False
    born, changed = _read(row, created), _read(row, modified)
    bounds = (
        (
            born,
            params.get("CreationTimeAfter", params.get("CreatedAfter")),
            params.get("CreationTimeBefore", params.get("CreatedBefore")),
        ),
        (changed, params.get("LastModifiedTimeAfter"), params.get("LastModifiedTimeBefore")),
    )
    for value, after, before in bounds:
        if after is not None and not (value is not None and value > after):
            return False
        if before is not None and not (value is not None and value < before):
            return False
    return True
