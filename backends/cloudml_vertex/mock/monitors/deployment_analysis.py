"""One run of a ModelDeploymentMonitoringJob: logged requests against the training data, and against the time before."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cloudml.mocks.store import Document
from cloudml_vertex.mock.core import gcs, predictions
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.times import duration, stamp
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.monitors import datasets, distances
from cloudml_vertex.mock.monitors.datasets import Row
from cloudml_vertex.mock.monitors.deployment_rules import DETECTIONS, thresholds_of

SKEW, DRIFT = "RAW_FEATURE_SKEW", "RAW_FEATURE_DRIFT"
_SCHEMA_TYPES = {"string": "categorical", "boolean": "categorical", "number": "numeric", "integer": "numeric"}


@dataclass(frozen=True)
class Finding:
    """The distance of one feature of one deployed model in one window; times in seconds since the epoch."""

    objective: str
    deployed_model_id: str
    feature: str
    deviation: float
    threshold: float
    start: float
    end: float

    @property
    def is_anomaly(self) -> bool:
        """The distance exceeds the threshold; a threshold of 0 means that the feature is not monitored."""
        return self.threshold > 0 and self.deviation > self.threshold


def training_rows(world: World, config: Document) -> list[Row]:
    """The training data of an objective, without its target. Raises GoogleError when it cannot be read."""
    dataset = config["training_dataset"]
    rows = datasets.read(world, dataset["gcs_source"]["uris"], dataset["data_format"])
    target = dataset.get("target_field", "")
    rate = _rate(dataset.get("logging_sampling_strategy"))
    kept = [row for index, row in enumerate(rows) if _is_sampled(f"training:{index}", rate)]
    return [{key: value for key, value in row.items() if key != target} for row in kept]


def analysed(world: World, job: Document, end: float) -> list[Finding]:
    """Everything that a run at the time `end` finds. Takes long: call it without the lock. Raises GoogleError."""
    schedule = job["model_deployment_monitoring_schedule_config"]
    window = duration(schedule.get("monitor_window") or schedule["monitor_interval"])
    types = schema_types(world, str(job.get("analysis_instance_schema_uri", "")))
    found = []
    for one in job["model_deployment_monitoring_objective_configs"]:
        identifier, config = str(one["deployed_model_id"]), one["objective_config"]
        training = training_rows(world, config) if DETECTIONS[0] in config else []
        names = list(training[0]) if training else []
        now = _requests(world, job, identifier, end - window, end, names)
        before = _requests(world, job, identifier, end - 2 * window, end - window, names)
        for objective, detection, baseline in ((SKEW, DETECTIONS[0], training), (DRIFT, DETECTIONS[1], before)):
            if detection in config and now and baseline:
                found += [
                    Finding(objective, identifier, feature, deviation, threshold, end - window, end)
                    for feature, deviation, threshold in _compared(now, baseline, config[detection], types)
                ]
    return found


def _requests(world: World, job: Document, deployed: str, start: float, end: float, names: Sequence[str]) -> list[Row]:
    rate = _rate(job["logging_sampling_strategy"])
    rows = predictions.read(world, job["endpoint"], deployed, start, end)
    sampled = [row for index, row in enumerate(rows) if _is_sampled(f"{job['name']}:{row.at}:{index}", rate)]
    return [datasets.as_row(row.instance, names) for row in sampled]


def _rate(strategy: Document | None) -> float:
    return float((strategy or {}).get("random_sample_config", {}).get("sample_rate", 1.0))


def _is_sampled(key: str, rate: float) -> bool:
    """A chance that is the same for the same row whenever it is asked."""
    return zlib.crc32(key.encode()) < rate * 2**32


def _compared(
    current: list[Row], baseline: list[Row], detection: Document, types: dict[str, str]
) -> list[tuple[str, float, float]]:
    own, default = thresholds_of(detection)
    known = dict.fromkeys(name for row in baseline for name in row)
    found = []
    for feature in known:
        threshold = own.get(feature, default)
        values, reference = datasets.column(current, feature), datasets.column(baseline, feature)
        if threshold and values and reference:
            found.append((feature, distance(values, reference, types.get(feature, "")), threshold))
    return found


def distance(values: list[Any], reference: list[Any], kind: str = "") -> float:
    """By the kind of the feature, "numeric" or "categorical"; unless it is given, numeric if all values are numbers."""
    first, second = datasets.numbers(values), datasets.numbers(reference)
    if kind != "categorical" and first is not None and second is not None:
        return distances.numeric(first, second)
    return distances.categorical(values, reference)


def schema_types(world: World, uri: str) -> dict[str, str]:
    """Kinds of features that an analysis schema sets: an OpenAPI schema object in YAML. Raises GoogleError."""
    if not uri:
        return {}
    import yaml

    try:
        schema = yaml.safe_load(gcs.read(world, uri))
        properties = schema["properties"]
        return {name: _SCHEMA_TYPES.get(str(one.get("type")), "") for name, one in properties.items()}
    except gcs.GcsError as error:
        raise GoogleError("NOT_FOUND", str(error)) from error
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise GoogleError("INVALID_ARGUMENT", f"{uri} is no schema with properties.") from None


def stats_of(finding: Finding, base: str) -> Document:
    """The finding as a FeatureStatsAnomaly; `base`: the folder of its files."""
    found: Document = {
        "distribution_deviation": finding.deviation,
        "anomaly_detection_threshold": finding.threshold,
        "start_time": stamp(finding.start),
        "end_time": stamp(finding.end),
        "stats_uri": f"{base}/{finding.feature}/stats",
    }
    if finding.is_anomaly:
        found["anomaly_uri"] = f"{base}/{finding.feature}/anomalies"
    return found
