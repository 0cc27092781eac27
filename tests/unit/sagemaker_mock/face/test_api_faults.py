"""Faults of the API: struck operations, lost answers, reads that come too early; for moto's services too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError
from mock_clients import client

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock, start


@pytest.fixture(scope="module")
def mock_in_hand() -> Iterator[Mock]:
    running = start(Options(hold=True))
    yield running
    running.stop()


@pytest.fixture
def mock(mock_in_hand: Mock) -> Iterator[Mock]:
    yield mock_in_hand
    mock_in_hand.world.faults.clear()


def arm(mock: Mock, rule: str) -> None:
    mock.world.faults.add(mock.world.faults.parse(rule))


def group(mock: Mock, name: str, **config: Any) -> None:
    client(mock.url, "sagemaker", **config).create_model_package_group(ModelPackageGroupName=name)


def refused(call: Any, **params: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return dict(caught.value.response)


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle", "ThrottlingException", 400),
        ("internal-error", "InternalFailure", 500),
        ("unavailable", "ServiceUnavailable", 503),
    ],
)
@pytest.mark.parametrize("subject", ["CreateModelPackageGroup", "sagemaker:CreateModel*"])
def test_a_struck_operation_does_nothing(mock: Mock, kind: str, code: str, status: int, subject: str) -> None:
    sagemaker = client(mock.url, "sagemaker")
    arm(mock, f"{kind}:{subject},count=1")
    answer = refused(sagemaker.create_model_package_group, ModelPackageGroupName="struck")
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    assert sagemaker.list_model_package_groups(NameContains="struck")["ModelPackageGroupSummaryList"] == []


def test_boto3s_own_retries_get_over_it(mock: Mock) -> None:
    arm(mock, "throttle:CreateModelPackageGroup,count=1")
    group(mock, "retried", retries={"total_max_attempts": 3, "mode": "standard"})
    assert mock.world.faults.rules()[0][1] == 1


def test_moto_s_services_are_struck_in_their_own_words(mock: Mock) -> None:
    s3, sqs, iam = (client(mock.url, service) for service in ("s3", "sqs", "iam"))
    s3.create_bucket(Bucket="struck")
    arm(mock, "throttle:s3:PutObject,count=1")
    arm(mock, "throttle:iam:*,count=1")
    arm(mock, "internal-error:sqs:CreateQueue,count=1")
    assert s3.list_objects_v2(Bucket="struck")["KeyCount"] == 0
    assert refused(s3.put_object, Bucket="struck", Key="k", Body=b"")["Error"]["Code"] == "SlowDown"
    assert refused(iam.list_roles)["Error"]["Code"] == "Throttling"
    assert refused(sqs.create_queue, QueueName="q")["ResponseMetadata"]["HTTPStatusCode"] == 500
    s3.put_object(Bucket="struck", Key="k", Body=b"")


@pytest.mark.parametrize("service", ["sagemaker", "s3"])
def test_a_lost_response_takes_effect_all_the_same(mock: Mock, service: str) -> None:
    sagemaker, s3 = client(mock.url, "sagemaker"), client(mock.url, "s3")
    arm(mock, "lost-response:CreateModelPackageGroup,count=1")
    arm(mock, "lost-response:s3:CreateBucket,count=1")
    call, params = {
        "s3": (s3.create_bucket, {"Bucket": "lost"}),
        "sagemaker": (sagemaker.create_model_package_group, {"ModelPackageGroupName": "lost"}),
    }[service]
    with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
        call(**params)
    if service == "s3":
        assert "lost" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    else:
        assert sagemaker.describe_model_package_group(ModelPackageGroupName="lost")


def test_stale_reads_do_not_see_what_was_just_made(mock: Mock) -> None:
    sagemaker = client(mock.url, "sagemaker")
    group(mock, "older")
    arm(mock, "stale:*ModelPackageGroup*,seconds=30")
    group(mock, "fresh")

    def listed() -> set[str]:
        found = sagemaker.list_model_package_groups(MaxResults=100)["ModelPackageGroupSummaryList"]
        return {row["ModelPackageGroupName"] for row in found}

    never = refused(sagemaker.describe_model_package_group, ModelPackageGroupName="never")["Error"]
    unseen = refused(sagemaker.describe_model_package_group, ModelPackageGroupName="fresh")["Error"]
    assert unseen["Code"] == never["Code"]
    assert unseen["Message"] == never["Message"].replace("never", "fresh")
    assert "older" in listed()
    assert "fresh" not in listed()
    mock.world.clock.advance(31)  # type: ignore[attr-defined]
    assert "fresh" in listed()
    assert sagemaker.describe_model_package_group(ModelPackageGroupName="fresh")
