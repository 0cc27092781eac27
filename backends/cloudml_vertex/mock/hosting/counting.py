"""What an endpoint tells of its requests: metrics, access log, request-response logging, rows for model monitoring.

Metric names and labels: Cloud Monitoring, "Google Cloud metrics", aiplatform, on the resource of an endpoint.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from cloudml_vertex.mock.core import entries, predictions, series
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.hosting import requestlog, rows

Document = dict[str, Any]
PREFIX = "aiplatform.googleapis.com/prediction/online"
_ACCESS = "aiplatform.googleapis.com/prediction_access"


@dataclass
class Outcome:
    """One request on its way: of which endpoint and deployed model, how many instances, since when."""

    endpoint: Document
    row: Document
    number: int
    instances: int
    began: float
    model_seconds: float = 0.0


def count(
    world: World,
    outcome: Outcome,
    status: int,
    instances: list[Any] | None = None,
    answers: list[Any] | None = None,
    raw: tuple[bytes, bytes] | None = None,
) -> None:
    """Note that a request was answered with an HTTP status; `instances` and `answers`, or `raw`, of a good one."""
    spent = time.perf_counter() - outcome.began
    with world.lock:
        _measure(world, outcome, status, spent)
        if outcome.row.get("enable_access_logging"):
            _access(world, outcome, status, spent)
        if status // 100 != 2:
            return
        texts = _payloads(instances, answers, raw)
        requestlog.write(world, outcome.endpoint, outcome.row["id"], outcome.number, *texts)
        if instances is not None and answers is not None and len(instances) == len(answers):
            name, identifier = outcome.endpoint["name"], outcome.row["id"]
            for instance, answer in zip(instances, answers, strict=True):
                predictions.record(world, name, identifier, instance, answer)


def _measure(world: World, outcome: Outcome, status: int, spent: float) -> None:
    code = {"response_code": str(status)}
    points: list[tuple[str, dict[str, str], float]] = [
        ("prediction_count", {}, outcome.instances),
        ("response_count", code, 1),
    ]
    if status // 100 != 2:
        points.append(("error_count", {}, 1))
    for name, labels, value in points:
        _add(world, outcome, name, labels, value, "INT64")
    model = outcome.model_seconds * 1000
    parts = {"total": spent * 1000, "model": model, "overhead": max(0.0, spent * 1000 - model)}
    for kind, value in parts.items():
        _add(world, outcome, "prediction_latencies", {"latency_type": kind}, value, "DISTRIBUTION")


def _add(world: World, outcome: Outcome, name: str, labels: dict[str, str], value: float, kind: str) -> None:
    endpoint = outcome.endpoint["name"]
    series.add(
        world,
        rows.scope_of(endpoint),
        f"{PREFIX}/{name}",
        {"deployed_model_id": outcome.row.get("id", ""), **labels},
        rows.RESOURCE,
        rows.labels_of(endpoint),
        value,
        kind="DELTA",
        value_type=kind,
    )


def _access(world: World, outcome: Outcome, status: int, spent: float) -> None:
    name = outcome.endpoint["name"]
    resource = {"type": rows.RESOURCE, "labels": rows.labels_of(name)}
    line = {"status": status, "latency": f"{spent:.6f}s", "deployed_model_id": outcome.row["id"]}
    entries.write(world, rows.scope_of(name), _ACCESS, resource, {"deployed_model_id": outcome.row["id"]}, [line])


def _payloads(
    instances: list[Any] | None, answers: list[Any] | None, raw: tuple[bytes, bytes] | None
) -> tuple[list[str], list[str]]:
    if raw is not None:
        return [raw[0].decode("utf-8", "replace")], [raw[1].decode("utf-8", "replace")]
    return [json.dumps(one) for one in instances or []], [json.dumps(one) for one in answers or []]
