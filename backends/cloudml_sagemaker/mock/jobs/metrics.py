"""Metrics that a training job prints: regular expressions over its log, into its document and CloudWatch."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from cloudml.mocks.bus import Change
from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core.world import World

NAMESPACE = "/aws/sagemaker/TrainingJobs"
"""With the dimension TrainingJobName (developer guide, "Monitor metrics of training jobs in CloudWatch")."""
_BATCH = 1000
"""Values a PutMetricData request (API reference)."""


class Collector:
    """What a job's lines say. The first group of a definition's expression is the value; the last match is final."""

    def __init__(self, world: World, scope: Scope, job: str, definitions: Sequence[Document]) -> None:
        self._world = world
        self._scope = scope
        self._job = job
        self._definitions = [(one["Name"], re.compile(one["Regex"])) for one in definitions]
        self._final: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def lines(self, now: float, lines: Sequence[str]) -> None:
        """Take lines that were written by the time `now` (epoch seconds)."""
        found = [(name, value) for line in lines for name, value in self._values(line)]
        if not found:
            return
        with self._lock:
            for name, value in found:
                self._final[name] = (value, now)
        self._publish(now, found)

    def _values(self, line: str) -> list[tuple[str, float]]:
        found = []
        for name, expression in self._definitions:
            match = expression.search(line)
            if match is not None and expression.groups and match[1] is not None:
                try:
                    found.append((name, float(match[1])))
                except ValueError:  # what the expression takes is no number: AWS keeps no value either
                    continue
        return found

    def _publish(self, now: float, found: Sequence[tuple[str, float]]) -> None:
        when = datetime.fromtimestamp(now, UTC)
        dimensions = [{"Name": "TrainingJobName", "Value": self._job}]
        data = [
            {"MetricName": name, "Dimensions": dimensions, "Timestamp": when, "Value": value} for name, value in found
        ]
        client = self._world.aws.client("cloudwatch", self._scope)
        document = self._world.table("TrainingJob", self._scope)[self._job]
        for name, value in found:
            told = {"name": name, "value": value}
            self._world.bus.publish(Change("TrainingMetric", self._scope, self._job, "", name, document, told))
        for start in range(0, len(data), _BATCH):
            client.put_metric_data(Namespace=NAMESPACE, MetricData=data[start : start + _BATCH])

    def final(self) -> list[Document]:
        """FinalMetricDataList."""
        with self._lock:
            return [
                {"MetricName": name, "Value": value, "Timestamp": when} for name, (value, when) in self._final.items()
            ]
