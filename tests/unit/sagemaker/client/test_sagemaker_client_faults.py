"""The client against the mock under every fault an API can have: what is asked for once exists once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudml.testing.mocks import MockInUse, running_sagemaker
from cloudml_sagemaker.client import Client, Patience
from cloudml_sagemaker.refusals import AwsError

ROLE = "arn:aws:iam::123456789012:role/ml"
STEP = '{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "m"}}'
STOP = f'{{"Version": "2020-12-01", "Parameters": [], "Steps": [{STEP}]}}'
KINDS = ("throttle", "internal-error", "unavailable", "lost-response")


class Place:
    region = "us-east-1"


@pytest.fixture(scope="module")
def server() -> Iterator[MockInUse]:
    with running_sagemaker(images=(f"*={sys.prefix}",)) as running:
        yield running


@pytest.fixture
def mock(server: MockInUse, somebody: Callable[[str], None]) -> MockInUse:
    server.reset()
    somebody(server.url)
    return server


@pytest.fixture
def client(mock: MockInUse) -> Client:
    return Client(Place(), patience=Patience(first=0.01, longest=0.05))


def struck(mock: MockInUse) -> list[int]:
    return [rule["struck"] for rule in mock.faults()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_pipeline_is_made_once(mock: MockInUse, client: Client, kind: str) -> None:
    mock.add_fault(f"{kind}:CreatePipeline,count=3")
    made = client.call(
        "sagemaker", "CreatePipeline", PipelineName="p", PipelineDefinition=STOP, RoleArn=ROLE, purpose="deploy"
    )
    assert struck(mock) == [3]
    pipelines = list(client.pages("sagemaker", "ListPipelines", "PipelineSummaries"))
    assert [pipeline["PipelineArn"] for pipeline in pipelines] == [made["PipelineArn"]]


@pytest.mark.parametrize("kind", KINDS)
def test_an_execution_is_started_once(mock: MockInUse, client: Client, kind: str) -> None:
    client.call("sagemaker", "CreatePipeline", PipelineName="p", PipelineDefinition=STOP, RoleArn=ROLE)
    mock.add_fault(f"{kind}:StartPipelineExecution,count=2")
    start = {"PipelineName": "p", "purpose": "the run of today"}
    arns = {client.call("sagemaker", "StartPipelineExecution", **start)["PipelineExecutionArn"] for _ in range(3)}
    runs = client.pages("sagemaker", "ListPipelineExecutions", "PipelineExecutionSummaries", PipelineName="p")
    assert struck(mock) == [2]
    assert {run["PipelineExecutionArn"] for run in runs} == arns
    assert len(arns) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_a_name_and_no_token_is_made_once(mock: MockInUse, client: Client, kind: str) -> None:
    mock.add_fault(f"{kind}:CreateModelPackageGroup,count=2")
    request = {"ModelPackageGroupName": "g"}
    look = ("DescribeModelPackageGroup", request)
    found, new = client.make("sagemaker", "CreateModelPackageGroup", request, look)
    again, newer = client.make("sagemaker", "CreateModelPackageGroup", request, look)
    assert struck(mock) == [2]
    assert found == again
    assert (new, newer) == (kind != "lost-response", False)


def test_what_aws_does_not_show_yet_is_waited_for(mock: MockInUse, client: Client) -> None:
    mock.add_fault("stale:DescribeModelPackageGroup,count=2,seconds=60")
    request = {"ModelPackageGroupName": "g"}
    found, new = client.make("sagemaker", "CreateModelPackageGroup", request, ("DescribeModelPackageGroup", request))
    assert (found["ModelPackageGroupName"], new, struck(mock)) == ("g", True, [2])


@pytest.mark.parametrize("kind", KINDS)
def test_pages_go_on_where_they_were(mock: MockInUse, client: Client, kind: str) -> None:
    names = [f"p{number}" for number in range(5)]
    for name in names:
        client.call("sagemaker", "CreatePipeline", PipelineName=name, PipelineDefinition=STOP, RoleArn=ROLE)
    mock.add_fault(f"{kind}:ListPipelines,after=1,count=2")
    listed = client.pages("sagemaker", "ListPipelines", "PipelineSummaries", MaxResults=2, SortBy="Name")
    assert sorted(pipeline["PipelineName"] for pipeline in listed) == names
    assert struck(mock) == [2]
    some = client.pages("sagemaker", "ListPipelines", "PipelineSummaries", MaxResults=2, limit=3)
    assert len(list(some)) == 3


def test_objects_are_read_whole_and_their_absence_is_told(mock: MockInUse, client: Client) -> None:
    client.make("s3", "CreateBucket", {"Bucket": "data"}, ("HeadBucket", {"Bucket": "data"}))
    for number in range(3):
        client.call("s3", "PutObject", Bucket="data", Key=f"k{number}", Body=b"x" * number)
    assert client.read("s3://data/k2") == b"xx"
    keys = [one["Key"] for one in client.pages("s3", "ListObjectsV2", "Contents", Bucket="data", MaxKeys=2)]
    assert keys == ["k0", "k1", "k2"]
    assert client.find("s3", "HeadObject", Bucket="data", Key="other") is None
    with pytest.raises(AwsError) as caught:
        client.read("s3://data/other")
    assert caught.value.kind == "missing"


def test_a_fault_that_stays_is_told_with_its_reason(mock: MockInUse, client: Client) -> None:
    mock.add_fault("throttle:ListPipelines")
    with pytest.raises(AwsError, match="Rate exceeded") as caught:
        list(client.pages("sagemaker", "ListPipelines", "PipelineSummaries"))
    assert caught.value.kind == "throttled"


def test_clients_are_shared_between_threads(mock: MockInUse, client: Client) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def make(number: int) -> Any:
        request = {"ModelPackageGroupName": f"g{number % 3}"}
        return client.make("sagemaker", "CreateModelPackageGroup", request, ("DescribeModelPackageGroup", request))[1]

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(make, range(12)))
    assert sum(made) == 3
