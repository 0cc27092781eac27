"""A place in the mock with a registered model, and endpoints of it brought to configurations by a clock of the test."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloudml import spec
from cloudml.testing.mocks import MockInUse
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.client import Patience as Tries
from cloudml_sagemaker.compile.rollout import Lowered, lower
from cloudml_sagemaker.endpoint import SagemakerEndpoints
from cloudml_sagemaker.hosting import content
from cloudml_sagemaker.hosting.bring import Wish, bring
from cloudml_sagemaker.hosting.watch import Patience
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.target import Place

SERVER = Path(__file__).with_name("tiny_server.py")
ROLE = "arn:aws:iam::123456789012:role/ml"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.5.1-cpu-py311-ubuntu22.04-sagemaker"
PLACE = Place("shop", "dev", Path("/nowhere"), "us-east-1", ROLE, "bucket", "shop/dev", serving_image=IMAGE)
IDENTITY = {"cloudml:project": "shop", "cloudml:target": "dev", "cloudml:pipeline": "train"}
NAME = "shop-dev-scores"


def rollout(*steps: tuple[float, float], **more: Any) -> spec.Rollout:
    """By pairs of weight and bake."""
    return spec.Rollout(steps=tuple(spec.RolloutStep(weight=weight, bake=bake) for weight, bake in steps), **more)


def lowered(*, place: Place = PLACE, **endpoint: Any) -> Lowered:
    """The endpoint `scores` with these fields, in SageMaker's terms."""
    return lower(place, spec.Endpoint(name="scores", **endpoint), IDENTITY)


class Died(BaseException):
    """A job that was killed: nothing handles it."""


class Lab:
    """The mock, by the real client; `advance` per pause moves its clock."""

    def __init__(self, mock: MockInUse) -> None:
        self.mock = mock
        self.client = Client(PLACE, patience=Tries(attempts=4, first=0.0))
        self.world = World(self.client, PLACE, Path("/nowhere"))
        self.endpoints = SagemakerEndpoints(self.world)
        self.said: list[str] = []

    def begin(self) -> None:
        """Everything anew."""
        self.said.clear()
        self.mock.running.reset()
        self.call("s3", "CreateBucket", Bucket="bucket")
        self.client.call("s3", "PutObject", Bucket="bucket", Key="model.tar.gz", Body=_archive())
        self.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="shop-dev-m")

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        return self.client.call(service, operation, **request)

    def register(self, **environment: str) -> content.Served:
        """The next version of the model."""
        container = {"Image": IMAGE, "ModelDataUrl": "s3://bucket/model.tar.gz", "Environment": environment}
        made = self.call(
            "sagemaker",
            "CreateModelPackage",
            ModelPackageGroupName="shop-dev-m",
            ModelApprovalStatus="Approved",
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
            CustomerMetadataProperties={"cloudml:digest": "sha256:1"},
        )
        found = self.call("sagemaker", "DescribeModelPackage", ModelPackageName=made["ModelPackageArn"])
        return content.Served.of(found, "m", "shop-dev-m")

    def patience(self, each: Callable[[int], None] | None = None, step: float = 60.0) -> Patience:
        """Every pause moves the clock by `step` seconds, after `each` (with the pause's number) was done."""
        count = [0]

        def sleep(_: float) -> None:
            count[0] += 1
            if each is not None:
                each(count[0])
            self.mock.advance(step)

        return Patience(86_400.0, sleep=sleep, now=lambda: 0.0, say=self.said.append)

    def deploy(
        self, made: Lowered, served: content.Served, each: Callable[[int], None] | None = None, **pace: float
    ) -> str:
        """As the deploy job does it: alarms are there, then the configuration, then the endpoint. The name."""
        for alarm in made.alarms:
            self.call("cloudwatch", "PutMetricAlarm", **alarm)
        config = content.make(self.client, made.settings, served)
        bring(self.client, Wish(made.settings, config, "run 1", "deploy"), self.patience(each, **pace))
        return config

    def describe(self) -> dict[str, Any]:
        return self.call("sagemaker", "DescribeEndpoint", EndpointName=NAME)

    def tags(self) -> dict[str, str]:
        found = self.call("sagemaker", "ListTags", ResourceArn=self.describe()["EndpointArn"])["Tags"]
        return {one["Key"]: one["Value"] for one in found}

    def ring(self, alarm: str, state: str = "ALARM") -> None:
        self.call("cloudwatch", "SetAlarmState", AlarmName=alarm, StateValue=state, StateReason="a test rang it")

    def ask(self, body: bytes = b"{}") -> bytes:
        return self.endpoints.invoke("scores", body, "application/json").body


class Shared(Client):
    """Another client over the lab's connections: opening new ones takes longer than what is asked of it."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(PLACE, patience=Tries(attempts=4, first=0.0))
        self._core, self._session, self._clients = (
            vars(lab.client)[name] for name in ("_core", "_session", "_clients")
        )


def _archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("empty"), io.BytesIO())
    return buffer.getvalue()
