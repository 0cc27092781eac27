"""Pipelines with monitors, an account to deploy them to, and traffic in the form in which SageMaker captures it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cloudml import spec
from cloudml.backend.port import Target
from cloudml.jobs.control import baseline
from cloudml.plan import Resource
from cloudml.remote.applying import ensure
from cloudml.runtime.drift import profile
from cloudml.testing.harness import SAMPLES, sources_of
from cloudml.testing.mocks import MockInUse
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.compile import compile_pipeline
from cloudml_sagemaker.container.control.store import S3
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.target import Place

SETTINGS = {
    "region": "us-east-1",
    "role": "arn:aws:iam::123456789012:role/ml",
    "bucket": "data",
    "requirements": "",
}
TARGET = Target("mock", "sagemaker", "samples", SAMPLES, SETTINGS)
ENDPOINT = "samples-mock-live"
FOLDER = "s3://data/samples/mock/monitors/made/drift"
CAPTURE = f"samples/mock/capture/{ENDPOINT}/main"
MAIN = "samples-mock-made"
SERVED = {"name": "live", "EndpointName": ENDPOINT, "deployment": "config-2", "model": "churn", "version": 2}
EVERYTHING = frozenset({"job_code", "model_group", "topic", "pipeline", "schedule_group", "schedule"})


def monitor(**fields: Any) -> spec.Monitor:
    """An hourly watch over psi, without further ado."""
    given: dict[str, Any] = {
        "name": "drift",
        "schedule": spec.Every(interval=3600),
        "thresholds": (spec.Threshold(statistic="psi", limit=0.2, min_samples=20),),
        "window": 3600.0,
        **fields,
    }
    return spec.Monitor(**given)


def pipeline(watched: spec.Monitor, **fields: Any) -> spec.Pipeline:
    """Data, a model, its version, its endpoint, and the monitor on it."""
    steps = (
        _step("data", spec.Port(name="table", type="polars.DataFrame")),
        _step("fit", spec.Port(name="model", type="cloudml.Model")),
        spec.RegisterStep(name="version", model=spec.OutputRef(step="fit", output="model"), model_name="churn"),
        spec.DeployStep(name="serve", version=spec.OutputRef(step="version", output="version"), endpoint="live"),
        spec.MonitorStep(
            name="watched",
            endpoint=spec.OutputRef(step="serve", output="endpoint"),
            monitor=watched.name,
            baseline=spec.OutputRef(step="data", output="table"),
        ),
    )
    given: dict[str, Any] = {
        "name": "made",
        "steps": steps,
        "endpoints": (spec.Endpoint(name="live", capture=spec.Capture()),),
        "monitors": (watched,),
        **fields,
    }
    return spec.Pipeline(**given)


def _step(name: str, port: spec.Port) -> spec.ProcessingStep:
    function = spec.FunctionRef(module="sample_flow", name="double")
    return spec.ProcessingStep(name=name, function=function, outputs=(port,))


def compiled(made: spec.Pipeline, on: Target = TARGET) -> tuple[Resource, ...]:
    return compile_pipeline(made, on, sources_of(made))


def of_kind(resources: Iterable[Resource], kind: str) -> list[Resource]:
    return [one for one in resources if one.kind == kind]


def step_json(resources: Iterable[Resource], name: str) -> dict[str, Any]:
    """step.json of a job."""
    code = next(one for one in of_kind(resources, "job_code") if one.name == name)
    return dict(code.document["files"]["step.json"])


def record(when: datetime, rows: list[dict[str, Any]], answers: list[Any] | None = None, **side: Any) -> str:
    """One captured request, as the developer guide prints it."""
    entry = {
        "observedContentType": "application/json", "mode": "INPUT", "encoding": "JSON",
        "data": json.dumps({"instances": rows}), **side,
    }  # fmt: skip
    sides: dict[str, Any] = {"endpointInput": entry}
    if answers is not None:
        sides["endpointOutput"] = {
            "observedContentType": "application/json", "mode": "OUTPUT", "encoding": "JSON",
            "data": json.dumps({"predictions": answers}),
        }  # fmt: skip
    about = {"eventId": "e", "inferenceTime": when.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return json.dumps({"captureData": sides, "eventMetadata": about, "eventVersion": "0"})


@dataclass
class Account:
    """What is deployed and captured; AWS's clients of this process find the mock by the environment."""

    mock: MockInUse
    client: Client
    world: World = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(self.client, Place.of(TARGET), SAMPLES)
        self.client.call("s3", "CreateBucket", Bucket="data")

    def prepare(self, made: spec.Pipeline) -> tuple[Resource, ...]:
        """All but what a run makes, and the schedules."""
        resources = compiled(made)
        ensure(self.world, resources, EVERYTHING - {"schedule"})
        return resources

    def start(self, resources: tuple[Resource, ...]) -> None:
        """The schedules: a rate fires at once."""
        ensure(self.world, resources, EVERYTHING)
        self.mock.advance(1)

    def baseline(self, **columns: list[Any]) -> dict[str, Any]:
        """As the monitor's step puts it, for a deployment of nine o'clock."""
        profiles = {name: profile(values) for name, values in columns.items()}
        return baseline.put(S3(), FOLDER, profiles, SERVED, "2026-11-23T09:00:00+00:00")

    def captured(self, hour: str, *lines: str) -> None:
        """A file of an hour (`2026/11/23/09`)."""
        body = "".join(f"{line}\n" for line in lines).encode()
        self.client.call("s3", "PutObject", Bucket="data", Key=f"{CAPTURE}/{hour}/05-00.jsonl", Body=body)

    def reports(self) -> list[dict[str, Any]]:
        """Oldest first."""
        prefix = f"{FOLDER.removeprefix('s3://data/')}/reports/"
        keys = [
            one["Key"] for one in self.client.pages("s3", "ListObjectsV2", "Contents", Bucket="data", Prefix=prefix)
        ]
        return [json.loads(self.client.read(f"s3://data/{key}")) for key in sorted(keys)]

    def executions(self, name: str = MAIN) -> list[dict[str, Any]]:
        """Newest first."""
        return list(
            self.client.pages("sagemaker", "ListPipelineExecutions", "PipelineExecutionSummaries", PipelineName=name)
        )

    def listen(self, topic: str) -> Callable[[], list[str]]:
        """A queue that is subscribed to a topic; what it got so far."""
        url = self.client.call("sqs", "CreateQueue", QueueName="ear")["QueueUrl"]
        arn = "arn:aws:sqs:us-east-1:123456789012:ear"
        topic_arn = f"arn:aws:sns:us-east-1:123456789012:{topic}"
        self.client.call("sns", "Subscribe", TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)

        def heard() -> list[str]:
            got = self.client.call("sqs", "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
            return [json.loads(one["Body"])["Message"] for one in got.get("Messages", [])]

        return heard


def until(done: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something that another process does; its time is not the mock's."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.05)
