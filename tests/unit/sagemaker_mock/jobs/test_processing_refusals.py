"""What CreateProcessingJob refuses beyond its shapes: rules of the API reference."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from job_lab import BUCKET, Lab, source, target

URI = f"s3://{BUCKET}/x"


def changed(document: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An input or output whose S3 part has other members; None takes one away."""
    part = "S3Input" if "S3Input" in document else "S3Output"
    merged = {key: value for key, value in {**document[part], **more}.items() if value is not None}
    return {**document, part: merged}


def outputs(*given: dict[str, Any]) -> dict[str, Any]:
    return {"ProcessingOutputConfig": {"Outputs": list(given)}}


DATASET = {
    "AthenaDatasetDefinition": {
        "Catalog": "c",
        "Database": "d",
        "QueryString": "q",
        "OutputS3Uri": URI,
        "OutputFormat": "JSON",
    }
}
FEATURES = {"FeatureStoreOutput": {"FeatureGroupName": "g"}}

WRONG = {
    "input names twice": {"ProcessingInputs": [source(URI), source(URI)]},
    "output names twice": outputs(target(URI), target(URI)),
    "no source": {"ProcessingInputs": [{"InputName": "in"}]},
    "two sources": {"ProcessingInputs": [{**source(URI), "DatasetDefinition": DATASET}]},
    "a dataset": {"ProcessingInputs": [{"InputName": "in", "DatasetDefinition": DATASET}]},
    "input elsewhere": {"ProcessingInputs": [changed(source(URI), LocalPath="/opt/ml/input")]},
    "input beside": {"ProcessingInputs": [changed(source(URI), LocalPath="/opt/ml/processing2/in")]},
    "input out of it": {"ProcessingInputs": [changed(source(URI), LocalPath="/opt/ml/processing/../../etc")]},
    "input nowhere": {"ProcessingInputs": [changed(source(URI), LocalPath=None)]},
    "no mode": {"ProcessingInputs": [changed(source(URI), S3InputMode=None)]},
    "pipe": {"ProcessingInputs": [changed(source(URI), S3InputMode="Pipe")]},
    "gzip in file mode": {"ProcessingInputs": [changed(source(URI), S3CompressionType="Gzip")]},
    "https": {"ProcessingInputs": [changed(source(URI), S3Uri="https://data/x")]},
    "no output kind": outputs({"OutputName": "out"}),
    "output elsewhere": outputs(changed(target(URI), LocalPath="/tmp/out")),
    "output nowhere": outputs(changed(target(URI), LocalPath=None)),
    "feature store unmanaged": outputs({"OutputName": "out", **FEATURES}),
    "no instance": {"ProcessingResources": {"ClusterConfig": {"VolumeSizeInGB": 1}}},
}


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from cloudml_sagemaker.mock.options import Options
    from cloudml_sagemaker.mock.start import start

    running = start(Options(images=("*=true",)))
    yield Lab(running)
    running.stop()


@pytest.mark.parametrize("more", WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_refused_and_leaves_nothing(refusing: Lab, more: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as refusal:
        refusing.sm.create_processing_job(**{**refusing.processing("wrong", "pass"), **more})
    assert refusal.value.response["Error"]["Code"] == "ValidationException"
    assert refusing.sm.list_processing_jobs(NameContains="wrong")["ProcessingJobSummaries"] == []


def test_a_managed_feature_store_output_is_taken(refusing: Lab) -> None:
    given = outputs({"OutputName": "out", "AppManaged": True, **FEATURES})
    assert refusing.process("features", "pass", **given)["ProcessingJobStatus"] == "Completed"


def test_a_name_is_taken_once(refusing: Lab) -> None:
    arn = refusing.sm.create_processing_job(**refusing.processing("twice", "pass"))["ProcessingJobArn"]
    with pytest.raises(ClientError) as refusal:
        refusing.sm.create_processing_job(**refusing.processing("twice", "pass"))
    error = refusal.value.response["Error"]
    assert error["Code"] == "ResourceInUse"
    assert error["Message"] == (
        f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})"
    )


def test_jobs_that_are_not_there(refusing: Lab) -> None:
    for call, code in (
        (refusing.sm.describe_processing_job, "ValidationException"),
        (refusing.sm.stop_processing_job, "ValidationException"),
        (refusing.sm.delete_processing_job, "ResourceNotFound"),
    ):
        with pytest.raises(ClientError) as refusal:
            call(ProcessingJobName="nobody")
        assert refusal.value.response["Error"]["Code"] == code


def test_an_ended_job_cannot_be_stopped(refusing: Lab) -> None:
    refusing.process("over", "pass")
    with pytest.raises(ClientError, match="rejected because the processing job is in status Completed"):
        refusing.sm.stop_processing_job(ProcessingJobName="over")
