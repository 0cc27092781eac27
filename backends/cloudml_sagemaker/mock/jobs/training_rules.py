"""What CreateTrainingJob refuses beyond its shapes (API reference, CreateTrainingJob and its types)."""

from __future__ import annotations

import re

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.core.operations import Call
from cloudml_sagemaker.mock.jobs import rules

_RESERVED = ("/opt/ml/input", "/opt/ml/output", "/opt/ml/model", "/opt/ml/code")
"""Where checkpoints cannot be kept: SageMaker uses these itself (developer guide, checkpoints)."""
_NOT_EXECUTED = ("ServerlessJobConfig", "ModelPackageConfig", "MlflowConfig")


def check(params: Document) -> None:
    """Raises ValidationException."""
    for member in _NOT_EXECUTED:
        if member in params:
            raise rules.not_executed(f"training jobs with {member}")
    algorithm = params.get("AlgorithmSpecification")
    if not algorithm or not params.get("ResourceConfig"):
        raise validation("AlgorithmSpecification and ResourceConfig are required.")
    if rules.only_one(algorithm, ("TrainingImage", "AlgorithmName"), "AlgorithmSpecification") == "AlgorithmName":
        raise rules.not_executed(f"the algorithm resource {algorithm['AlgorithmName']}; give its TrainingImage")
    hosts(params["ResourceConfig"])
    rules.s3_uri(params["OutputDataConfig"]["S3OutputPath"], "OutputDataConfig")
    _check_metrics(algorithm.get("MetricDefinitions") or [])
    channels = params.get("InputDataConfig") or []
    rules.distinct((channel["ChannelName"] for channel in channels), "Channel names")
    for channel in channels:
        _check_channel(channel, algorithm["TrainingInputMode"])
    _check_spot(params)
    _check_checkpoints(params.get("CheckpointConfig"))


def hosts(resources: Document) -> list[tuple[str, str]]:
    """Instance type and group of each instance, in order.

    Raises ValidationException for a configuration that names no instances, or names them twice.
    """
    groups = resources.get("InstanceGroups") or []
    if groups and (resources.get("InstanceType") or resources.get("InstanceCount")):
        raise validation("ResourceConfig must not have InstanceGroups together with InstanceType or InstanceCount.")
    if groups:
        rules.distinct((group["InstanceGroupName"] for group in groups), "Instance group names")
        return [
            (group["InstanceType"], group["InstanceGroupName"])
            for group in groups
            for _ in range(group["InstanceCount"])
        ]
    count = rules.instances(resources, "ResourceConfig")
    first = {**(resources.get("InstancePreferences") or [{}])[0], **resources}
    return [(first["InstanceType"], "homogeneousCluster")] * count


def _check_metrics(definitions: list[Document]) -> None:
    for definition in definitions:
        try:
            re.compile(definition["Regex"])
        except re.error as error:
            raise validation(
                f"The regular expression {definition['Regex']!r} of metric {definition['Name']} is not valid: {error}"
            ) from None


def mode_of(channel: Document, default: str) -> str:
    """File, FastFile or Pipe: the channel's own, else the algorithm's."""
    return str(channel.get("InputMode") or default)


def _check_channel(channel: Document, default: str) -> None:
    what = f"channel {channel['ChannelName']}"
    source = rules.only_one(
        channel["DataSource"], ("S3DataSource", "FileSystemDataSource", "DatasetSource"), f"The DataSource of {what}"
    )
    if source != "S3DataSource":
        raise rules.not_executed(f"the {source} of {what}")
    data = channel["DataSource"]["S3DataSource"]
    rules.s3_uri(data["S3Uri"], what)
    if data["S3DataType"] not in {"S3Prefix", "ManifestFile"}:
        raise rules.not_executed(f"S3DataType {data['S3DataType']} of {what}")
    if data.get("AttributeNames"):
        raise validation(f"AttributeNames of {what} can only be used with S3DataType AugmentedManifestFile.")
    mode = mode_of(channel, default)
    if channel.get("CompressionType") == "Gzip" and mode != "Pipe":
        raise validation(f"CompressionType Gzip of {what} can only be used in Pipe input mode.")
    if mode == "FastFile" and data["S3DataType"] != "S3Prefix":
        raise validation(f"FastFile mode of {what} only supports S3DataType S3Prefix.")
    if channel.get("RecordWrapperType") == "RecordIO":
        raise rules.not_executed(f"RecordWrapperType RecordIO of {what}")


def _check_spot(params: Document) -> None:
    stopping = params.get("StoppingCondition") or {}
    wait, runtime = stopping.get("MaxWaitTimeInSeconds"), stopping.get("MaxRuntimeInSeconds")
    if params.get("EnableManagedSpotTraining"):
        if wait is None or (runtime is not None and wait < runtime):
            raise validation(
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
            )
    elif wait is not None:
        raise validation("MaxWaitTimeInSeconds can only be used when EnableManagedSpotTraining is true.")


def _check_checkpoints(config: Document | None) -> None:
    if config is None:
        return
    rules.s3_uri(config["S3Uri"], "CheckpointConfig")
    path = str(config.get("LocalPath") or "/opt/ml/checkpoints").rstrip("/")
    parts = path.split("/")
    if parts[0] or len(parts) < 2 or {"", ".", ".."} & set(parts[1:]) or "\0" in path:
        raise validation("The LocalPath of CheckpointConfig must be an absolute path.")
    if path == "/opt/ml" or any(path == taken or path.startswith(taken + "/") for taken in _RESERVED):
        raise validation(f"The LocalPath of CheckpointConfig must not be one that SageMaker uses: {path}.")


def check_data(call: Call) -> None:
    """Raises ValidationException, in AWS's words, for a channel without objects.

    AWS looks when the job is created (seen in public reports of CreateTrainingJob, 2021), not only when it runs.
    """
    for channel in call.params.get("InputDataConfig") or []:
        uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
        if not s3.exists(call.world, call.scope, uri):
            bucket = uri.partition("://")[2].partition("/")[0]
            raise validation(
                f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
                f"exists in the selected region ({call.scope.region}), that objects exist under that S3 prefix, and "
                f'that the role "{call.params["RoleArn"]}" has "s3:ListBucket" permissions on bucket "{bucket}".'
            )
