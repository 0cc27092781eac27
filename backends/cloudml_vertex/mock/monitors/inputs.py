"""The data of one monitoring job: ModelMonitoringInput as rows of features and rows of predictions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_vertex.mock.core import gcs, names, predictions
from cloudml_vertex.mock.core.errors import GoogleError, failed_precondition, invalid
from cloudml_vertex.mock.core.times import seconds, stamp
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.monitors import datasets
from cloudml_vertex.mock.monitors.datasets import Row
from cloudml_vertex.mock.monitors.monitor_rules import span


@dataclass
class Data:
    """What was read: one row of features and one of predictions for each instance, and from where."""

    features: list[Row] = field(default_factory=list)
    outputs: list[Row] = field(default_factory=list)
    processed: list[Document] = field(default_factory=list)
    """ModelMonitoringJobExecutionDetail.ProcessedDataset of each source."""


def read(world: World, scope: Scope, monitor: Document, dataset: Document, cutoff: float) -> Data:
    """Read a dataset; `cutoff` (seconds since the epoch) is the time from which offsets count back.

    Raises GoogleError. Call it without the lock.
    """
    start, end = _range(dataset, cutoff)
    schema = monitor["model_monitoring_schema"]
    fields = [[str(one["name"]) for one in schema.get(group, [])] for group in ("feature_fields", "prediction_fields")]
    if "columnized_dataset" in dataset:
        data = _columns(world, dataset["columnized_dataset"], start, end)
    elif "vertex_endpoint_logs" in dataset:
        endpoints = dataset["vertex_endpoint_logs"]["endpoints"]
        data = _logs(world, scope, monitor, endpoints, (start, end), fields)
    else:
        data = _batch(world, scope, dataset["batch_prediction_output"], fields)
    for one in data.processed:
        if start is not None and end is not None:
            one["time_range"] = {"start_time": stamp(start), "end_time": stamp(end)}
    return data


def _range(dataset: Document, cutoff: float) -> tuple[float | None, float | None]:
    if "time_interval" in dataset:
        given = dataset["time_interval"]
        start, end = (seconds(given[key]) if key in given else None for key in ("start_time", "end_time"))
        return start, end
    if "time_offset" not in dataset:
        return None, None
    offset, window = (dataset["time_offset"].get(key, "") for key in ("offset", "window"))
    last = cutoff - (span(offset) if offset else 0.0)
    return last - span(window) if window else 0.0, last


def _columns(world: World, columns: Document, start: float | None, end: float | None) -> Data:
    source = columns["gcs_source"]
    rows = datasets.read(world, [source["gcs_uri"]], source["format_"])
    stamped = columns.get("timestamp_field", "")
    if start is not None or end is not None:
        if not stamped:
            raise invalid("A dataset with a time range needs its timestamp_field.")
        rows = [row for row in rows if _is_within(_time(row.get(stamped)), start, end)]
    return Data(rows, rows, [{"location": source["gcs_uri"]}])


def _time(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = str(value).replace(" ", "T", 1)
    return seconds(text if text.endswith("Z") or "+" in text else f"{text}Z")


def _is_within(at: float, start: float | None, end: float | None) -> bool:
    return (start is None or at >= start) and (end is None or at < end)


def _logs(
    world: World,
    scope: Scope,
    monitor: Document,
    endpoints: list[str],
    times: tuple[float | None, float | None],
    fields: list[list[str]],
) -> Data:
    """The requests that the endpoints' deployments of the monitored model version answered."""
    data = Data()
    for name in endpoints:
        endpoint = world.call(scope, "EndpointService.GetEndpoint", {"name": name}, "v1beta1")
        if not endpoint.get("predict_request_response_logging_config", {}).get("enabled"):
            raise failed_precondition(f"The endpoint {name} does not log requests and responses.")
        deployed = _deployed(world, monitor, endpoint)
        if not deployed:
            raise failed_precondition(f"The endpoint {name} has no deployment of the monitored model version.")
        full = names.canonical(world, endpoint["name"])
        for identifier in deployed:
            for row in predictions.read(world, full, identifier, *times):
                data.features.append(datasets.as_row(row.instance, fields[0]))
                data.outputs.append(datasets.as_row(row.prediction, fields[1]))
        data.processed.append({"location": name})
    return data


def _deployed(world: World, monitor: Document, endpoint: Document) -> list[str]:
    target = monitor["model_monitoring_target"]["vertex_model"]
    model, version = names.canonical(world, target["model"]).partition("@")[::2]
    version = target.get("model_version_id") or version
    return [
        str(one["id"])
        for one in endpoint.get("deployed_models", [])
        if names.canonical(world, str(one.get("model", ""))).partition("@")[0] == model
        and version in {"", str(one.get("model_version_id", ""))}
    ]


def _batch(world: World, scope: Scope, source: Document, fields: list[list[str]]) -> Data:
    """The lines `{"instance": ..., "prediction": ...}` that a batch prediction job wrote."""
    name = source.get("batch_prediction_job", "")
    job = world.call(scope, "JobService.GetBatchPredictionJob", {"name": name}, "v1beta1")
    folder = job.get("output_info", {}).get("gcs_output_directory", "")
    data = Data(processed=[{"location": name}])
    try:
        found = [uri for uri in gcs.walk(world, f"{folder}/") if _holds_predictions(uri)] if folder else []
    except gcs.GcsError as error:
        raise GoogleError("NOT_FOUND", str(error)) from error
    for uri in found:
        for line in gcs.read(world, uri).splitlines():
            row = _line(uri, line)
            data.features.append(datasets.as_row(row.get("instance"), fields[0]))
            data.outputs.append(datasets.as_row(row.get("prediction"), fields[1]))
    if not data.features:
        raise failed_precondition(f"The batch prediction job {name} has no predictions in jsonl.")
    return data


def _holds_predictions(uri: str) -> bool:
    """Whether it is a file of results, by either of the names that Google has for them, and not one of errors."""
    return uri.rpartition("/")[2].startswith(("prediction.results", "predictions_"))


def _line(uri: str, line: bytes) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise invalid(f"{uri} has a line that is no JSON object.")
    return row
