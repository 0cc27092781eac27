"""CloudWatch metrics that an analysis container leaves in /opt/ml/output/metrics/cloudwatch.

Source: developer guide, "CloudWatch metrics" for own containers (one JSON object a line or a file, after PutMetricData)
and "Interpret results" of each kind of monitor (namespaces).
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.jobs.folders import read_text, untouched
from cloudml_sagemaker.mock.monitors.running import JOBS

log = logging.getLogger(__name__)

FOLDER = "/opt/ml/output/metrics/cloudwatch"
_LARGEST = 4 << 20
_MOST = 1000
"""Data of one PutMetricData (CloudWatch API reference)."""
_SUFFIXES = {
    "DataQuality": "data-metrics",
    "ModelQuality": "model-metrics",
    "ModelBias": "bias-metrics",
    "ModelExplainability": "explainability-metrics",
}
_STATISTICS = ("SampleCount", "Sum", "Minimum", "Maximum")


def publish(world: World, scope: Scope, job: str, roots: list[Path]) -> None:
    """A processing job has ended: if it is an execution's and may publish, send what it left to CloudWatch.

    `roots` are the folders that stood at /opt/ml. Whatever is wrong with the files is logged, not raised.
    """
    from botocore.exceptions import ClientError

    with world.lock:
        known = world.table(JOBS, scope).get(job)
        document = world.table("ProcessingJob", scope).get(job)
    if known is None or document is None:
        return
    environment = document.get("Environment") or {}
    if environment.get("publish_cloudwatch_metrics") != "Enabled":
        return
    place = "Endpoints" if "sagemaker_endpoint_name" in environment else "ModelMonitoring"
    prefix = "/" if world.switches["monitor-namespace"] == "leading-slash" else ""
    namespace = f"{prefix}aws/sagemaker/{place}/{_SUFFIXES[known['type']]}"
    found = [datum for root in roots for datum in _data(root)]
    client = world.aws.client("cloudwatch", scope)
    try:
        for start in range(0, len(found), _MOST):
            client.put_metric_data(Namespace=namespace, MetricData=found[start : start + _MOST])
    except ClientError as error:
        log.warning("metrics of %s: %s", job, error)


def _data(root: Path) -> Iterator[Document]:
    folder = root / "output" / "metrics" / "cloudwatch"
    if not untouched(root, folder):
        return
    for place in sorted(folder.iterdir()):
        text = read_text(root, f"{FOLDER}/{place.name}", _LARGEST)
        for item in _objects(text):
            datum = _datum(item)
            if datum is None:
                log.warning("no metric of CloudWatch in %s: %.200s", place.name, item)
            else:
                yield datum


def _objects(text: str) -> Iterator[Any]:
    try:
        whole = json.loads(text)
    except ValueError:
        for line in filter(str.strip, text.splitlines()):
            try:
                yield json.loads(line)
            except ValueError:
                yield line
        return
    yield from whole if isinstance(whole, list) else [whole]


def _datum(item: Any) -> Document | None:
    """The datum for PutMetricData; None for what is none."""
    try:
        made: Document = {"MetricName": str(item["MetricName"])}
        made["Timestamp"] = datetime.fromisoformat(item["Timestamp"])
        made["Dimensions"] = [
            {"Name": str(one["Name"]), "Value": str(one["Value"])} for one in item.get("Dimensions") or []
        ]
        if "StatisticValues" in item:
            made["StatisticValues"] = {name: _finite(item["StatisticValues"][name]) for name in _STATISTICS}
        else:
            made["Value"] = _finite(item["Value"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if item.get("Unit"):
        made["Unit"] = str(item["Unit"])
    return made


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("CloudWatch takes no NaN and no infinity")
    return number
