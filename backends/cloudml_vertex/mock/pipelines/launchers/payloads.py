"""From a launcher's payload to the request that it sends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cloudml_vertex.mock.pipelines.launchers.command import Launch

Document = dict[str, Any]

_BIGQUERY = re.compile(
    r"(?P<scheme>(?:bq|bigquery)://)?(?P<project>(?:[a-z0-9.-]+:)?[a-z][a-z0-9-_]{4,28}[a-z0-9])"
    r"(?:[:.](?P<dataset>[a-zA-Z0-9_]+)(?:[:.](?P<table>[^.:]+))?)?"
)


def pruned(payload: Mapping[str, Any]) -> Document:
    """The payload without what is empty, zero or false, at any depth: how components leave out what was not given.

    Numbers, texts and booleans inside of lists stay, and so do the outputs of an explanation's metadata.
    """
    found = dict(_pruned(payload))
    spec = payload.get("explanation_spec")
    metadata = spec.get("metadata") if isinstance(spec, dict) else None
    if isinstance(metadata, dict) and "outputs" in metadata:
        found.setdefault("explanation_spec", {}).setdefault("metadata", {})["outputs"] = metadata["outputs"]
    return found


def labelled(payload: Mapping[str, Any], labels: Mapping[str, str]) -> Document:
    """The payload with the labels of the pipeline run; the author's own win."""
    return {**payload, "labels": {**labels, **(payload.get("labels") or {})}}


def custom_job(launch: Launch, labels: Mapping[str, str]) -> Document:
    """CreateCustomJobRequest; max_wait_duration is for FLEX_START alone."""
    job = pruned(labelled(launch.payload, labels))
    scheduling = job.get("job_spec", {}).get("scheduling", {})
    if scheduling.get("strategy", "FLEX_START") != "FLEX_START":
        scheduling.pop("max_wait_duration", None)
    return {"parent": launch.parent, "custom_job": job}


def tuning_job(launch: Launch, labels: Mapping[str, str]) -> Document:
    """CreateHyperparameterTuningJobRequest."""
    return {"parent": launch.parent, "hyperparameter_tuning_job": pruned(labelled(launch.payload, labels))}


def batch_prediction_job(launch: Launch, labels: Mapping[str, str]) -> Document:
    """CreateBatchPredictionJobRequest, with an unmanaged container model that the task takes."""
    payload = labelled(launch.payload, labels)
    artifact = _unmanaged(launch)
    if artifact is not None:
        model = snake_case(artifact.get("metadata", {}))
        payload["unmanaged_container_model"] = {**model, "artifact_uri": artifact.get("uri")}
    job = pruned(payload)
    for config, holder, field in (
        ("input_config", "bigquery_source", "input_uri"),
        ("output_config", "bigquery_destination", "output_uri"),
    ):
        part = job.get(config, {}).get(holder, {})
        match = _BIGQUERY.fullmatch(part.get(field, ""))
        if match is not None and match["scheme"] is None:
            part[field] = f"bq://{part[field]}"
    return {"parent": launch.parent, "batch_prediction_job": job}


def upload(launch: Launch, labels: Mapping[str, str]) -> Document:
    """UploadModelRequest, with an unmanaged container model that the task takes."""
    model = labelled(launch.payload, labels)
    artifact = _unmanaged(launch)
    if artifact is not None:
        metadata = artifact.get("metadata", {})
        model["predict_schemata"] = snake_case(metadata.get("predictSchemata", {}))
        model["container_spec"] = snake_case(metadata.get("containerSpec", {}))
        model["artifact_uri"] = artifact.get("uri")
    request: Document = {"parent": launch.parent, "model": pruned(model)}
    explained = (model.get("explanation_spec") or {}).get("metadata")
    if explained:
        request["model"].setdefault("explanation_spec", {})["metadata"] = explained
    parent = launch.options.get("parent_model_name")
    if parent:
        request["parent_model"] = parent.rsplit("@", 1)[0]
    return request


def create_endpoint(launch: Launch, labels: Mapping[str, str]) -> Document:
    """CreateEndpointRequest."""
    return {"parent": launch.parent, "endpoint": pruned(labelled(launch.payload, labels))}


def snake_case(value: Any) -> Any:
    """Metadata of an artifact, which is in camelCase, with names as in the proto."""
    if isinstance(value, list):
        return [snake_case(item) for item in value]
    if isinstance(value, dict):
        return {re.sub(r"(?<!^)(?=[A-Z])", "_", key).lower(): snake_case(item) for key, item in value.items()}
    return value


def bigquery_dataset(uri: str) -> tuple[str, str] | None:
    """Project and dataset of bq://project.dataset; None for anything else."""
    match = _BIGQUERY.fullmatch(uri)
    return (match["project"], match["dataset"]) if match is not None and match["dataset"] else None


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        kept = ((key, _pruned(item)) for key, item in value.items())
        return {key: item for key, item in kept if item}
    if isinstance(value, list):
        return [item for item in (_pruned(item) for item in value) if item or isinstance(item, int | float | str)]
    return value


def _unmanaged(launch: Launch) -> Document | None:
    artifacts = launch.executor_input.get("inputs", {}).get("artifacts", {})
    listed = artifacts.get("unmanaged_container_model", {}).get("artifacts")
    return dict(listed[0]) if listed else None
