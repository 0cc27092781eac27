"""Runs a pipeline on the SageMaker mock as it would run on AWS, and on the local backend, and compares the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudml import spec
from cloudml.backend.port import RunOptions, Target
from cloudml.backend.records import Listener, RunRecord
from cloudml.code import Sources
from cloudml.discovery import load_backend
from cloudml.plan import Resource
from cloudml.spec.steps import outputs_of_kind
from cloudml_sagemaker.client import Client, Patience
from cloudml_sagemaker.session import SagemakerSession
from cloudml_sagemaker.target import Place

SETTINGS = {
    "region": "us-east-1",
    "role": "arn:aws:iam::123456789012:role/ml",
    "bucket": "data",
    "requirements": "",
}

FOUND = frozenset(port.name for port in outputs_of_kind("tuning"))
"""What a search tells beside its best trial's outputs. On the local backend these are values only, without a file."""

Compared = dict[str, Any]


@dataclass
class Sagemaker:
    """An account of the mock's, with a bucket; the environment must lead AWS's clients to it."""

    root: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    target: Target = field(init=False)
    session: SagemakerSession = field(init=False)

    def __post_init__(self) -> None:
        self.target = Target("mock", "sagemaker", "samples", self.root, {**SETTINGS, **self.settings})
        place = Place.of(self.target)
        client = Client(place, patience=Patience(first=0.05, longest=0.5))
        client.call("s3", "CreateBucket", Bucket=place.bucket)
        self.session = SagemakerSession(place, self.root, client)

    @property
    def client(self) -> Client:
        """The one way to the account."""
        return self.session.world.client

    def run(
        self,
        pipeline: spec.Pipeline,
        sources: Sources,
        parameters: Mapping[str, Any] | None = None,
        listener: Listener | None = None,
    ) -> RunRecord:
        """The record of a run to its end, or until it waits for a person."""
        return self.start(self.compile(pipeline, sources), parameters, listener)

    def compile(self, pipeline: spec.Pipeline, sources: Sources) -> tuple[Resource, ...]:
        """The pipeline as it is sent."""
        return load_backend("sagemaker").compile(pipeline, self.target, sources)

    def start(
        self, resources: Sequence[Resource], parameters: Mapping[str, Any] | None, listener: Listener | None = None
    ) -> RunRecord:
        """A run of what was compiled."""
        return self.session.runs.start(resources, parameters or {}, RunOptions(), listener)


def run_locally(
    state: Path, root: Path, pipeline: spec.Pipeline, sources: Sources, parameters: Mapping[str, Any] | None = None
) -> RunRecord:
    """The same pipeline on the local backend."""
    backend = load_backend("local")
    target = Target("local", "local", "samples", root, {"state": str(state)})
    session = backend.connect(target)
    try:
        resources = backend.compile(pipeline, target, sources)
        return session.runs.start(resources, parameters or {}, RunOptions())
    finally:
        session.close()


def states(record: RunRecord) -> dict[str, str]:
    """What became of each task."""
    return {task.id: task.status for task in record.tasks}


def results(record: RunRecord) -> dict[str, Compared]:
    """What each task that runs the project's code made: values, metrics, and the digests of its artifacts."""
    return {
        task.id: {
            "values": task.values,
            "metrics": task.metrics,
            "digests": {output.name: output.digest for output in task.outputs if output.name not in FOUND},
        }
        for task in record.tasks
        if task.kind in ("processing", "training", "tuning", "batch_prediction")
    }
