"""A small deployment on the mock: compiled, observed, planned and applied, and what it sent to AWS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudml import spec
from cloudml.backend.port import Target
from cloudml.backend.records import Destroyed
from cloudml.plan import Plan, Resource, diff
from cloudml.remote import applying, observing
from cloudml.testing.harness import SAMPLES, build, sources_of
from cloudml.testing.mocks import MockInUse
from cloudml_sagemaker.client import Client, Patience
from cloudml_sagemaker.compile import compile_pipeline
from cloudml_sagemaker.resources import destroying, executions
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.target import Place

READS = ("Describe", "Get", "List", "Head")
DAILY = spec.Cron(expression="0 4 * * *")
"""A rate would fire at once."""
DEFERRED = frozenset({"endpoint", "monitor"})


_OPENED: dict[str, Client] = {}
"""Clients by the mock they lead to: to open one takes longer than most tests."""


class Watched(Client):
    """A client that remembers what it was asked to write."""

    def __init__(self, place: Any, shared: Client) -> None:
        super().__init__(place, patience=Patience(first=0.005, longest=0.02))
        self._shared = shared
        self.writes: list[str] = []
        self.before: Callable[[str], None] = lambda operation: None

    def _client(self, service: str) -> Any:
        opened = self._shared._client(service)
        self._core = self._shared._core
        return opened

    def call(self, service: str, operation: str, /, *, purpose: str | None = None, **request: Any) -> dict[str, Any]:
        if not operation.startswith(READS):
            self.before(operation)
            self.writes.append(operation)
        return super().call(service, operation, purpose=purpose, **request)


@dataclass
class Lab:
    """One project's target in the mock's account."""

    mock: MockInUse
    project: str = "samples"
    target: str = "test"
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = {
            "region": "us-east-1",
            "role": "arn:aws:iam::123456789012:role/ml",
            "bucket": "data",
            "requirements": "",
            **self.settings,
        }
        self.where = Target(self.target, "sagemaker", self.project, SAMPLES, settings)
        self.place = Place.of(self.where)
        self.client = Watched(self.place, _OPENED.setdefault(self.mock.url, Client(self.place)))
        self.world = World(self.client, self.place, SAMPLES)

    def fresh(self) -> None:
        """Empty the account, but for the bucket."""
        self.mock.reset()
        self.client.call("s3", "CreateBucket", Bucket="data")

    def anew(self) -> Lab:
        """Another process of the same user."""
        return Lab(self.mock, self.project, self.target, self.settings)

    def resources(self, sample: str = "sample_models:approved", jobs: int = 1, **changes: Any) -> tuple[Resource, ...]:
        """A sample pipeline as it compiles, with the code of so many jobs; scheduled daily unless told otherwise."""
        pipeline = build(sample).model_copy(update={"schedule": DAILY, **changes})
        every = compile_pipeline(pipeline, self.where, sources_of(pipeline))
        code = [one for one in every if one.kind == "job_code"]
        return (*code[:jobs], *(one for one in every if one.kind != "job_code"))

    def plan(self, resources: Sequence[Resource], **options: Any) -> Plan:
        return diff(resources, observing.observe(self.world, resources), deferred=DEFERRED, **options)

    def apply(self, resources: Sequence[Resource], plan: Plan | None = None) -> list[str]:
        """Plan and apply; the operations that wrote."""
        self.client.writes.clear()
        applying.apply(self.world, resources, plan or self.plan(resources))
        return [*self.client.writes]

    def version(self, group: str) -> None:
        """Register a version of a model."""
        image = {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/i:1", "ModelDataUrl": "s3://data/m.tar.gz"}
        what = {"Containers": [image], "SupportedContentTypes": ["application/json"]}
        what["SupportedResponseMIMETypes"] = ["application/json"]
        self.client.call("sagemaker", "CreateModelPackage", ModelPackageGroupName=group, InferenceSpecification=what)

    def destroy(self, *, dry_run: bool = False, keep_data: bool = False) -> Destroyed:
        patience = executions.Patience(seconds=20, first=0.02, longest=0.1)
        return destroying.destroy(self.world, dry_run, keep_data, patience)

    def listed(self, prefix: str = "") -> list[str]:
        """Keys of the bucket."""
        listed = self.client.pages("s3", "ListObjectsV2", "Contents", Bucket="data", Prefix=prefix)
        return [one["Key"] for one in listed]

    def account(self) -> dict[str, list[str]]:
        """Everything that there is in the account, by name."""
        pages = self.client.pages
        return {
            "objects": self.listed(),
            "pipelines": [one["PipelineName"] for one in pages("sagemaker", "ListPipelines", "PipelineSummaries")],
            "groups": [
                one["ModelPackageGroupName"]
                for one in pages("sagemaker", "ListModelPackageGroups", "ModelPackageGroupSummaryList")
            ],
            "models": [one["ModelName"] for one in pages("sagemaker", "ListModels", "Models")],
            "configs": [
                one["EndpointConfigName"] for one in pages("sagemaker", "ListEndpointConfigs", "EndpointConfigs")
            ],
            "queues": [url.rpartition("/")[2] for url in pages("sqs", "ListQueues", "QueueUrls")],
            "schedules": [one["Name"] for one in pages("scheduler", "ListSchedules", "Schedules")],
            "schedule_groups": [
                one["Name"]
                for one in pages("scheduler", "ListScheduleGroups", "ScheduleGroups")
                if one["Name"] != "default"
            ],
        }


def actions(plan: Plan) -> dict[str, str]:
    """What a plan does to each kind but job code, of which there is much."""
    return {change.kind: change.action for change in plan.changes if change.kind != "job_code"}


def named(resources: Sequence[Resource], kind: str) -> Resource:
    """The only resource of a kind."""
    [found] = [one for one in resources if one.kind == kind]
    return found
