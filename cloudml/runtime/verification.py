"""Holding a served model against its limits, whoever serves it: what a verify step does with the answers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]


class BadAnswer(Exception):
    """A request got no answer, or a wrong one; the text is the finding."""


def sample_of(frame: Any, limit: int) -> list[Row]:
    """The first rows of a polars frame as JSON objects; what JSON has no form for becomes text."""
    return [{name: _plain(value) for name, value in row.items()} for row in frame.head(limit).to_dicts()]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def examine(
    post: Callable[[list[Row]], list[Any]],
    rows: list[Row],
    *,
    requests: int,
    p95: float | None,
    max_error_rate: float,
    judge: str | None,
) -> dict[str, Any]:
    """Send one row a request, in turn, then all rows at once for the judge; the report, latencies in milliseconds.

    `post` answers rows with predictions or raises BadAnswer; `judge` is `module:function` of the project.

    Raises:
        AssertionError: with all findings.
    """
    if not rows:
        raise AssertionError("there is no row to send: give verify a sample, or register the model with one")
    latencies, problems, answers = _call(post, rows, requests)
    slowest = _percentile(latencies, 0.95) if latencies else float("inf")
    findings = []
    if len(problems) > max_error_rate * requests:
        findings.append(f"{len(problems)} of {requests} requests failed; the first: {problems[0]}")
    if p95 is not None and slowest > p95:
        findings.append(f"p95 latency is {slowest:.1f} ms, the limit {p95:g} ms")
    if not findings and judge is not None:
        _judge(judge, rows, answers)
    if findings:
        raise AssertionError("; ".join(findings))
    return {
        "requests": requests,
        "errors": len(problems),
        "p50_ms": statistics.median(latencies),
        "p95_ms": slowest,
        "rows": len(rows),
    }


def checked(predictions: Any, rows: list[Row]) -> list[Any]:
    """Predictions that are one for each row. Raises BadAnswer."""
    if not isinstance(predictions, list):
        raise BadAnswer(f"the predictions are a {type(predictions).__name__}, not a list")
    if len(predictions) != len(rows):
        raise BadAnswer(f"{len(predictions)} predictions for {len(rows)} rows")
    return predictions


def _call(
    post: Callable[[list[Row]], list[Any]], rows: list[Row], requests: int
) -> tuple[list[float], list[str], list[Any]]:
    latencies: list[float] = []
    problems: list[str] = []
    answers: list[Any] = []
    for index in range(requests):
        begin = time.perf_counter()
        try:
            post([rows[index % len(rows)]])
        except BadAnswer as problem:
            problems.append(str(problem))
        else:
            latencies.append((time.perf_counter() - begin) * 1000)
    if not problems:
        try:
            answers = post(rows)
        except BadAnswer as problem:
            problems.append(str(problem))
    return latencies, problems, answers


def _percentile(values: list[float], share: float) -> float:
    """Nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def _judge(name: str, rows: list[Row], predictions: list[Any]) -> None:
    """Let the project's own function look at rows and answers; it gets the kind of frame that it asks for."""
    from cloudml.runtime.function import load_function
    from cloudml.runtime.predictor import rows_for

    function = load_function(name)
    function(rows_for(function, rows, 0), predictions)
