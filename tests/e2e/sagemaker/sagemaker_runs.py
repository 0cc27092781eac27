"""Runs a pipeline on the SageMaker mock as it would run on AWS: compile, upload, make what it needs, start, wait."""

from __future__ import annotations

import json
import uuid
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
from cloudml.plan.resource import canonical
from cloudml.spec.steps import outputs_of_kind
from cloudml_sagemaker.client import Client, Patience
from cloudml_sagemaker.compile import compile_pipeline
from cloudml_sagemaker.describe import Describer
from cloudml_sagemaker.target import Place
from cloudml_sagemaker.upload import upload
from cloudml_sagemaker.wait import Polling, wait

SETTINGS = {
    "region": "us-east-1",
    "role": "arn:aws:iam::123456789012:role/ml",
    "bucket": "data",
    "requirements": "",
}
QUICK = Polling(first=0.1, longest=0.5)

FOUND = frozenset(port.name for port in outputs_of_kind("tuning"))
"""What a search tells beside its best trial's outputs. On the local backend these are values only, without a file."""

Compared = dict[str, Any]


@dataclass
class Sagemaker:
    """An account of the mock's, with a bucket; the environment must lead AWS's clients to it."""

    root: Path
    client: Client = field(init=False)
    place: Place = field(init=False)
    target: Target = field(init=False)

    def __post_init__(self) -> None:
        self.target = Target("mock", "sagemaker", "samples", self.root, SETTINGS)
        self.place = Place.of(self.target)
        self.client = Client(self.place, patience=Patience(first=0.05, longest=0.5))
        self.client.call("s3", "CreateBucket", Bucket=self.place.bucket)

    def run(
        self,
        pipeline: spec.Pipeline,
        sources: Sources,
        parameters: Mapping[str, Any] | None = None,
        listener: Listener | None = None,
    ) -> RunRecord:
        """The record of a run to its end, or until it waits for a person."""
        resources = compile_pipeline(pipeline, self.target, sources)
        upload(self.client, resources, sources.root, self.root, self.place.kms)
        for resource in resources:
            if resource.kind in _APPLY:
                _APPLY[resource.kind](self.client, resource.document)
        return self.start(resources, parameters, listener)

    def start(
        self, resources: Sequence[Resource], parameters: Mapping[str, Any] | None, listener: Listener | None = None
    ) -> RunRecord:
        """One more run of a pipeline that is there."""
        name = next(one.document["PipelineName"] for one in resources if one.kind == "pipeline")
        given = [{"Name": key, "Value": _text(value)} for key, value in (parameters or {}).items()]
        started = self.client.call(
            "sagemaker",
            "StartPipelineExecution",
            PipelineName=name,
            PipelineParameters=given,
            purpose=uuid.uuid4().hex,
        )
        return wait(Describer(self.client), started["PipelineExecutionArn"], listener, polling=QUICK)


def _text(value: Any) -> str:
    """A parameter as AWS takes it: text."""
    return value if isinstance(value, str) else json.dumps(value)


def _pipeline(client: Client, document: Mapping[str, Any]) -> None:
    rest = {key: value for key, value in document.items() if key != "definition"}
    request = {**rest, "PipelineDefinition": canonical(document["definition"])}
    name = document["PipelineName"]
    if client.find("sagemaker", "DescribePipeline", PipelineName=name) is None:
        client.call("sagemaker", "CreatePipeline", **request)
    else:
        request.pop("Tags", None)
        client.call("sagemaker", "UpdatePipeline", **request)


def _group(client: Client, document: Mapping[str, Any]) -> None:
    look = ("DescribeModelPackageGroup", {"ModelPackageGroupName": document["ModelPackageGroupName"]})
    client.make("sagemaker", "CreateModelPackageGroup", document, look)


def _queue(client: Client, document: Mapping[str, Any]) -> None:
    client.make("sqs", "CreateQueue", document, ("GetQueueUrl", {"QueueName": document["QueueName"]}))


_APPLY = {"pipeline": _pipeline, "model_group": _group, "queue": _queue}


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
