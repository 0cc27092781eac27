"""Small valid steps of every type, and what is said of a definition that is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mock_clients import IMAGE, ROLE

from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.pipelines.definition import Definition, parse

Step = dict[str, Any]


def processing(name: str = "Prepare", *, outputs: tuple[str, ...] = ("train",), **members: Any) -> Step:
    """A Processing step with outputs below s3://b/."""
    arguments: Step = {
        "AppSpecification": {"ImageUri": IMAGE},
        "RoleArn": ROLE,
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
        },
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": output,
                    "S3Output": {
                        "S3Uri": f"s3://b/{output}",
                        "LocalPath": f"/opt/ml/processing/{output}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for output in outputs
            ]
        },
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **members}


def training(name: str = "Train", **members: Any) -> Step:
    """A Training step without channels."""
    arguments = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://b/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "HyperParameters": {"depth": "3"},
    }
    return {"Name": name, "Type": "Training", "Arguments": arguments, **members}


def tuning(name: str = "Tune", **members: Any) -> Step:
    """A Tuning step of four trials."""
    job = {name: value for name, value in training()["Arguments"].items() if name != "HyperParameters"}
    job["AlgorithmSpecification"] = {
        **job["AlgorithmSpecification"],
        "MetricDefinitions": [{"Name": "auc", "Regex": "auc=(.*)"}],
    }
    config = {
        "Strategy": "Random",
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "auc"},
        "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0", "MaxValue": "1"}]},
    }
    arguments = {"HyperParameterTuningJobConfig": config, "TrainingJobDefinition": job}
    return {"Name": name, "Type": "Tuning", "Arguments": arguments, **members}


def condition(
    name: str = "Gate",
    *,
    conditions: list[Any] | None = None,
    yes: list[Step] | None = None,
    no: list[Step] | None = None,
    **members: Any,
) -> Step:
    """A Condition step; its condition is 1 == 1 unless told otherwise."""
    own = [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}] if conditions is None else conditions
    arguments = {"Conditions": own, "IfSteps": yes or [], "ElseSteps": no or []}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **members}


def fail(name: str = "Stop", message: Any = "no good") -> Step:
    """A Fail step."""
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def function(name: str = "Call", arguments: Any = None, outputs: dict[str, str] | None = None, **members: Any) -> Step:
    """A Lambda step."""
    return {
        "Name": name,
        "Type": "Lambda",
        "Arguments": arguments or {},
        "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "OutputParameters": [
            {"OutputName": output, "OutputType": type_} for output, type_ in (outputs or {"text": "String"}).items()
        ],
        **members,
    }


def callback(name: str = "Ask", **members: Any) -> Step:
    """A Callback step."""
    queue = "https://sqs.us-east-1.amazonaws.com/123456789012/q"
    outputs = [{"OutputName": "answer", "OutputType": "Boolean"}]
    base = {"Name": name, "Type": "Callback", "Arguments": {"a": 1}, "SqsQueueUrl": queue, "OutputParameters": outputs}
    return {**base, **members}


def each(name: str = "Loop", body: list[Step] | None = None, items: Any = None, **arguments: Any) -> Step:
    """A ForEach step over ["a", "b"]."""
    own = {
        "IterableItems": ["a", "b"] if items is None else items,
        "MaxConcurrency": 2,
        "ForEachBody": [function("Body", {"x": get("ForEach.CurrentItem")})] if body is None else body,
    }
    return {"Name": name, "Type": "ForEach", "Arguments": {**own, **arguments}}


def check(name: str = "Check", **members: Any) -> Step:
    """A QualityCheck step."""
    step = processing(name)
    return {**step, "Type": "QualityCheck", "CheckType": "DATA_QUALITY", "SkipCheck": False, **members}


def model(name: str = "Model", **members: Any) -> Step:
    """A Model step."""
    arguments = {"ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://b/m.tar.gz"}}
    return {"Name": name, "Type": "Model", "Arguments": arguments, **members}


def register(name: str = "Register", **members: Any) -> Step:
    """A RegisterModel step."""
    arguments = {"ModelPackageGroupName": "g", "InferenceSpecification": {"Containers": [{"Image": IMAGE}]}}
    return {"Name": name, "Type": "RegisterModel", "Arguments": arguments, **members}


def transform(name: str = "Score", **members: Any) -> Step:
    """A Transform step."""
    arguments = {
        "ModelName": "m",
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in"}}},
        "TransformOutput": {"S3OutputPath": "s3://b/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    return {"Name": name, "Type": "Transform", "Arguments": arguments, **members}


def endpoint_config(name: str = "Config", **members: Any) -> Step:
    """An EndpointConfig step."""
    variant = {"VariantName": "all", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    return {"Name": name, "Type": "EndpointConfig", "Arguments": {"ProductionVariants": [variant]}, **members}


def endpoint(name: str = "Serve", **members: Any) -> Step:
    """An Endpoint step."""
    return {"Name": name, "Type": "Endpoint", "Arguments": {"EndpointName": "e", "EndpointConfigName": "c"}, **members}


def get(reference: str) -> dict[str, str]:
    """`{"Get": reference}`."""
    return {"Get": reference}


def join(*values: Any, on: str = "/") -> dict[str, Any]:
    """A Std:Join."""
    return {"Std:Join": {"On": on, "Values": list(values)}}


def json_get(step: str, file: str, path: str) -> dict[str, Any]:
    """A Std:JsonGet of a property file."""
    return {"Std:JsonGet": {"PropertyFile": get(f"Steps.{step}.PropertyFiles.{file}"), "Path": path}}


def metrics(name: str = "Evaluate") -> Step:
    """A Processing step with the property file Metrics."""
    file = {"PropertyFileName": "Metrics", "OutputName": "report", "FilePath": "m.json"}
    return processing(name, outputs=("report",), PropertyFiles=[file])


def pipeline(*steps: Step, parameters: list[Any] | None = None, **members: Any) -> dict[str, Any]:
    """A definition."""
    return {"Version": "2020-12-01", "Parameters": parameters or [], "Steps": list(steps), **members}


def read(*steps: Step, choices: dict[str, str] | None = None, **members: Any) -> Definition:
    """The definition of these steps, read."""
    return parse(json.dumps(pipeline(*steps, **members)), choices)


def refusal(document: Any, choices: dict[str, str] | None = None) -> str:
    """What the definition is refused with; the test fails when it is not."""
    with pytest.raises(AwsError) as refused:
        parse(document if isinstance(document, str | bytes) else json.dumps(document), choices)
    assert refused.value.code == "ValidationException"
    assert refused.value.message.startswith("Unable to parse pipeline definition. ")
    return refused.value.message
