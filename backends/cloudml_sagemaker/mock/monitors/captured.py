"""The data of an execution: what an endpoint or batch transform captured in its window, merged with ground truth.

Paths and merge: developer guide, "Capture data" and "Ingest ground truth labels and merge them with predictions". The
merge is AWS's own container there; here the mock does it. Labels are taken from the window's first hour up to the
scheduled time, as they may come in later than the predictions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.monitors import times
from cloudml_sagemaker.mock.monitors.analysis import (
    INPUT_LIMIT,
    Analysis,
    Data,
    batch_format,
    capture_format,
    file_input,
)

NO_DATA = "Job inputs had no data"
"""AWS's words (FailureReason of executions without captured data, public issue tracker of its SDK)."""

_DEPTH = 5
"""Variant, year, month, day, hour: the folders of captured data below the endpoint's."""


class NoData(Exception):
    """The execution fails; the text is its FailureReason."""


def of_batch(world: World, scope: Scope, analysis: Analysis, window: tuple[float, float], room: int) -> Data:
    """What batch transform captured: manifests below input/ and output/ by hour. Raises NoData."""
    base, local = analysis.source["DataCapturedDestinationS3Uri"].rstrip("/"), analysis.source["LocalPath"]
    wanted = set(times.hours(*window))
    bucket, prefix = s3.split_uri(base)
    inputs: list[Document] = []
    for key, _ in s3.list_keys(world, scope, f"{base}/"):
        below = key[len(prefix) :].strip("/")
        side, _, rest = below.partition("/")
        hour, _, name = rest.rpartition("/")
        if side in {"input", "output"} and hour in wanted:
            folder = f"{local.rstrip('/')}/{side}/{hour}/{name.partition('.')[0]}"
            number = len(inputs) + 1
            inputs.append(file_input(f"batch_input_{number}", f"s3://{bucket}/{key}", folder, kind="ManifestFile"))
    if not inputs:
        raise NoData(NO_DATA)
    if len(inputs) > room:
        raise NoData(f"ClientError: {len(inputs)} captured batches in one window are more than the {room} inputs left.")
    return Data(inputs, batch_format(analysis.source["DatasetFormat"]))


def of_endpoint(
    world: World, scope: Scope, analysis: Analysis, destination: str, window: tuple[float, float], room: int
) -> Data:
    """What an endpoint captured, hour by hour; by coarser folders when there are too many hours for a job's inputs.

    "We sometimes download more than what is specified by the start and end times" (developer guide). Raises NoData.
    """
    base, local = _base(analysis, destination), analysis.source["LocalPath"].rstrip("/")
    name = analysis.source["EndpointName"]
    folders = sorted({tuple(place.split("/")[:_DEPTH]) for place, _ in _objects(world, scope, base, window)})
    if not folders:
        raise NoData(NO_DATA)
    for depth in range(_DEPTH, -1, -1):
        places = sorted({folder[:depth] for folder in folders})
        if len(places) <= room:
            break
    inputs = [
        file_input(f"endpoint_input_{number}", "/".join((base, *place)) + "/", "/".join((local, name, *place)))
        for number, place in enumerate(places, 1)
    ]
    return Data(inputs, capture_format(), destination)


def merged(
    world: World,
    scope: Scope,
    analysis: Analysis,
    destination: str,
    window: tuple[float, float],
    *,
    scheduled: float,
    target: str,
) -> Data:
    """Captured records with their labels, written below `target`. Raises NoData when none has one."""
    assert analysis.ground_truth is not None
    labels = dict(_labels(world, scope, analysis.ground_truth.rstrip("/"), (window[0], scheduled)))
    lines: list[str] = []
    for _, uri in _objects(world, scope, _base(analysis, destination), window):
        for record in _records(world, scope, uri):
            label = labels.get(_identity(record))
            if label is not None:
                lines.append(json.dumps({**record, "groundTruthData": label}, separators=(",", ":")))
    if not lines:
        raise NoData(NO_DATA)
    s3.write(world, scope, f"{target}/part-00000.jsonl", "\n".join(lines) + "\n", "application/jsonlines")
    inputs = [file_input("groundtruth_merge", f"{target}/", analysis.source["LocalPath"])]
    return Data(inputs, capture_format(merged=True), destination)


def room_beside(others: list[Document]) -> int:
    """How many inputs a processing job has left for data."""
    return INPUT_LIMIT - len(others)


def _base(analysis: Analysis, destination: str) -> str:
    return f"{destination.rstrip('/')}/{analysis.source['EndpointName']}"


def _objects(world: World, scope: Scope, base: str, window: tuple[float, float]) -> Iterator[tuple[str, str]]:
    """The path below `base` and the URI of every object of the window's hours."""
    wanted = set(times.hours(*window))
    bucket, prefix = s3.split_uri(f"{base}/")
    for key, _ in s3.list_keys(world, scope, f"{base}/"):
        path = key[len(prefix) :]
        parts = path.split("/")
        if len(parts) > _DEPTH and "/".join(parts[1:_DEPTH]) in wanted:
            yield path, f"s3://{bucket}/{key}"


def _labels(world: World, scope: Scope, base: str, window: tuple[float, float]) -> Iterator[tuple[str, Any]]:
    for hour in times.hours(*window):
        bucket, _ = s3.split_uri(base)
        for key, _ in s3.list_keys(world, scope, f"{base}/{hour}/"):
            for record in _records(world, scope, f"s3://{bucket}/{key}"):
                if "groundTruthData" in record:
                    yield str((record.get("eventMetadata") or {}).get("eventId")), record["groundTruthData"]


def _records(world: World, scope: Scope, uri: str) -> Iterator[Document]:
    """The JSON objects of a file of lines; lines that are none are left out, as they are data of users."""
    for line in s3.read(world, scope, uri).splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record


def _identity(record: Document) -> str:
    """inferenceId when the caller gave one, else eventId."""
    told = record.get("eventMetadata") or {}
    return str(told.get("inferenceId") or told.get("eventId"))
