"""What CreateTrainingJob refuses beyond its shapes: rules of the API reference."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from job_lab import BUCKET, ROLE, Lab, channel

URI = f"s3://{BUCKET}/in"
RUNTIME = {"MaxRuntimeInSeconds": 100}
GROUP = {"InstanceGroupName": "g", "InstanceType": "ml.m5.large", "InstanceCount": 1}
FILES = {
    "FileSystemId": "fs-12345678901",
    "FileSystemAccessMode": "ro",
    "FileSystemType": "EFS",
    "DirectoryPath": "/x",
}

WRONG: dict[str, dict[str, Any]] = {
    "no algorithm": {"AlgorithmSpecification": {"TrainingInputMode": "File"}},
    "image and algorithm": {"algorithm": {"AlgorithmName": "a"}},
    "channel names twice": {"InputDataConfig": [channel("a", URI), channel("a", URI)]},
    "no data source": {"InputDataConfig": [{"ChannelName": "a", "DataSource": {}}]},
    "file system": {"InputDataConfig": [{"ChannelName": "a", "DataSource": {"FileSystemDataSource": FILES}}]},
    "augmented": {"InputDataConfig": [channel("a", URI, {"S3DataType": "AugmentedManifestFile"})]},
    "attributes": {"InputDataConfig": [channel("a", URI, {"AttributeNames": ["x"]})]},
    "gzip in file mode": {"InputDataConfig": [channel("a", URI, CompressionType="Gzip")]},
    "fast file manifest": {
        "InputDataConfig": [channel("a", URI, {"S3DataType": "ManifestFile"}, InputMode="FastFile")]
    },
    "record io": {"InputDataConfig": [channel("a", URI, RecordWrapperType="RecordIO")]},
    "no objects": {"InputDataConfig": [channel("a", f"s3://{BUCKET}/none")]},
    "no bucket": {"InputDataConfig": [channel("a", "s3://no-such-bucket/x")]},
    "spot without wait": {"EnableManagedSpotTraining": True, "StoppingCondition": RUNTIME},
    "wait too short": {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {**RUNTIME, "MaxWaitTimeInSeconds": 99},
    },
    "wait without spot": {"StoppingCondition": {**RUNTIME, "MaxWaitTimeInSeconds": 200}},
    "regex": {"algorithm": {"MetricDefinitions": [{"Name": "m", "Regex": "auc=("}]}},
    "no instances": {"ResourceConfig": {"VolumeSizeInGB": 1}},
    "instances twice": {
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroups": [GROUP]}
    },
    "groups twice": {"ResourceConfig": {"InstanceGroups": [GROUP, GROUP]}},
    "output not in S3": {"OutputDataConfig": {"S3OutputPath": "https://data/x"}},
    "checkpoints in the model": {"CheckpointConfig": {"S3Uri": URI, "LocalPath": "/opt/ml/model/ck"}},
    "checkpoints out of it": {"CheckpointConfig": {"S3Uri": URI, "LocalPath": "/opt/ml/checkpoints/../model"}},
    "checkpoints relative": {"CheckpointConfig": {"S3Uri": URI, "LocalPath": "checkpoints"}},
    "serverless": {"ServerlessJobConfig": {"BaseModelArn": "arn:aws:x", "JobType": "FineTuning"}},
}


@pytest.fixture(scope="module")
def refusing() -> Any:
    from cloudml_sagemaker.mock.options import Options
    from cloudml_sagemaker.mock.start import start

    running = start(Options(images=("*=true",)))
    lab = Lab(running)
    lab.put(**{"in/x": "x"})
    yield lab
    running.stop()


@pytest.mark.parametrize("more", WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_refused_and_leaves_nothing(refusing: Lab, more: dict[str, Any]) -> None:
    request = refusing.training("wrong", "pass", algorithm=more.get("algorithm", {}))
    with pytest.raises(ClientError) as refusal:
        refusing.sm.create_training_job(
            **{**request, **{key: value for key, value in more.items() if key != "algorithm"}}
        )
    assert refusal.value.response["Error"]["Code"] == "ValidationException"
    assert refusing.sm.list_training_jobs(NameContains="wrong")["TrainingJobSummaries"] == []


def test_the_right_request_beside_them_is_taken(refusing: Lab) -> None:
    stopping = {**RUNTIME, "MaxWaitTimeInSeconds": 100}
    more = {"EnableManagedSpotTraining": True, "StoppingCondition": stopping}
    found = refusing.train("right", "pass", InputDataConfig=[channel("a", URI)], **more)
    assert found["TrainingJobStatus"] == "Completed"


def test_missing_objects_are_refused_in_awss_words(refusing: Lab) -> None:
    uri = f"s3://{BUCKET}/none/"
    with pytest.raises(ClientError) as refusal:
        refusing.sm.create_training_job(**refusing.training("none", "pass", InputDataConfig=[channel("a", uri)]))
    assert refusal.value.response["Error"]["Message"] == (
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists in '
        "the selected region (us-east-1), that objects exist under that S3 prefix, and that the role "
        f'"{ROLE}" has "s3:ListBucket" permissions on bucket "{BUCKET}".'
    )


def test_a_name_is_taken_once(refusing: Lab) -> None:
    refusing.train("twice", "pass")
    with pytest.raises(ClientError) as refusal:
        refusing.sm.create_training_job(**refusing.training("twice", "pass"))
    assert refusal.value.response["Error"]["Code"] == "ResourceInUse"
    refusing.sm.delete_training_job(TrainingJobName="twice")
    assert refusing.train("twice", "pass")["TrainingJobStatus"] == "Completed"


def test_jobs_that_are_not_there(refusing: Lab) -> None:
    for call, code in (
        (refusing.sm.describe_training_job, "ValidationException"),
        (refusing.sm.stop_training_job, "ValidationException"),
        (refusing.sm.delete_training_job, "ResourceNotFound"),
        (refusing.sm.update_training_job, "ResourceNotFound"),
    ):
        with pytest.raises(ClientError, match="Requested resource not found") as refusal:
            call(TrainingJobName="nobody")
        assert refusal.value.response["Error"]["Code"] == code
