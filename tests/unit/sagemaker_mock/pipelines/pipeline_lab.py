"""Definitions in a few words, and a mock with a held clock that runs them: after `settle` nothing is under way."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError
from mock_clients import IMAGE, ROLE, client

from cloudml_sagemaker.mock.start import Mock

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:"

Json = dict[str, Any]


def definition(*steps: Json, parameters: Iterable[Json] = (), **more: Any) -> str:
    """The text of a definition."""
    return json.dumps({"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps), **more})


def parameter(name: str, type_: str = "String", default: Any = None, **more: Any) -> Json:
    """One declared parameter."""
    return {"Name": name, "Type": type_, **({} if default is None else {"DefaultValue": default}), **more}


def get(path: str) -> Json:
    """A reference."""
    return {"Get": path}


def processing(name: str, program: str = "true", after: Iterable[Any] = (), **more: Any) -> Json:
    """A processing step that runs a shell program; `more`: members of its Arguments, or beside them."""
    beside = {key: more.pop(key) for key in list(more) if key in _BESIDE}
    arguments = {
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["sh", "-c", program]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        "RoleArn": ROLE,
        **more,
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **_after(after), **beside}


def function(name: str, code: str, /, after: Iterable[Any] = (), outputs: Iterable[str] = (), **arguments: Any) -> Json:
    """A Lambda step that calls the handler `code`; outputs as `name` or `name:Type`."""
    declared = [output.partition(":") for output in outputs]
    return {
        "Name": name,
        "Type": "Lambda",
        "FunctionArn": FUNCTION + code,
        "Arguments": arguments,
        "OutputParameters": [{"OutputName": name, "OutputType": type_ or "String"} for name, _, type_ in declared],
        **_after(after),
    }


def condition(
    name: str, conditions: list[Json], yes: Iterable[Json] = (), no: Iterable[Json] = (), **more: Any
) -> Json:
    """A Condition step."""
    arguments = {"Conditions": conditions, "IfSteps": list(yes), "ElseSteps": list(no)}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **more}


def equals(left: Any, right: Any) -> Json:
    """A condition."""
    return {"Type": "Equals", "LeftValue": left, "RightValue": right}


def fail(name: str, message: Any, after: Iterable[Any] = ()) -> Json:
    """A Fail step."""
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, **_after(after)}


def on(step: str, trigger: str) -> Json:
    """A run condition."""
    return {"Step": step, "Trigger": trigger}


def output(name: str, uri: Any) -> Json:
    """An output of a processing job, written to /opt/ml/processing/NAME."""
    where = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/{name}", "S3UploadMode": "EndOfJob"}
    return {"Outputs": [{"OutputName": name, "S3Output": where}]}


def container() -> Json:
    """A container of a model."""
    return {"Image": IMAGE, "ModelDataUrl": "s3://data/model/model.tar.gz"}


def register(name: str, group: str, **more: Any) -> Json:
    """A step that registers a version in a group."""
    inference = {
        "Containers": [container()],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    arguments = {"ModelPackageGroupName": group, "InferenceSpecification": inference, **more}
    return {"Name": name, "Type": "RegisterModel", "Arguments": arguments}


_BESIDE = frozenset({"CacheConfig", "RetryPolicies", "PropertyFiles", "DisplayName", "Description"})


def _after(steps: Iterable[Any]) -> Json:
    return {"DependsOn": list(steps)} if steps else {}


@dataclass
class Done:
    """An execution as boto3 shows it, once nothing is under way."""

    arn: str
    status: str
    reason: str | None
    steps: dict[str, Json]

    @property
    def statuses(self) -> dict[str, str]:
        """Status by step, in the order of start."""
        return {name: row["StepStatus"] for name, row in self.steps.items()}

    def outputs(self, step: str) -> dict[str, str]:
        """The outputs of a Lambda or Callback step."""
        kind = self.steps[step]["Metadata"]
        rows = (kind.get("Lambda") or kind["Callback"])["OutputParameters"]
        return {row["Name"]: row["Value"] for row in rows}


@dataclass
class Lab:
    """A mock and its clients."""

    mock: Mock
    _numbers: Any = field(default_factory=itertools.count)

    @cached_property
    def sagemaker(self) -> Any:
        """A client of SageMaker."""
        return client(self.mock.url, "sagemaker")

    @cached_property
    def s3(self) -> Any:
        """A client of S3."""
        return client(self.mock.url, "s3")

    @cached_property
    def sqs(self) -> Any:
        """A client of SQS."""
        return client(self.mock.url, "sqs")

    @property
    def lambdas(self) -> MutableMapping[str, Any]:
        """Handlers of Lambda functions by name."""
        return self.mock.lambdas

    def create(self, text: str, **more: Any) -> str:
        """A new pipeline's name."""
        name = f"p{next(self._numbers)}"
        self.sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=ROLE, **self._token(more))
        return name

    def start(self, pipeline: str, given: Json | None = None, **more: Any) -> str:
        """A new execution's ARN; it has only been told to begin."""
        values = [{"Name": name, "Value": value} for name, value in (given or {}).items()]
        request = {"PipelineName": pipeline, "PipelineParameters": values, **self._token(more)}
        return str(self.sagemaker.start_pipeline_execution(**request)["PipelineExecutionArn"])

    def settle(self, seconds: float = 0.0) -> None:
        """Let the clock go on, and everything come to rest."""
        self.mock.world.clock.advance(seconds)  # type: ignore[attr-defined]

    def look(self, arn: str) -> Done:
        """How an execution stands."""
        told = self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        pages = self.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=arn, SortOrder="Ascending"
        )
        rows = {row["StepName"]: row for page in pages for row in page["PipelineExecutionSteps"]}
        return Done(arn, told["PipelineExecutionStatus"], told.get("FailureReason"), rows)

    def run(self, text: str, given: Json | None = None, **more: Any) -> Done:
        """Create, start, and let it come to rest."""
        return self.again(self.create(text), given, **more)

    def again(self, pipeline: str, given: Json | None = None, **more: Any) -> Done:
        """Start one more execution, and let it come to rest."""
        arn = self.start(pipeline, given, **more)
        self.settle()
        return self.look(arn)

    def refused(self, operation: str, **request: Any) -> tuple[str, str]:
        """Code and message of a refusal."""
        try:
            getattr(self.sagemaker, operation)(**request)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        raise AssertionError(f"{operation} was not refused")

    def _token(self, more: Json) -> Json:
        return {"ClientRequestToken": f"token-{next(self._numbers):032}", **more}
