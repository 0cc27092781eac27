"""A laboratory: a mock with a bucket, and short words for making jobs and waiting for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mock_clients import IMAGE, ROLE, MockLab

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.start import Mock

BUCKET = "data"


class Lab(MockLab):
    """Requests over HTTP by real clients; `python(...)` is a container's command."""

    def __init__(self, mock: Mock) -> None:
        super().__init__(mock)
        self.s3 = self.client("s3")
        self.sm = self.client("sagemaker")
        self.s3.create_bucket(Bucket=BUCKET)

    def put(self, **objects: str | bytes) -> None:
        for key, body in objects.items():
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        data: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return data

    def keys(self, prefix: str = "") -> list[str]:
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return [one["Key"] for one in found]

    def program(self, name: str, code: str) -> list[str]:
        """The command that runs Python code. A request's words have no line ends (the model's pattern), so it is a
        file of this machine."""
        folder = self.world.folder / "programs"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(code)
        return ["python3", str(folder / f"{name}.py")]

    def processing(self, name: str, code: str, **more: Any) -> Document:
        """A request of a processing job that runs Python code."""
        app = {"ImageUri": IMAGE, "ContainerEntrypoint": self.program(name, code), **more.pop("app", {})}
        return {
            "ProcessingJobName": name,
            "RoleArn": ROLE,
            "AppSpecification": app,
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceCount": more.pop("count", 1),
                    "InstanceType": "ml.m5.large",
                    "VolumeSizeInGB": 1,
                }
            },
            **more,
        }

    def training(self, name: str, code: str, **more: Any) -> Document:
        """A request of a training job that runs Python code."""
        algorithm = {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": self.program(name, code),
            **more.pop("algorithm", {}),
        }
        return {
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": algorithm,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
            "ResourceConfig": {
                "InstanceCount": more.pop("count", 1),
                "InstanceType": "ml.m5.large",
                "VolumeSizeInGB": 1,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            **more,
        }

    def process(self, name: str, code: str, **more: Any) -> Document:
        """Run it to its end; the description."""
        self.sm.create_processing_job(**self.processing(name, code, **more))
        return self.ended(name)

    def train(self, name: str, code: str, **more: Any) -> Document:
        """Run it to its end; the description."""
        self.sm.create_training_job(**self.training(name, code, **more))
        return self.trained(name)

    def ended(self, name: str) -> Document:
        return self.until(lambda: self.of("processing", name), "ProcessingJobStatus")

    def trained(self, name: str) -> Document:
        return self.until(lambda: self.of("training", name), "TrainingJobStatus")

    def of(self, kind: str, name: str) -> Document:
        if kind == "processing":
            return dict(self.sm.describe_processing_job(ProcessingJobName=name))
        return dict(self.sm.describe_training_job(TrainingJobName=name))

    def until(self, describe: Callable[[], Document], member: str) -> Document:
        found: Document = {}

        def ended() -> bool:
            found.update(describe())
            return found[member] in {"Completed", "Failed", "Stopped"}

        self.wait(ended)
        return found

    @staticmethod
    def wait(condition: Callable[[], object], seconds: float = 20.0) -> None:
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, "it did not happen in time"
            time.sleep(0.01)

    def log(self, group: str) -> list[str]:
        """Every line of a log group."""
        logs = self.client("logs")
        try:
            return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []


def source(uri: str, name: str = "in", **more: Any) -> Document:
    """A processing input."""
    s3 = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": {**s3, **more}}


def target(uri: str, name: str = "out", mode: str = "EndOfJob") -> Document:
    """A processing output."""
    s3 = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/{name}", "S3UploadMode": mode}
    return {"OutputName": name, "S3Output": s3}


def channel(name: str, uri: str, data: Document | None = None, **more: Any) -> Document:
    """A training channel."""
    s3 = {"S3Uri": uri, "S3DataType": "S3Prefix", **(data or {})}
    return {"ChannelName": name, "DataSource": {"S3DataSource": s3}, **more}
