"""What model monitors and their jobs may hold (google.cloud.aiplatform.v1beta1, docstrings of its messages)."""

from __future__ import annotations

import re
from typing import Any

from cloudml.mocks.store import Document
from cloudml_vertex.mock.core.errors import invalid, not_executed

ID = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
ID_WORDS = "at most 63 characters, /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/"
NUMERIC, CATEGORICAL = frozenset({"float", "integer"}), frozenset({"boolean", "string", "categorical"})
OBJECTIVES = {
    "feature_drift_spec": ("raw-feature-drift", "feature_fields"),
    "prediction_output_drift_spec": ("prediction-output-drift", "prediction_fields"),
}
"""For each objective that is executed: its name in statistics, and the fields of the schema that it is about."""
_METRICS = {
    "categorical_metric_type": {"l_infinity", "jensen_shannon_divergence"},
    "numeric_metric_type": {"jensen_shannon_divergence"},
}
_OFFSET = re.compile(r"(\d{1,6})([wdh])", re.IGNORECASE)
_UNITS = {"w": 7 * 86_400.0, "d": 86_400.0, "h": 3_600.0}


def check_schema(schema: Document) -> None:
    """Every field has a name of its own and a known type. Raises INVALID_ARGUMENT."""
    for group in ("feature_fields", "prediction_fields", "ground_truth_fields"):
        fields = schema.get(group, [])
        names = [str(field.get("name", "")) for field in fields]
        if len(set(names)) < len(names) or "" in names:
            raise invalid(f"model_monitoring_schema.{group}: names must be set and different; they are {names}.")
        for field in fields:
            if field.get("data_type") not in NUMERIC | CATEGORICAL:
                known = ", ".join(sorted(NUMERIC | CATEGORICAL))
                raise invalid(f"model_monitoring_schema.{group}: {field.get('data_type')!r} is not one of {known}.")
    if not schema.get("feature_fields"):
        raise invalid("model_monitoring_schema.feature_fields: at least one is required.")


def check_objective(tabular: Document, schema: Document) -> None:
    """Metrics are known, features are the schema's, thresholds in [0, 1]. Raises GoogleError."""
    if "feature_attribution_spec" in tabular:
        raise not_executed("feature_attribution_spec", "monitor the drift of features and of predictions")
    if not tabular:
        raise invalid("tabular_objective: no objective is set.")
    for objective, spec in tabular.items():
        known = {str(field["name"]) for field in schema.get(OBJECTIVES[objective][1], [])}
        unknown = sorted({*spec.get("features", []), *spec.get("feature_alert_conditions", {})} - known)
        if unknown:
            raise invalid(f"{objective}: {unknown} are not in the monitoring schema, which has {sorted(known)}.")
        for field, metrics in _METRICS.items():
            if spec.get(field) and spec[field] not in metrics:
                raise invalid(f"{objective}.{field}: {spec[field]!r} is not one of {', '.join(sorted(metrics))}.")
        for condition in _conditions(spec):
            if not 0 <= condition.get("threshold", 0.0) <= 1:
                raise invalid(f"{objective}: the threshold {condition['threshold']:g} is not between 0 and 1.")


def _conditions(spec: Document) -> list[dict[str, Any]]:
    own = [spec.get(f"default_{kind}_alert_condition", {}) for kind in ("categorical", "numeric")]
    return [*own, *spec.get("feature_alert_conditions", {}).values()]


def check_dataset(dataset: Document, where: str) -> None:
    """A source that can be read here. Raises GoogleError."""
    columns = dataset.get("columnized_dataset", {})
    for source in ("bigquery_source", "vertex_dataset"):
        if source in columns:
            raise not_executed(f"{where}.columnized_dataset.{source}", "use gcs_source")
    if columns:
        source = columns.get("gcs_source", {})
        if not str(source.get("gcs_uri", "")).startswith("gs://"):
            raise invalid(f"{where}: gcs_uri {source.get('gcs_uri')!r} is no URI of Cloud Storage.")
        if source.get("format_", "DATA_FORMAT_UNSPECIFIED") not in {"CSV", "JSONL"}:
            raise not_executed(f"{where}: the data format {source.get('format_', '(unset)')}", "use CSV or JSONL")
    elif not dataset.get("vertex_endpoint_logs", {}).get("endpoints") and "batch_prediction_output" not in dataset:
        raise invalid(f"{where}: a dataset needs a source.")
    for field in ("offset", "window"):
        if dataset.get("time_offset", {}).get(field):
            span(dataset["time_offset"][field])


def span(text: str) -> float:
    """The seconds of `2d`, `1w` or `12h` (ModelMonitoringInput.TimeOffset). Raises INVALID_ARGUMENT."""
    found = _OFFSET.fullmatch(text)
    if found is None:
        raise invalid(f"{text!r} is not a number of weeks, days or hours, like '2d'.")
    return int(found[1]) * _UNITS[found[2].lower()]


def kind_of(field: Document) -> str:
    """ "numeric" or "categorical"."""
    return "numeric" if field["data_type"] in NUMERIC else "categorical"
