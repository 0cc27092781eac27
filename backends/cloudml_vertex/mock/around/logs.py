"""Cloud Logging: entries are written, and found by the Logging query language (google.logging.v2.LoggingServiceV2)."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from cloudml_vertex.mock.around.expressions import Comparison, Expression, parse
from cloudml_vertex.mock.around.projects import account_of, shown
from cloudml_vertex.mock.core import entries, names
from cloudml_vertex.mock.core.entries import everywhere
from cloudml_vertex.mock.core.errors import invalid, not_executed, not_found
from cloudml_vertex.mock.core.listing import page
from cloudml_vertex.mock.core.operations import Call, Document, rpc
from cloudml_vertex.mock.core.times import seconds
from cloudml_vertex.mock.core.world import World

SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
_PAGE, _MOST = 50, 1000
_OLDEST, _NEWEST = 30 * 86400.0, 86400.0
"""Entries older than the retention of 30 days, or more than 24 hours ahead, are not kept (LogEntry.timestamp)."""
_TIMES = {"timestamp", "receive_timestamp"}
_FIELDS = _TIMES | {
    "log_name",
    "severity",
    "insert_id",
    "labels",
    "resource",
    "text_payload",
    "json_payload",
    "proto_payload",
    "http_request",
    "trace",
    "span_id",
    "trace_sampled",
    "operation",
    "source_location",
    "error_groups",
    "split",
}
_ANY: Any = object()


@rpc("LoggingServiceV2.WriteLogEntries")
def write_log_entries(call: Call) -> Document:
    """Log, resource and labels of the request are the entries' where they have none of their own."""
    params, world = call.params, call.world
    given = params.get("entries", [])
    if not given:
        raise invalid("entries: at least one entry is required.")
    batches: dict[str, list[Document]] = {}
    for entry in given:
        full = {
            **entry,
            "log_name": _log(world, str(entry.get("log_name") or params.get("log_name", ""))),
            "resource": entry.get("resource") or params.get("resource"),
        }
        if not full["resource"] or not full["resource"].get("type"):
            raise invalid("resource: an entry needs a monitored resource with a type.")
        if params.get("labels") or entry.get("labels"):
            full["labels"] = {**params.get("labels", {}), **entry.get("labels", {})}
        if sum(name in full for name in ("text_payload", "json_payload", "proto_payload")) != 1:
            raise invalid("An entry needs one payload: text_payload, json_payload or proto_payload.")
        if _is_kept(world, full):
            batches.setdefault(account_of(world, full["log_name"]), []).append(full)
    if not params.get("dry_run"):
        for account, batch in batches.items():
            entries.append(world, account, batch)
    return {}


def _is_kept(world: World, entry: Document) -> bool:
    at = seconds(entry["timestamp"]) if "timestamp" in entry else world.now()
    return world.now() - _OLDEST <= at <= world.now() + _NEWEST


def _log(world: World, name: str) -> str:
    """A log's full name with the project's id. Raises INVALID_ARGUMENT."""
    key = names.canonical(world, name)
    _, log = names.parse(key, "projects/*/logs/*")
    if not re.fullmatch(r"[A-Za-z0-9/_.%-]{1,511}", log):
        raise invalid(f"log_name: {name!r} must be URL-encoded and may have letters, digits and '/_-.' only.")
    return shown(world, key)


@rpc("LoggingServiceV2.ListLogEntries", executes="the query language is evaluated")
def list_log_entries(call: Call) -> Document:
    """By time, ascending or descending; pages go on where the last ended."""
    params, world = call.params, call.world
    resources = params.get("resource_names", [])
    if not resources:
        raise invalid("resource_names: at least one is required.")
    found = _checked(str(params.get("filter", "")))
    order = str(params.get("order_by") or "timestamp asc")
    if order not in {"timestamp asc", "timestamp desc", "timestamp"}:
        raise invalid(f"order_by: {order!r} is neither 'timestamp asc' nor 'timestamp desc'.")
    accounts = dict.fromkeys(account_of(world, name) for name in resources)
    rows = [
        row for account in accounts for row in entries.read(world, everywhere(account)) if _wanted(world, row, found)
    ]
    rows.sort(key=lambda row: float(row["_at"]), reverse=order.endswith("desc"))
    start = _start(str(params.get("page_token", "")), str(params.get("filter", "")), order)
    size = min(int(params.get("page_size") or _PAGE), _MOST)
    if size < 0:
        raise invalid("page_size: it is negative.")
    result: Document = {"entries": [_public(row) for row in rows[start : start + size]]}
    if start + size < len(rows):
        result["next_page_token"] = _token(str(params.get("filter", "")), order, start + size)
    return result


def _public(row: Document) -> Document:
    return {key: value for key, value in row.items() if not key.startswith("_")}


def _token(filter_: str, order: str, start: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([filter_, order, start]).encode()).decode()


def _start(token: str, filter_: str, order: str) -> int:
    if not token:
        return 0
    try:
        start = json.loads(base64.urlsafe_b64decode(token))[-1]
    except (binascii.Error, ValueError, TypeError, RecursionError, IndexError, KeyError):
        raise invalid("The page token is invalid.") from None
    if not isinstance(start, int) or start < 0 or _token(filter_, order, start) != token:
        raise invalid("The page token is not of this request.")
    return start


@rpc("LoggingServiceV2.ListLogs")
def list_logs(call: Call) -> Document:
    """Names of the logs that have entries."""
    parents = call.params.get("resource_names") or [call.params.get("parent", "")]
    accounts = dict.fromkeys(account_of(call.world, name) for name in parents)
    found = {row["log_name"] for account in accounts for row in entries.read(call.world, everywhere(account))}
    return page(call, sorted(found), "log_names")


@rpc("LoggingServiceV2.DeleteLog")
def delete_log(call: Call) -> None:
    """All entries of a log."""
    name = _log(call.world, str(call.params.get("log_name", "")))
    if not entries.delete(call.world, account_of(call.world, name), name):
        raise not_found(name)


@rpc("LoggingServiceV2.TailLogEntries", locked=False)
def tail_log_entries(call: Call) -> Document:
    """A stream of what is written."""
    raise not_executed("TailLogEntries", "ask ListLogEntries again, from the last timestamp on")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda letter: f"_{letter[1].lower()}", name) if name.islower() is False else name


def _checked(text: str) -> Expression:
    """The filter. Raises INVALID_ARGUMENT for fields and functions that entries do not have."""
    found = parse(text)
    for comparison in found.comparisons:
        _check(comparison)
    return found


def _check(comparison: Comparison) -> None:
    value, path = comparison.value, comparison.path
    if not path:
        if comparison.operator == "()" and (value.function != "log_id" or len(value.arguments) != 1):
            raise invalid(
                f'Invalid filter: this mock knows log_id("LOG") among Logging\'s functions, not {value.function}.'
            )
        return
    if value.function:
        raise invalid(f"Invalid filter: {value.function} is no value of a field.")
    if _snake(path[0]) not in _FIELDS:
        raise invalid(f"Invalid filter: field not found: {'.'.join(path)!r}.")
    if comparison.operator in {"=~", "!~"}:
        try:
            re.compile(value.text)
        except re.error as error:
            raise invalid(f"Invalid filter: {value.text!r} is no regular expression: {error}.") from None
    if _snake(path[0]) in _TIMES and comparison.operator not in {":", "=~", "!~"}:
        _moment(value.text)
    if path == ("severity",) and comparison.operator in _ORDERED and value.text.upper() not in SEVERITIES:
        raise invalid(f"Invalid filter: {value.text!r} is no severity.")


def _moment(text: str) -> float:
    return seconds(f"{text}T00:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text)


def _wanted(world: World, row: Document, found: Expression) -> bool:
    return found.test(lambda comparison: _holds(world, row, comparison))


def _holds(world: World, row: Document, comparison: Comparison) -> bool:
    value = comparison.value
    if comparison.operator == "()":
        return unquote(row["log_name"].partition("/logs/")[2]) == value.arguments[0]
    if not comparison.path:
        return value.text.lower() in json.dumps(_public(row), ensure_ascii=False).lower()
    head, rest = _snake(comparison.path[0]), comparison.path[1:]
    given = row.get(head, _ANY)
    if head == "severity":
        return _severity(str(row.get("severity", "DEFAULT")), comparison)
    if given is _ANY:
        return False
    if head in _TIMES and comparison.operator in _ORDERED:
        return _ORDERED[comparison.operator](_at(row, head), _moment(value.text))
    text = value.text
    if head == "log_name" and comparison.operator in {"=", "!="}:
        text = shown(world, names.canonical(world, text))
    return _compare(_inside(given, rest), comparison.operator, text)


def _at(row: Document, head: str) -> float:
    return float(row["_at"]) if head == "timestamp" else seconds(row[head])


def _severity(given: str, comparison: Comparison) -> bool:
    wanted = comparison.value.text.upper()
    if comparison.operator in _ORDERED and given in SEVERITIES:
        return _ORDERED[comparison.operator](SEVERITIES.index(given), SEVERITIES.index(wanted))
    return _compare(given, comparison.operator, comparison.value.text)


def _inside(value: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if not isinstance(value, dict):
            return _ANY
        value = value.get(part, value.get(_snake(part), _ANY))
        if value is _ANY:
            return _ANY
    return value


_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


def _compare(given: Any, operator: str, text: str) -> bool:
    """A field that is missing matches no comparison; texts are compared without regard to case."""
    if given is _ANY or given is None:
        return False
    if isinstance(given, list):
        return any(_compare(item, operator, text) for item in given)
    if operator == ":":
        return text == "*" or text.lower() in (given if isinstance(given, str) else json.dumps(given)).lower()
    if operator in {"=~", "!~"}:
        return (re.search(text, str(given)) is not None) == (operator == "=~")
    return _ORDERED[operator](*_alike(given, text))


def _alike(given: Any, text: str) -> tuple[Any, Any]:
    """Both as numbers where the field is one; NaN for a text that is none equals nothing."""
    if not isinstance(given, int | float) or isinstance(given, bool):
        return str(given).lower(), text.lower()
    try:
        return given, float(text)
    except ValueError:
        return given, math.nan
