"""The churn pipeline as a definition (2020-12-01), written by hand as a user of plain boto3 would."""

from __future__ import annotations

import json
from typing import Any

ACCOUNT, REGION = "123456789012", "us-east-1"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
BUCKET, GROUP, PIPELINE = "churn", "churn", "churn"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/churn-sagemaker"
ONE_MACHINE = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}

Json = dict[str, Any]


def get(path: str) -> Json:
    """A reference."""
    return {"Get": path}


def join(*parts: Any) -> Json:
    """Parts of a path."""
    return {"Std:Join": {"On": "/", "Values": list(parts)}}


def definition() -> str:
    """Its text."""
    parameters = [
        {"Name": "Raw", "Type": "String", "DefaultValue": f"s3://{BUCKET}/raw/"},
        {"Name": "MinAuc", "Type": "Float", "DefaultValue": 0.7},
        {"Name": "Trials", "Type": "Integer", "DefaultValue": 4},
    ]
    return json.dumps(
        {"Version": "2020-12-01", "Parameters": parameters, "Steps": [_prepare(), _tune(), _evaluate(), _gate()]}
    )


def _below_run(name: str) -> Json:
    return join(f"s3://{BUCKET}", "runs", get("Execution.PipelineExecutionId"), name)


def _input(name: str, uri: Any) -> Json:
    where = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/input/{name}", "S3DataType": "S3Prefix"}
    return {"InputName": name, "AppManaged": False, "S3Input": {**where, "S3InputMode": "File"}}


def _output(name: str) -> Json:
    where = {"S3Uri": _below_run(name), "LocalPath": f"/opt/ml/processing/{name}", "S3UploadMode": "EndOfJob"}
    return {"OutputName": name, "AppManaged": False, "S3Output": where}


def _processing(program: str, inputs: list[Json], outputs: list[str]) -> Json:
    entrypoint = ["python3", f"/opt/ml/processing/input/code/{program}"]
    return {
        "ProcessingResources": {"ClusterConfig": ONE_MACHINE},
        "AppSpecification": {"ImageUri": f"{REGISTRY}/churn-jobs:1", "ContainerEntrypoint": entrypoint},
        "RoleArn": ROLE,
        "ProcessingInputs": [_input("code", f"s3://{BUCKET}/code/{program}"), *inputs],
        "ProcessingOutputConfig": {"Outputs": [_output(name) for name in outputs]},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }


def _prepare() -> Json:
    arguments = _processing("prepare.py", [_input("raw", get("Parameters.Raw"))], ["train", "test", "baseline"])
    return {"Name": "Prepare", "Type": "Processing", "Arguments": arguments}


def _made_by_prepare(name: str) -> Json:
    return get(f"Steps.Prepare.ProcessingOutputConfig.Outputs['{name}'].S3Output.S3Uri")


def _tune() -> Json:
    source = {"S3DataType": "S3Prefix", "S3Uri": _made_by_prepare("train"), "S3DataDistributionType": "FullyReplicated"}
    job = {
        "AlgorithmSpecification": {
            "TrainingImage": f"{REGISTRY}/churn-train:1",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "validation:auc", "Regex": "validation:auc=([0-9.]+);"}],
        },
        "StaticHyperParameters": {"max_iter": "200"},
        "RoleArn": ROLE,
        "InputDataConfig": [
            {"ChannelName": "train", "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": ONE_MACHINE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    strength = {"Name": "strength", "MinValue": "0.01", "MaxValue": "10", "ScalingType": "Logarithmic"}
    config = {
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:auc"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": get("Parameters.Trials"), "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {"ContinuousParameterRanges": [strength]},
        "RandomSeed": 7,
    }
    arguments = {"HyperParameterTuningJobConfig": config, "TrainingJobDefinition": job}
    return {"Name": "Tune", "Type": "Tuning", "Arguments": arguments}


def _best_model() -> Json:
    return join(f"s3://{BUCKET}/models", get("Steps.Tune.BestTrainingJob.TrainingJobName"), "output", "model.tar.gz")


def _evaluate() -> Json:
    inputs = [_input("model", _best_model()), _input("test", _made_by_prepare("test"))]
    return {
        "Name": "Evaluate",
        "Type": "Processing",
        "Arguments": _processing("evaluate.py", inputs, ["evaluation"]),
        "PropertyFiles": [
            {"PropertyFileName": "Evaluation", "OutputName": "evaluation", "FilePath": "evaluation.json"}
        ],
    }


def _gate() -> Json:
    auc = {
        "Std:JsonGet": {
            "PropertyFile": get("Steps.Evaluate.PropertyFiles.Evaluation"),
            "Path": "binary_classification_metrics.auc.value",
        }
    }
    enough = {"Type": "GreaterThanOrEqualTo", "LeftValue": auc, "RightValue": get("Parameters.MinAuc")}
    words = {"Std:Join": {"On": " ", "Values": ["The AUC is", auc, "and not", get("Parameters.MinAuc")]}}
    refuse = {"Name": "Refuse", "Type": "Fail", "Arguments": {"ErrorMessage": words}}
    return {
        "Name": "Gate",
        "Type": "Condition",
        "Arguments": {"Conditions": [enough], "IfSteps": [_register()], "ElseSteps": [refuse]},
    }


def _register() -> Json:
    report = join(get("Steps.Evaluate.ProcessingOutputConfig.Outputs['evaluation'].S3Output.S3Uri"), "evaluation.json")
    baseline = _made_by_prepare("baseline")
    arguments = {
        "ModelPackageGroupName": GROUP,
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [{"Image": f"{REGISTRY}/churn-serve:1", "ModelDataUrl": _best_model()}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": report}}},
        "DriftCheckBaselines": {
            "ModelDataQuality": {
                name: {"ContentType": "application/json", "S3Uri": join(baseline, f"{name.lower()}.json")}
                for name in ("Statistics", "Constraints")
            }
        },
    }
    return {"Name": "Register", "Type": "RegisterModel", "Arguments": arguments}
