"""List requests: filter, order, pages and read masks, the same for every kind (google.aip.dev/132, 158, 160)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any

from cloudml_vertex.mock.core import filters as filtering
from cloudml_vertex.mock.core import masks
from cloudml_vertex.mock.core.errors import invalid
from cloudml_vertex.mock.core.filters import MISSING, Field
from cloudml_vertex.mock.core.operations import Call, Document

PAGE = 100
MOST = 1000


def listed(
    call: Call,
    rows: Iterable[Document],
    key: str,
    *,
    filters: Mapping[str, Field] | None = None,
    operators: Mapping[str, str] | None = None,
    order: Mapping[str, Field] | None = None,
    default_order: str = "create_time desc",
    size: int = PAGE,
) -> Document:
    """The response of a List request: `{key: [...], "next_page_token": ...}`.

    Reads `filter`, `order_by`, `page_size` (0: `size`; more than 1,000 counts as 1,000), `page_token` and `read_mask`.
    `filters` and `order`: the fields that may be named there, paths or functions of a row; `operators` of a field that
    does not have all of them. Raises INVALID_ARGUMENT.
    """
    wanted = filtering.wanted(str(call.params.get("filter", "")), filters or {}, operators)
    found = [row for row in rows if wanted(row)]
    known = order if order is not None else {"create_time": "create_time", "update_time": "update_time"}
    found = _sorted(found, str(call.params.get("order_by") or default_order), {**known})
    paths = call.params.get("read_mask")
    return page(call, [masks.only(row, paths) if paths else row for row in found], key, size=size)


def page(call: Call, items: list[Any], key: str, *, size: int = PAGE) -> Document:
    """One page of items. Raises INVALID_ARGUMENT for a token of another request, and for a negative size."""
    asked = int(call.params.get("page_size") or 0)
    if asked < 0:
        raise invalid(f"page_size: {asked} is negative.")
    start = _start(call)
    length = min(asked or size, MOST)
    result: Document = {key: items[start : start + length]}
    if start + length < len(items):
        result["next_page_token"] = _token(call, start + length)
    return result


def _token(call: Call, start: int) -> str:
    text = json.dumps([call.rpc, call.params.get("filter", ""), call.params.get("order_by", ""), start])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _start(call: Call) -> int:
    token = str(call.params.get("page_token", ""))
    if not token:
        return 0
    try:
        start = json.loads(base64.urlsafe_b64decode(token))[-1]
    except (binascii.Error, ValueError, TypeError, RecursionError, IndexError, KeyError):
        raise invalid("The page token is invalid.") from None
    if not isinstance(start, int) or start < 0 or _token(call, start) != token:
        raise invalid("The page token is not of this request.")
    return start


def _sorted(rows: list[Document], text: str, known: dict[str, Field]) -> list[Document]:
    for part in reversed([part.split() for part in text.split(",") if part.strip()]):
        name, direction = part[0], part[1].lower() if len(part) > 1 else "asc"
        if len(part) > 2 or direction not in {"asc", "desc"} or name not in known | {"create_time": 0}:
            raise invalid(f"Invalid order_by {text!r}: fields are {', '.join(sorted(known))}, with or without 'desc'.")
        field = known.get(name, name)
        rows.sort(key=lambda row, field=field: _sortable(row, field), reverse=direction == "desc")  # type: ignore[misc]
    return rows


def _sortable(row: Document, field: Field) -> tuple[int, Any]:
    value = field(row) if callable(field) else filtering.at(row, field)
    if value is MISSING or value is None:
        return (0, "")
    return (1, value) if isinstance(value, int | float) else (2, str(value))
