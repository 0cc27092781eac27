"""The client: what it tries again and what not, how long, with which tokens, and how it tells what it cannot do."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from cloudml.errors import MissingExtra
from cloudml_sagemaker.client import Client, Patience, bucket_and_key, token_of
from cloudml_sagemaker.refusals import AwsError

ANSWER = (200, {"PipelineArn": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p"})
PIPELINE = {"PipelineName": "p", "PipelineDefinition": "{}", "RoleArn": "arn:aws:iam::123456789012:role/ml"}


@pytest.mark.parametrize(
    ("status", "code"), [(400, "ThrottlingException"), (500, "InternalFailure"), (503, "Whatever")]
)
def test_what_may_pass_is_tried_again(canned: Any, status: int, code: str) -> None:
    canned.answers = [canned.refuse(status, code), canned.refuse(status, code), ANSWER]
    assert canned.client().call("sagemaker", "DescribePipeline", PipelineName="p") == ANSWER[1]
    assert len(canned.requests) == 3


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "AccessDeniedException"), (400, "ValidationException"), (400, "ResourceNotFound"), (404, "Whatever")],
)
def test_nothing_else_is_tried_again(canned: Any, status: int, code: str) -> None:
    canned.answers = [canned.refuse(status, code), ANSWER]
    with pytest.raises(AwsError) as caught:
        canned.client().call("sagemaker", "DescribePipeline", PipelineName="p")
    assert caught.value.provider_code == code
    assert caught.value.request_id == "request-1"
    assert (len(canned.requests), canned.waits) == (1, [])


def test_waits_are_drawn_below_a_bound_that_doubles(canned: Any) -> None:
    canned.answers = [canned.refuse(400, "ThrottlingException")]
    with pytest.raises(AwsError, match="ThrottlingException"):
        canned.client(attempts=7, first=1.0, longest=8.0).call("sagemaker", "DescribePipeline", PipelineName="p")
    assert len(canned.requests) == 7
    bounds = [1, 2, 4, 8, 8, 8]
    assert len(canned.waits) == len(bounds)
    assert all(0 <= wait <= bound for wait, bound in zip(canned.waits, bounds, strict=True))
    assert len(set(canned.waits)) > 1


def test_patience_ends_by_the_clock_too(canned: Any) -> None:
    canned.answers = [canned.refuse(500, "InternalFailure")]
    with pytest.raises(AwsError):
        canned.client(attempts=1000, seconds=0.0).call("sagemaker", "DescribePipeline", PipelineName="p")
    assert len(canned.requests) == 1


def test_each_attempt_has_the_same_token(canned: Any) -> None:
    canned.answers = [canned.refuse(500, "InternalFailure"), ANSWER]
    canned.client().call("sagemaker", "CreatePipeline", **PIPELINE)
    first, second = (request["ClientRequestToken"] for request in canned.requests)
    assert first == second
    assert 32 <= len(first) <= 128


def test_a_purpose_makes_one_intent_of_many_calls_and_without_one_each_is_its_own(canned: Any) -> None:
    canned.answers = [ANSWER]
    for purpose in ("deploy-1", "deploy-1", "deploy-2", None, None):
        canned.client().call("sagemaker", "CreatePipeline", purpose=purpose, **PIPELINE)
    tokens = [request["ClientRequestToken"] for request in canned.requests]
    assert tokens[0] == tokens[1]
    assert len(set(tokens)) == 4


def test_a_token_depends_on_operation_request_and_purpose_not_on_the_order_of_members() -> None:
    made = token_of("CreatePipeline", {"a": 1, "b": 2}, "x")
    assert made == token_of("CreatePipeline", {"b": 2, "a": 1}, "x")
    others = [
        token_of("UpdatePipeline", {"a": 1, "b": 2}, "x"),
        token_of("CreatePipeline", {"a": 1}, "x"),
        token_of("CreatePipeline", {"a": 1, "b": 2}, "y"),
    ]
    assert len({made, *others}) == 4


def test_a_request_of_the_wrong_form_is_refused_here(canned: Any) -> None:
    with pytest.raises(AwsError, match="PipelineName") as caught:
        canned.client().call("sagemaker", "DescribePipeline", PipelineName=3)
    assert (caught.value.kind, canned.requests) == ("invalid", [])


def test_without_credentials_it_says_where_to_get_some(nobody: None) -> None:
    with pytest.raises(AwsError) as caught:
        Client(_Place("us-east-1")).call("sagemaker", "DescribePipeline", PipelineName="p")
    assert caught.value.kind == "no-credentials"


def test_nobody_answers(somebody: Callable[[str], None]) -> None:
    with socket.socket() as held:  # bound and not listening: nobody else can answer there
        held.bind(("127.0.0.1", 0))
        somebody(f"http://127.0.0.1:{held.getsockname()[1]}")
        waits: list[float] = []
        client = Client(_Place("us-east-1"), patience=Patience(attempts=3, sleep=waits.append))
        with pytest.raises(AwsError) as caught:
            client.call("sagemaker", "DescribePipeline", PipelineName="p")
    assert (caught.value.kind, len(waits)) == ("connection", 2)
    assert "us-east-1" in caught.value.hint


def test_a_region_that_cannot_be_one(somebody: Callable[[str], None]) -> None:
    with pytest.raises(AwsError) as caught:
        Client(_Place("us east 1")).call("sagemaker", "DescribePipeline", PipelineName="p")
    assert caught.value.kind == "region"


def test_a_missing_package_is_told_with_the_extra(canned: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tenacity", None)
    with pytest.raises(MissingExtra, match=r"tenacity") as caught:
        canned.client().call("sagemaker", "DescribePipeline", PipelineName="p")
    assert "[sagemaker]" in caught.value.hint


def test_importing_the_client_imports_no_sdk() -> None:
    program = (
        "import sys, cloudml_sagemaker.client, cloudml_sagemaker.upload, cloudml_sagemaker.describe;"
        "print(sorted({'boto3', 'botocore', 'tenacity', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_addresses_in_s3() -> None:
    assert bucket_and_key("s3://data/a/b.json") == ("data", "a/b.json")
    for wrong in ("data/a", "https://data/a", "s3://"):
        with pytest.raises(ValueError, match="no address"):
            bucket_and_key(wrong)


class _Place:
    def __init__(self, region: str) -> None:
        self.region = region
