"""Verify: call the endpoint with real rows, and hold its answers against the limits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from cloudml.jobs.context import Context, Document
from cloudml.runtime.verification import BadAnswer, Row, checked, examine, sample_of


def report(
    action: Document,
    context: Context,
    ask: Callable[[list[Row]], Any],
    registered: Callable[[], list[Row]],
) -> Document:
    """The report, but for the version. Raises AssertionError with all findings.

    `ask` sends rows once, since what is tried again would be neither an error nor its own latency, and yields what the
    endpoint answers as `predictions`; it raises BadAnswer. `registered`: the rows that the version was registered with,
    for a step that names none.
    """

    def post(sent: list[Row]) -> list[Any]:
        predictions = ask(sent)
        if not isinstance(predictions, list):
            raise BadAnswer(f"the answer is not a list of predictions: {type(predictions).__name__}")
        return checked(predictions, sent)

    found = examine(
        post,
        _rows(action, context, registered)[: action["rows"]],
        requests=action["requests"],
        p95=action.get("p95"),
        max_error_rate=action["max_error_rate"],
        judge=action.get("function"),
    )
    sys.stdout.write(f"cloudml: {found['requests']} requests, {found['errors']} errors, p95 {found['p95_ms']:.1f} ms\n")
    return found


def _rows(action: Document, context: Context, registered: Callable[[], list[Row]]) -> list[Row]:
    if action.get("sample") is None:
        return registered()
    from cloudml.runtime.codecs import read_value

    found = context.sources.one(action["sample"])
    return sample_of(read_value(str(found.path), "polars.DataFrame", found.format), action["rows"])
