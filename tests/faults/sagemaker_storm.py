"""Deploys, runs and rollouts in bad weather: what a seed draws, clients that die, and all that an account holds.

Everything that is held against the account is asked of boto3 directly, never of the code under test.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from cloudml import spec
from cloudml.backend.port import Target
from cloudml.code import SourceIndex
from cloudml.discovery import load_backend
from cloudml.errors import CloudmlError
from cloudml.plan import Plan, Resource, diff
from cloudml.testing.mocks import MockInUse
from cloudml_sagemaker.client import Client, Patience
from cloudml_sagemaker.session import SagemakerSession
from cloudml_sagemaker.target import Place

HOME = Path(__file__).parent / "stormy"
REGION, ACCOUNT = "us-east-1", "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ml"
BUCKET = "data"
SETTINGS = {"region": REGION, "role": ROLE, "bucket": BUCKET, "requirements": ""}
DEFERRED = frozenset({"endpoint", "monitor"})

Json = dict[str, Any]

WORDS: dict[str, tuple[str, ...]] = {
    "throttle": ("Rate exceeded", "reduce your request rate", "was asked too often"),
    "internal-error": ("unknown error", "InternalFailure", "internal error", "InternalError"),
    "unavailable": ("temporary failure", "unavailable", "ServiceUnavailable"),
    "lost-response": ("Connection", "connection"),
    "stale": ("Could not find", "does not exist", "not found", "is gone", "not what the plan was made for"),
    "capacity": ("CapacityError",),
    "internal": ("InternalServerError",),
    "die": ("137", "SIGKILL", "killed"),
    "hang": ("time limit", "MaxRuntimeExceeded", "maximum", "limit"),
    "unhealthy": ("did not pass the ping health check",),
    "endpoint-capacity": ("Unable to provision",),
    "silent-rollback": ("went back to",),
    "rollback-failed": ("neither the update nor the way back",),
}
"""What a true report of each fault holds, in AWS's words (mock reference, "Faults") or in those of the report.

An answer that was lost may also show as what the second attempt is told, which is not an end of its own.
"""


class Killed(BaseException):
    """The process ends here: nothing handles it."""


@dataclass(frozen=True)
class Weather:
    """What one seed brings: rules of faults, and the call before or after which the process dies, by number."""

    seed: int
    rules: tuple[str, ...]
    dies: int | None = None
    after: bool = False

    def __str__(self) -> str:
        death = f", dies {'after' if self.after else 'before'} call {self.dies}" if self.dies is not None else ""
        return f"seed {self.seed}: {' '.join(self.rules) or 'no rules'}{death}"


def weather(seed: int, kinds: dict[str, Sequence[str]], calls: int) -> Weather:
    """One to three rules of these kinds, each with one of its patterns; every second seed dies within `calls`."""
    chance = random.Random(seed)
    rules = tuple(_rule(chance, kinds) for _ in range(chance.randint(1, 3)))
    dies = chance.randrange(calls) if chance.random() < 0.5 else None
    return Weather(seed, rules, dies, chance.random() < 0.5)


def _rule(chance: random.Random, kinds: dict[str, Sequence[str]]) -> str:
    kind = chance.choice(sorted(kinds))
    rule = f"{kind}:{chance.choice(list(kinds[kind]))}"
    if kind == "slow":
        return f"{rule},seconds={chance.choice([1, 2])},count=1"
    often = chance.choice(["count=1", "count=2", "count=40", f"probability={chance.choice([0.1, 0.3, 0.6])}"])
    late = f",after={chance.randrange(4)}" if chance.random() < 0.4 else ""
    seconds = f",seconds={chance.choice([0.1, 1.0, 30.0])}" if kind == "stale" else ""
    return f"{rule},{often}{late}{seconds},seed={chance.randrange(1000)}"


class Mortal:
    """Counts calls, and dies at one of them: before it is made, or after it took effect."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.after = False

    def doom(self, found: Weather) -> None:
        """Die as the seed says, once."""
        self.left, self.after = found.dies, found.after

    def around(self, call: Callable[[], Any]) -> Any:
        """The call, or death."""
        if self.left is None:
            return call()
        self.left -= 1
        if self.left >= 0:
            return call()
        self.left = None
        if self.after:
            call()
        raise Killed


_OPENED: dict[str, Client] = {}
"""Clients by the mock that they lead to: to open one takes longer than most seeds."""
_ASKED: dict[str, dict[str, Any]] = {}
"""The same, of boto3 itself."""


class StormClient(Client):
    """The real client, impatient, and mortal."""

    def __init__(self, place: Place, url: str) -> None:
        super().__init__(place, patience=Patience(attempts=5, first=0.002, longest=0.02))
        self._shared = _OPENED.setdefault(url, Client(place))
        self.mortal = Mortal()

    def _client(self, service: str) -> Any:
        opened = self._shared._client(service)
        self._core = self._shared._core
        return opened

    def _persist(self, ask: Callable[[], Any], *rest: Any) -> Any:
        persist = super()._persist
        return self.mortal.around(lambda: persist(ask, *rest))


@dataclass
class Storm:
    """A project `stormy`, target `test`, in the mock's account, with a stranger's things beside it."""

    mock: MockInUse
    client: StormClient = field(init=False)
    session: SagemakerSession = field(init=False)

    def __post_init__(self) -> None:
        self.target = Target("test", "sagemaker", "stormy", HOME, SETTINGS)
        self.place = Place.of(self.target)
        self.client = StormClient(self.place, self.mock.url)
        self.session = SagemakerSession(self.place, HOME, self.client)
        self.account = Account(self.mock.url)

    def anew(self) -> Storm:
        """Another process of the same user."""
        return Storm(self.mock)

    def resources(self, **changes: Any) -> tuple[Resource, ...]:
        """The pipeline as it compiles, with other fields of its spec if given."""
        return compiled(self.target, **changes)

    def plan(self, resources: Sequence[Resource]) -> Plan:
        """Against the account as it is."""
        return diff(resources, self.session.observe(resources), deferred=DEFERRED)

    def apply(self, resources: Sequence[Resource]) -> None:
        """`cloudml apply`: plan, and the plan applied when there is something to do."""
        plan = self.plan(resources)
        if plan.has_changes or any(change.problem for change in plan.changes):
            self.session.apply(resources, plan)

    def destroy(self) -> list[str]:
        """`cloudml destroy`; what it could not remove."""
        gone = self.session.destroy(False, False)
        return [f"{one.kind} {one.name}: {one.problem}" for one in gone.removed if one.problem]


def compiled(target: Target, **changes: Any) -> tuple[Resource, ...]:
    """The project's pipeline in SageMaker's terms."""
    from stormy_pipeline import numbers

    pipeline = numbers.build().model_copy(update=changes)
    functions = [
        (str(step.function), step.files) for step in spec.walk(pipeline.steps) if isinstance(step, spec.JobStep)
    ]
    sources = SourceIndex(HOME).sources(dict.fromkeys(functions))
    return load_backend("sagemaker").compile(pipeline, target, sources)


def cause_is_true(error: str, struck: Sequence[str]) -> bool:
    """Whether an error's text tells of one of the kinds of faults that struck."""
    return any(word in error for kind in struck for word in WORDS[kind])


def told(error: CloudmlError) -> str:
    """All that a person reads."""
    return f"{error.code} {error.message} {error.hint}"


class Account:
    """All that is in the account, by boto3."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._clients = _ASKED.setdefault(url, {})

    def ask(self, service: str) -> Any:
        """A plain client."""
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 3, "mode": "standard"})
            keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
            self._clients[service] = boto3.client(
                service, region_name=REGION, endpoint_url=self._url, config=config, **keys
            )
        return self._clients[service]

    def _pages(self, service: str, operation: str, member: str, **request: Any) -> Iterator[Any]:
        for page in self.ask(service).get_paginator(operation).paginate(**request):
            yield from page.get(member, ())

    def begin(self) -> Json:
        """A bucket, and things of a stranger whose names look like ours; what the account holds then."""
        s3, sagemaker = self.ask("s3"), self.ask("sagemaker")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="stormy/testing/theirs", Body=b"theirs")
        tags = [{"Key": "cloudml:project", "Value": "stormy"}, {"Key": "cloudml:target", "Value": "testing"}]
        sagemaker.create_model_package_group(ModelPackageGroupName="stormy-test-theirs", Tags=tags)
        fail = {"Name": "Theirs", "Type": "Fail", "Arguments": {"ErrorMessage": "theirs"}}
        definition = json.dumps({"Version": "2020-12-01", "Steps": [fail]})
        sagemaker.create_pipeline(
            PipelineName="stormy-test-theirs", PipelineDefinition=definition, RoleArn=ROLE, Tags=tags
        )
        image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/theirs:1"
        sagemaker.create_model(ModelName="stormy-test-theirs", PrimaryContainer={"Image": image}, ExecutionRoleArn=ROLE)
        self.ask("cloudwatch").put_metric_alarm(
            AlarmName="stormy-test-theirs", MetricName="m", Namespace="n", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
        self.ask("sqs").create_queue(QueueName="stormy-test-theirs")
        self.ask("scheduler").create_schedule_group(Name="stormy-test-theirs")
        return self.holds()

    def holds(self) -> Json:
        """Everything by kind: names, sorted. Records of jobs and logs, which AWS keeps, are not among them."""
        groups = sorted(
            one["ModelPackageGroupName"]
            for one in self._pages("sagemaker", "list_model_package_groups", "ModelPackageGroupSummaryList")
        )
        sagemaker = {
            "pipelines": ("list_pipelines", "PipelineSummaries", "PipelineName"),
            "models": ("list_models", "Models", "ModelName"),
            "configs": ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
            "endpoints": ("list_endpoints", "Endpoints", "EndpointName"),
            "monitors": ("list_monitoring_schedules", "MonitoringScheduleSummaries", "MonitoringScheduleName"),
        }
        found: Json = {
            kind: sorted(one[name] for one in self._pages("sagemaker", operation, member))
            for kind, (operation, member, name) in sagemaker.items()
        }
        found["groups"] = groups
        found["packages"] = [arn for group in groups for arn in self.packages(group)]
        found["objects"] = sorted(one["Key"] for one in self._pages("s3", "list_objects_v2", "Contents", Bucket=BUCKET))
        found["queues"] = sorted(self.ask("sqs").list_queues().get("QueueUrls", ()))
        found["topics"] = sorted(one["TopicArn"] for one in self._pages("sns", "list_topics", "Topics"))
        found["alarms"] = sorted(
            one["AlarmName"] for one in self._pages("cloudwatch", "describe_alarms", "MetricAlarms")
        )
        found["schedules"] = sorted(one["Name"] for one in self._pages("scheduler", "list_schedules", "Schedules"))
        found["schedule groups"] = sorted(
            one["Name"] for one in self._pages("scheduler", "list_schedule_groups", "ScheduleGroups")
        )
        return found

    def packages(self, group: str) -> list[str]:
        """ARNs of a group's versions."""
        listed = self._pages("sagemaker", "list_model_packages", "ModelPackageSummaryList", ModelPackageGroupName=group)
        return sorted(one["ModelPackageArn"] for one in listed)

    def executions(self, pipeline: str) -> list[Json]:
        """Summaries of a pipeline's runs, the newest first."""
        listed = self._pages(
            "sagemaker", "list_pipeline_executions", "PipelineExecutionSummaries", PipelineName=pipeline,
            SortOrder="Descending",
        )  # fmt: skip
        return list(listed)

    def pending(self) -> list[Any]:
        """What the states of the target's pipelines say is under way."""
        keys = [key for key in self.holds()["objects"] if key.startswith("stormy/test/state/")]
        states = [json.loads(self.ask("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys]
        return [one["pending"] for one in states if one["pending"]]


def struck(mock: MockInUse) -> list[str]:
    """Kinds of the faults that struck."""
    return [row["kind"] for row in mock.faults() if row["struck"]]
