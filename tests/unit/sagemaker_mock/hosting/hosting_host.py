"""Endpoints over a tiny model server: `Host` makes models, configurations and endpoints in one call."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mock_clients import IMAGE, ROLE, client
from mock_clients import SCOPE as SCOPE

from cloudml_sagemaker.mock.start import Mock

REGION = "us-east-1"
SERVER = Path(__file__).with_name("model_server.py")
TYPE = "ml.m5.large"


def until(check: Callable[[], Any], what: str = "it", seconds: float = 20.0) -> Any:
    """What `check` gives once it is true."""
    limit = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < limit, f"{what} did not happen"
        time.sleep(0.02)
    return found


def archive(files: Mapping[str, str]) -> bytes:
    """A model.tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


@dataclass
class Host:
    """One mock's hosting, by boto3."""

    mock: Mock

    def __post_init__(self) -> None:
        self.sagemaker = client(self.mock.url, "sagemaker")
        self.runtime = client(self.mock.url, "sagemaker-runtime")
        self.s3 = client(self.mock.url, "s3")
        self.cloudwatch = client(self.mock.url, "cloudwatch")

    def client(self, service: str) -> Any:
        """Another boto3 client of the mock."""
        return client(self.mock.url, service)

    def settle(self) -> None:
        """Wait for the mock's real work; a held clock only."""
        self.mock.world.clock.settle()  # type: ignore[attr-defined]

    def advance(self, seconds: float) -> None:
        """Move a held clock."""
        self.mock.world.clock.advance(seconds)  # type: ignore[attr-defined]

    def model(self, name: str = "model", answer: str = "", **more: Any) -> str:
        """A model of one container that answers `answer` and the request's body."""
        environment = {"ANSWER": answer, **more.pop("Environment", {})}
        container = {"Image": IMAGE, "Environment": environment, **more}
        self.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        return name

    def config(self, name: str, *variants: Mapping[str, Any], **more: Any) -> str:
        """A configuration; each variant is a model's name or members of it."""
        rows = [
            {"VariantName": "main", "InitialInstanceCount": 1, "InstanceType": TYPE, **variant} for variant in variants
        ]
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=rows, **more)
        return name

    def endpoint(self, name: str = "live", count: int = 1, answer: str = "old:", **config: Any) -> str:
        """An endpoint in service with one variant `main`."""
        self.model(f"{name}-model", answer)
        self.config(f"{name}-config", {"ModelName": f"{name}-model", "InitialInstanceCount": count}, **config)
        return self.create(name, f"{name}-config")

    def create(self, name: str, config: str) -> str:
        """Create it and wait until it is in service."""
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        assert self.wait(name) == "InService", self.describe(name)
        return name

    def next_config(self, name: str, count: int = 1, answer: str = "new:", **more: Any) -> str:
        """A configuration to update to."""
        self.model(f"{name}-model", answer)
        return self.config(name, {"ModelName": f"{name}-model", "InitialInstanceCount": count}, **more)

    def describe(self, name: str = "live") -> dict[str, Any]:
        return dict(self.sagemaker.describe_endpoint(EndpointName=name))

    def status(self, name: str = "live") -> str:
        return str(self.describe(name)["EndpointStatus"])

    def wait(self, name: str = "live") -> str:
        """The status once nothing is under way."""
        moving = {"Creating", "Updating", "RollingBack", "Deleting"}
        return str(until(lambda: (found := self.status(name)) not in moving and found, name))

    def invoke(self, body: str = "x", name: str = "live", **more: Any) -> str:
        answer = self.runtime.invoke_endpoint(EndpointName=name, Body=body.encode(), **more)
        return str(answer["Body"].read().decode())

    def split(self, calls: int, name: str = "live") -> dict[str, int]:
        """How many of so many calls each answer had."""
        counts: dict[str, int] = {}
        for _ in range(calls):
            answer = self.invoke("", name)
            counts[answer] = counts.get(answer, 0) + 1
        return counts

    def bucket(self, name: str = "data") -> str:
        self.s3.create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        found = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return [one["Key"] for one in found]
