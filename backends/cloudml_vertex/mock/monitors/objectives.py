"""The objectives of model monitoring v2: drift of features and of prediction outputs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from cloudml.mocks.store import Document
from cloudml_vertex.mock.core.errors import failed_precondition, invalid
from cloudml_vertex.mock.monitors import datasets, distances
from cloudml_vertex.mock.monitors.distances import BINS, JENSEN_SHANNON, L_INFINITY
from cloudml_vertex.mock.monitors.inputs import Data
from cloudml_vertex.mock.monitors.monitor_rules import OBJECTIVES, kind_of


@dataclass(frozen=True)
class Finding:
    """The distance of one field between two datasets; `threshold` None: nobody asked to be alerted."""

    objective: str
    feature: str
    algorithm: str
    deviation: float
    threshold: float | None
    distribution: Document
    baseline: Document

    @property
    def is_anomaly(self) -> bool:
        """The value is above the threshold (ModelMonitoringAlertCondition.threshold)."""
        return self.threshold is not None and self.deviation > self.threshold


def compared(objective: str, spec: Document, schema: Document, target: Data, baseline: Data) -> list[Finding]:
    """Every field of the objective that both datasets have. FAILED_PRECONDITION when there is none at all."""
    fields = {str(field["name"]): field for field in schema.get(OBJECTIVES[objective][1], [])}
    found = []
    for name in spec.get("features") or fields:
        values, reference = (_column(data, objective, name) for data in (target, baseline))
        if values and reference:
            found.append(_finding(objective, spec, fields[name], values, reference))
    if not found:
        raise failed_precondition(f"{OBJECTIVES[objective][0]}: the datasets share no values of the schema's fields.")
    return found


def _column(data: Data, objective: str, name: str) -> list[Any]:
    return datasets.column(data.features if objective == "feature_drift_spec" else data.outputs, name)


def _finding(objective: str, spec: Document, field: Document, values: list[Any], reference: list[Any]) -> Finding:
    name, kind = str(field["name"]), kind_of(field)
    condition = spec.get("feature_alert_conditions", {}).get(name) or spec.get(f"default_{kind}_alert_condition", {})
    threshold = condition.get("threshold")
    if kind == "categorical":
        algorithm = spec.get("categorical_metric_type") or L_INFINITY
        deviation = distances.categorical(values, reference, algorithm)
        shapes = [_categories(values), _categories(reference)]
    else:
        first, second = datasets.numbers(values), datasets.numbers(reference)
        if first is None or second is None:
            raise invalid(f"The field {name!r} is {field['data_type']}, and some of its values are not.")
        algorithm = JENSEN_SHANNON
        deviation = distances.numeric(first, second)
        low, high = min(*first, *second), max(*first, *second)
        shapes = [_histogram(first, low, high), _histogram(second, low, high)]
    return Finding(objective, name, algorithm, deviation, threshold, *shapes)


def _categories(values: list[Any]) -> Document:
    """Counts, most frequent first, as tensorflow.metadata.v0 ranks strings."""
    counts = Counter(distances.category(value) for value in values)
    buckets = [{"label": label, "sample_count": count} for label, count in counts.most_common(1_000)]
    return {"string_stats": {"unique": len(counts), "rank_histogram": {"buckets": buckets}}}


def _histogram(values: list[float], low: float, high: float) -> Document:
    counts = distances.histogram(values, low, high)
    width = (high - low) / BINS
    buckets = [
        {"low_value": low + index * width, "high_value": low + (index + 1) * width, "sample_count": counts[index]}
        for index in range(BINS)
    ]
    return {"num_stats": {"min": min(values), "max": max(values), "histograms": [{"buckets": buckets}]}}
