"""Transform jobs, shortened: models of the little server, requests, waiting, and what lies in the output."""

from __future__ import annotations

import io
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mock_clients import ROLE

RULE = f"*={sys.executable} -I -S {Path(__file__).with_name('batch_server.py')}"
ENDED = {"Completed", "Failed", "Stopped"}
LINES = {"ContentType": "text/csv", "SplitType": "Line"}


def archive(files: dict[str, bytes]) -> bytes:
    """A model.tar.gz."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return stream.getvalue()


@dataclass
class Lab:
    """One mock's S3 and SageMaker."""

    s3: Any
    sm: Any
    logs: Any

    def prepare(self, **environment: str) -> None:
        """Buckets, and the model `m` with that environment."""
        self.s3.create_bucket(Bucket="box")
        self.put("model.tar.gz", archive({"name.txt": b"the model"}))
        self.model("m", environment)

    def model(self, name: str, environment: dict[str, str]) -> None:
        container = {"Image": "server:1", "ModelDataUrl": "s3://box/model.tar.gz", "Environment": environment}
        self.sm.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)

    def put(self, key: str, data: bytes | str) -> None:
        self.s3.put_object(Bucket="box", Key=key, Body=data)

    def create(self, name: str = "job", *, uri: str = "s3://box/in/", kind: str = "S3Prefix", **more: Any) -> None:
        """`given` and `output` go over TransformInput and TransformOutput, the rest into the request."""
        source = {"DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": uri}}}
        self.sm.create_transform_job(
            **{
                "TransformJobName": name,
                "ModelName": "m",
                "TransformInput": {**source, **more.pop("given", {})},
                "TransformOutput": {"S3OutputPath": "s3://box/out", **more.pop("output", {})},
                "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
                **more,
            }
        )

    def seen(self, name: str = "job") -> dict[str, Any]:
        found: dict[str, Any] = self.sm.describe_transform_job(TransformJobName=name)
        return found

    def wait(self, name: str = "job", seconds: float = 60) -> dict[str, Any]:
        limit = time.monotonic() + seconds
        while (job := self.seen(name))["TransformJobStatus"] not in ENDED:
            assert time.monotonic() < limit, job
            time.sleep(0.05)
        return job

    def run(self, name: str = "job", **more: Any) -> dict[str, Any]:
        self.create(name, **more)
        return self.wait(name)

    def outputs(self, prefix: str = "out/") -> dict[str, str]:
        """Path below the prefix to content."""
        found = self.s3.list_objects_v2(Bucket="box", Prefix=prefix).get("Contents", [])
        keys = [one["Key"] for one in found]
        return {
            key.removeprefix(prefix): self.s3.get_object(Bucket="box", Key=key)["Body"].read().decode() for key in keys
        }

    def log(self, name: str = "job") -> dict[str, list[str]]:
        """Lines by the end of the stream's name."""
        group = "/aws/sagemaker/TransformJobs"
        streams = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
        return {
            stream["logStreamName"].split("/", 2)[2] if stream["logStreamName"].count("/") > 1 else "": [
                event["message"]
                for event in self.logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])[
                    "events"
                ]
            ]
            for stream in streams
        }
