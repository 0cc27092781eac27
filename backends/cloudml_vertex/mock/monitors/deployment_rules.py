"""What a ModelDeploymentMonitoringJob must be (google.cloud.aiplatform.v1, docstrings of its messages)."""

from __future__ import annotations

import math
from typing import Any

from cloudml.mocks.store import Document
from cloudml_vertex.mock.core import labels, names
from cloudml_vertex.mock.core.errors import failed_precondition, invalid, not_executed
from cloudml_vertex.mock.core.operations import Call
from cloudml_vertex.mock.core.times import duration, duration_text

HOUR = 3600.0
KIND = "ModelDeploymentMonitoringJob"
_CONFIGS = "model_deployment_monitoring_objective_configs"
_SCHEDULE = "model_deployment_monitoring_schedule_config"
_ATTRIBUTIONS = ("attribution_score_skew_thresholds", "attribution_score_drift_thresholds")
DETECTIONS = ("training_prediction_skew_detection_config", "prediction_drift_detection_config")


def check(call: Call, job: Document) -> None:
    """Raises GoogleError for what Vertex AI refuses; the interval is rounded up to full hours on the way."""
    labels.display_name(job.get("display_name"))
    labels.check(job.get("labels"))
    rate = job["logging_sampling_strategy"].get("random_sample_config", {}).get("sample_rate", 0.0)
    if not 0 < rate <= 1:
        raise invalid(f"logging_sampling_strategy: the sample rate must be in (0, 1]; it is {rate:g}.")
    schedule = job[_SCHEDULE]
    interval = duration(schedule["monitor_interval"])
    if interval <= 0:
        raise invalid("monitor_interval must be positive.")
    schedule["monitor_interval"] = duration_text(math.ceil(interval / HOUR) * HOUR)
    if "monitor_window" in schedule and duration(schedule["monitor_window"]) <= 0:
        raise invalid("monitor_window must be positive.")
    _check_endpoint(call, job)
    for config in job[_CONFIGS]:
        _check_objectives(config.get("objective_config", {}))
    directory = job.get("stats_anomalies_base_directory", {}).get("output_uri_prefix")
    if directory is not None and not str(directory).startswith("gs://"):
        raise invalid(f"stats_anomalies_base_directory: {directory!r} is no URI of Cloud Storage.")


def _check_endpoint(call: Call, job: Document) -> None:
    """The endpoint exists, and each configuration is for another one of its deployed models."""
    endpoint = call.world.call(call.scope, "EndpointService.GetEndpoint", {"name": job["endpoint"]})
    job["endpoint"] = names.canonical(call.world, endpoint["name"])
    deployed = {str(one["id"]) for one in endpoint.get("deployed_models", [])}
    wanted = [str(config.get("deployed_model_id", "")) for config in job[_CONFIGS]]
    unknown = sorted(set(wanted) - deployed)
    if unknown:
        raise invalid(f"The endpoint {job['endpoint']} has no deployed models {unknown}; it has {sorted(deployed)}.")
    if len(set(wanted)) < len(wanted):
        raise invalid("Each deployed model can be configured once only.")
    if call.world.switches["monitoring-jobs-per-endpoint"] == "one":
        others = [row for row in call.table(KIND) if row["endpoint"] == job["endpoint"] and row["name"] != job["name"]]
        if others:
            raise failed_precondition(f"The endpoint {job['endpoint']} has a monitoring job: {others[0]['name']}.")


def _check_objectives(config: dict[str, Any]) -> None:
    present = [name for name in DETECTIONS if name in config]
    if not present:
        raise invalid("An objective_config needs skew or drift detection.")
    if config.get("explanation_config", {}).get("enable_feature_attributes") or any(
        config[name].get(key) for name in present for key in _ATTRIBUTIONS
    ):
        raise not_executed("Monitoring of feature attributions", "monitor skew and drift of the features themselves")
    if DETECTIONS[0] in config:
        _check_training(config.get("training_dataset"))
    for name in present:
        for threshold in thresholds_of(config[name])[0].values():
            if not 0 <= threshold <= 1:
                raise invalid(f"{name}: the threshold {threshold:g} is not between 0 and 1.")


def _check_training(dataset: dict[str, Any] | None) -> None:
    if dataset is None:
        raise invalid("Skew detection needs a training_dataset.")
    for source in ("dataset", "bigquery_source"):
        if source in dataset:
            raise not_executed(f"training_dataset.{source}", "use gcs_source")
    if not dataset.get("gcs_source", {}).get("uris"):
        raise invalid("training_dataset needs a data source.")
    form = dataset.get("data_format", "")
    if form == "tf-record":
        raise not_executed("The data format tf-record", "use csv or jsonl")
    if form not in {"csv", "jsonl"}:
        raise invalid(f"training_dataset.data_format: {form!r} is not one of tf-record, csv, jsonl.")


def thresholds_of(detection: dict[str, Any]) -> tuple[dict[str, float], float | None]:
    """Thresholds by feature, and that of all others (None: they are not monitored).

    Without any threshold every feature has 0.3, the backend's default as the SDK's SkewDetectionConfig tells it.
    """
    own = detection.get("skew_thresholds") or detection.get("drift_thresholds") or {}
    default = detection.get("default_skew_threshold") or detection.get("default_drift_threshold")
    found = {name: float(one.get("value", 0.0)) for name, one in own.items()}
    if default is not None:
        return found, float(default.get("value", 0.0))
    return found, None if found else BACKEND_DEFAULT


BACKEND_DEFAULT = 0.3
