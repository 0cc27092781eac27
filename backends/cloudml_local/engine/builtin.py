"""Functions of ours that run as steps: in a worker, with an envelope, a log and a time limit like any other."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any


def sample_rows(limit: int, sample: Any = None) -> dict[str, Any]:
    """The first rows of a table as JSON objects."""
    return {"rows": [] if sample is None else _rows(sample, limit)}


def _rows(frame: Any, limit: int) -> list[dict[str, Any]]:
    rows = frame.head(limit).to_dicts()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def deploy(state: str, name: str, deployment: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Blue to green on the local endpoint; what it serves afterwards."""
    from cloudml.runtime.digest import measure
    from cloudml.runtime.failures import CorruptArtifact
    from cloudml_local.endpoint.manager import EndpointManager
    from cloudml_local.endpoints import from_json

    place = Path(deployment["model_path"])
    if not place.exists() or measure(place)[0] != deployment["digest"]:
        raise CorruptArtifact(
            f"the model at {place} is not what {deployment['model']}/{deployment['version']} was registered as; "
            "run the pipeline again to make and register it anew"
        )
    manager = EndpointManager(Path(state))
    status = manager.deploy(name, from_json(deployment), timeout=timeout, on_progress=print)
    return {"url": status.url, "deployment": status.deployment_id, "version": status.version}


def verify(
    url: str,
    version: int,
    rows: int,
    requests: int,
    p95: float | None,
    max_error_rate: float,
    judge: str | None,
    sample: Any = None,
    given: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Call an endpoint with real rows and hold its answers against the limits.

    Raises AssertionError with all findings.
    """
    sent = _rows(sample, rows) if sample is not None else list(given or [])[:rows]
    if not sent:
        raise AssertionError("there is no row to send: give verify a sample, or register the model with one")
    latencies, problems, answers = _call(url, version, sent, requests)
    errors = len(problems)
    slowest = _percentile(latencies, 0.95) if latencies else float("inf")
    findings = []
    if errors > max_error_rate * requests:
        findings.append(f"{errors} of {requests} requests failed; the first: {problems[0]}")
    if p95 is not None and slowest > p95:
        findings.append(f"p95 latency is {slowest:.1f} ms, the limit {p95:g} ms")
    if not findings and judge is not None:
        _judge(judge, sent, answers)
    if findings:
        raise AssertionError("; ".join(findings))
    return {
        "requests": requests,
        "errors": errors,
        "p50_ms": statistics.median(latencies),
        "p95_ms": slowest,
        "rows": len(sent),
        "version": version,
    }


def _call(
    url: str, version: int, sent: list[dict[str, Any]], requests: int
) -> tuple[list[float], list[str], list[Any]]:
    """One row a request, in turn; then one request with all rows, whose answers are returned."""
    import http.client
    from urllib.parse import urlsplit

    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=60)
    latencies: list[float] = []
    problems: list[str] = []

    def post(rows: list[dict[str, Any]]) -> list[Any] | None:
        body = json.dumps({"instances": rows})
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            problems.append(f"HTTP {answer.status}: {text[:300].decode(errors='replace')}")
            return None
        served = answer.headers.get("x-cloudml-model-version")
        if served is not None and served != str(version):
            problems.append(f"version {served} answered instead of {version}")
            return None
        predictions: list[Any] = json.loads(text)["predictions"]
        if len(predictions) != len(rows):
            problems.append(f"{len(predictions)} predictions for {len(rows)} rows")
            return None
        return predictions

    answers: list[Any] = []
    for index in range(requests):
        begin = time.perf_counter()
        try:
            if post([sent[index % len(sent)]]) is not None:
                latencies.append((time.perf_counter() - begin) * 1000)
        except (OSError, http.client.HTTPException, ValueError) as error:
            problems.append(f"{type(error).__name__}: {error}")
            connection.close()
    if not problems:
        answers = post(sent) or []
    connection.close()
    return latencies, problems, answers


def _percentile(values: list[float], share: float) -> float:
    """Nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def _judge(name: str, rows: list[dict[str, Any]], predictions: list[Any]) -> None:
    """Let the project's own function look at rows and answers; it gets the kind of frame that it asks for."""
    from cloudml.runtime.function import load_function
    from cloudml.runtime.predictor import rows_for

    function = load_function(name)
    function(rows_for(function, rows, 0), predictions)
