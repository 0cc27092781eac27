"""A project of a user's on the command line, and what is left in an account that nobody uses any more."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

BUCKET, ROLE = "my-company-churn", "arn:aws:iam::123456789012:role/churn"
TARGET = f"""
[targets.aws]
backend = "sagemaker"
region = "us-east-1"
role = "{ROLE}"
bucket = "{BUCKET}"
tuning = "portable"
"""
AWS, LOCAL = ("--target", "aws"), ("--backend", "local")

_OWN = frozenset({"endpoint", "report", "version", "why"})
"""Values that name where they were made, or how long it took."""


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Of `--output json`."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass(frozen=True)
class Project:
    """A folder in which commands are typed."""

    root: Path

    def cloudml(self, *words: str, code: int = 0) -> Answer:
        """A command as a user types it, to its end, which must be this one and without a traceback."""
        command = [sys.executable, "-m", "cloudml", *words]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        """What a command answers to a program."""
        return self.cloudml(*words, "--output", "json", code=code).document

    def edit(self, file: str, *changes: tuple[str, str]) -> None:
        """Change the author's code; each place must be there once."""
        path = self.root / file
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            assert text.count(old) == 1, f"{file}: {old}"
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")

    def add_target(self) -> None:
        """The target on SageMaker, beside the local one of the template."""
        path = self.root / "cloudml.toml"
        path.write_text(path.read_text(encoding="utf-8") + TARGET, encoding="utf-8")


def make_account() -> None:
    """What a user has before the first deploy: a bucket, and a role that SageMaker may take."""
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    boto3.client("iam").create_role(RoleName=ROLE.rpartition("/")[2], AssumeRolePolicyDocument=policy)


def outcome(run: Mapping[str, Any]) -> dict[str, Any]:
    """Of each task what does not depend on where it ran: status, metrics, values, the digests of its tables and model.

    Small values are files on SageMaker and none on the local backend; they are compared as values.
    """
    return {
        task["id"]: {
            "status": task["status"],
            "metrics": task["metrics"],
            "values": {name: value for name, value in task["values"].items() if name not in _OWN},
            "digests": {one["name"]: one["digest"] for one in task["outputs"] if not _is_value(one)},
        }
        for task in run["tasks"]
    }


def _is_value(output: Mapping[str, Any]) -> bool:
    return output["type"] in {"float", "dict", "list", "cloudml.ModelVersion", "cloudml.Endpoint"}


def left() -> dict[str, list[str]]:
    """Everything in the account that costs money or bears a name of ours, by the service that keeps it."""
    sagemaker, scheduler = boto3.client("sagemaker"), boto3.client("scheduler")
    found = {
        "pipelines": _names(sagemaker.list_pipelines()["PipelineSummaries"], "PipelineName"),
        "endpoints": _names(sagemaker.list_endpoints()["Endpoints"], "EndpointName"),
        "configurations": _names(sagemaker.list_endpoint_configs()["EndpointConfigs"], "EndpointConfigName"),
        "models": _names(sagemaker.list_models()["Models"], "ModelName"),
        "groups": _names(sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"],
                         "ModelPackageGroupName"),
        "packages": _names(sagemaker.list_model_packages(ModelPackageType="Both")["ModelPackageSummaryList"],
                           "ModelPackageArn"),
        "monitors": _names(sagemaker.list_monitoring_schedules()["MonitoringScheduleSummaries"],
                           "MonitoringScheduleName"),
        "schedules": _names(scheduler.list_schedules()["Schedules"], "Name"),
        "schedule groups": [name for name in _names(scheduler.list_schedule_groups()["ScheduleGroups"], "Name")
                            if name != "default"],
        "queues": list(boto3.client("sqs").list_queues().get("QueueUrls", ())),
        "topics": _names(boto3.client("sns").list_topics()["Topics"], "TopicArn"),
        "alarms": _names(boto3.client("cloudwatch").describe_alarms()["MetricAlarms"], "AlarmName"),
        "rules": _names(boto3.client("events").list_rules()["Rules"], "Name"),
        "scaling": _names(boto3.client("application-autoscaling")
                          .describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"], "ResourceId"),
        "repositories": _names(boto3.client("ecr").describe_repositories()["repositories"], "repositoryName"),
        "objects": _names(boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", ()), "Key"),
    }  # fmt: skip
    return {kind: names for kind, names in found.items() if names}


def _names(rows: Iterable[Any], member: str) -> list[str]:
    return [str(row[member]) for row in rows]
