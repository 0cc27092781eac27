"""Versions registered by the very code of a job, in this process, and the registry of several targets on one mock."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cloudml.backend.port import Target
from cloudml.jobs.context import Context, Stopping
from cloudml.jobs.sources import Sources
from cloudml.runtime.digest import path_digest
from cloudml_sagemaker import names
from cloudml_sagemaker.client import Client, Patience
from cloudml_sagemaker.container.control.register import register
from cloudml_sagemaker.container.layout import Layout
from cloudml_sagemaker.container.platform import SageMaker
from cloudml_sagemaker.registry import SagemakerModels
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.target import Place

ROLE = "arn:aws:iam::123456789012:role/ml"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.5.1-cpu-py311-ubuntu22.04-sagemaker"
Document = dict[str, Any]


class Killed(BaseException):
    """The process is gone."""


class Mortal(Client):
    """A client that counts its writes and dies at one of them: before it is sent, or after it was."""

    reads = ("Describe", "List", "Get", "Head")

    def __init__(self, place: Place, at: int = -1, sent: bool = False) -> None:
        super().__init__(place, patience=Patience(sleep=lambda seconds: None))
        self._core, self._session, self._clients = (
            vars(shared(place))[name] for name in ("_core", "_session", "_clients")
        )
        self.writes: list[str] = []
        self._at, self._sent = at, sent

    def call(self, service: str, operation: str, /, *, purpose: str | None = None, **request: Any) -> Document:
        if operation.startswith(self.reads):
            return super().call(service, operation, purpose=purpose, **request)
        self.writes.append(operation)
        dies = len(self.writes) - 1 == self._at
        if dies and not self._sent:
            raise Killed
        answer = super().call(service, operation, purpose=purpose, **request)
        if dies:
            raise Killed
        return answer


_SHARED: dict[tuple[str, str | None], Client] = {}


def shared(place: Place) -> Client:
    """One client a region and mock: making one takes longer than what most tests ask of it."""
    key = (place.region, os.environ.get("AWS_ENDPOINT_URL"))
    if key not in _SHARED:
        _SHARED[key] = Client(place, patience=Patience(sleep=lambda seconds: None))
    return _SHARED[key]


class Account:
    """One target: `models` is its registry, as a fresh process opens it each time."""

    def __init__(self, folder: Path, target: str = "dev", region: str = "us-east-1", project: str = "shop") -> None:
        self.folder = folder
        bucket = f"data-{target}"
        settings = {"region": region, "role": ROLE, "bucket": bucket, "requirements": ""}
        self.place = Place.of(Target(target, "sagemaker", project, folder, settings))
        self.client = shared(self.place)
        where: Document = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.client.call("s3", "CreateBucket", Bucket=bucket, **where)

    @property
    def models(self) -> SagemakerModels:
        return self.opened(self.client)

    def opened(self, client: Client) -> SagemakerModels:
        return SagemakerModels(World(client, self.place, self.folder))

    def group(self, model: str = "m") -> str:
        return names.resource(self.place.project, self.place.target, model)

    def make_group(self, model: str = "m") -> str:
        """As `cloudml apply` makes it."""
        tags = {"cloudml:project": self.place.project, "cloudml:target": self.place.target}
        self.client.call(
            "sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=self.group(model),
            ModelPackageGroupDescription=model, Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )  # fmt: skip
        return self.group(model)

    def register(self, slope: int = 3, auc: float = 0.75, model: str = "m", **more: Any) -> Document:
        """What the step puts out. The model is a file with a slope; its record says that it read `rows`."""
        work = Path(tempfile.mkdtemp(dir=self.folder))
        layout = Layout(work / "ml", False)
        lineage = {"data": {"rows": "sha256:" + "a" * 64}, "parameters": {"slope": slope}}
        artifact(layout.input("in-0"), "model", {"slope": slope}, lineage=lineage)
        artifact(layout.input("in-1"), "scores", {"auc": auc, "rows": 4})
        (work / "project").mkdir()
        (work / "project" / "code.py").write_text("x = 1\n")
        (work / "library.zip").write_bytes(b"cloudml")
        action = {
            "name": "register", "model_name": model, "group": self.group(model), "approval": "approved",
            "image": IMAGE, "predictor": "steps:serve", "code": "c" * 64, "summary": "a line", "sample": None,
            "model": {"input": "in-0", "port": "model"}, "source": {"step": "fit", "code": "d" * 64},
            "metrics": [{"name": "scores", "value": {"input": "in-1", "port": "scores"}}], **more,
        }  # fmt: skip
        sets = {"run.id": "run-1"}
        context = Context(SageMaker(layout), work, sets, Stopping(), Sources(layout, work), {"prefix": self.place.base})
        with patch.dict(os.environ, AWS_REGION=self.place.region):
            made: Document = register(action, context)["version"]
        return made

    def objects(self) -> dict[str, bytes]:
        """All that lies in the bucket."""
        listed = self.client.pages("s3", "ListObjectsV2", "Contents", Bucket=self.place.bucket)
        return {one["Key"]: self.client.read(f"s3://{self.place.bucket}/{one['Key']}") for one in listed}

    def tags(self, model: str = "m") -> dict[str, str]:
        arn = self.place.arn("model-package-group", self.group(model))
        return {one["Key"]: one["Value"] for one in self.client.pages("sagemaker", "ListTags", "Tags", ResourceArn=arn)}

    def described(self, version: int, model: str = "m") -> Document:
        name = self.place.arn("model-package", f"{self.group(model)}/{version}")
        return self.client.call("sagemaker", "DescribeModelPackage", ModelPackageName=name)


Make = Callable[..., Account]


def artifact(folder: Path, name: str, value: Any, **more: Any) -> None:
    """A JSON artifact as an earlier job has left it."""
    folder.mkdir(parents=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(value))
    record = {"name": name, "type": "Any", "format": "json", "filename": file.name, "size": file.stat().st_size}
    (folder / "artifact.json").write_text(json.dumps({**record, "digest": path_digest(file), **more}))
