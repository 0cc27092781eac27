"""Unchanged clients: boto3 with all its own checks, its waiters, the AWS CLI; and the pytest fixture."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from cloudml.testing import mocks
from cloudml.testing.mocks import MockInUse, running_sagemaker
from cloudml_sagemaker.mock.start import Mock

# The fixtures, as a conftest would have them by `pytest_plugins`, which a module that imports the plugin may not name.
sagemaker_mock, sagemaker_mock_options = mocks.sagemaker_mock, mocks.sagemaker_mock_options
_sagemaker_mock_server = mocks._sagemaker_mock_server

GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package-group/g"


def test_boto3_as_it_comes(sagemaker_mock: MockInUse) -> None:
    sagemaker = boto3.client("sagemaker")
    made = sagemaker.create_model_package_group(ModelPackageGroupName="g", Tags=[{"Key": "team", "Value": "x"}])
    assert made["ModelPackageGroupArn"] == GROUP
    assert sagemaker.list_tags(ResourceArn=GROUP)["Tags"] == [{"Key": "team", "Value": "x"}]
    pages = sagemaker.get_paginator("list_model_package_groups").paginate(PaginationConfig={"PageSize": 1})
    assert [row["ModelPackageGroupName"] for page in pages for row in page["ModelPackageGroupSummaryList"]] == ["g"]
    boto3.client("s3").create_bucket(Bucket="data")
    boto3.client("s3").get_waiter("bucket_exists").wait(Bucket="data", WaiterConfig={"MaxAttempts": 1})
    assert boto3.client("sts").get_caller_identity()["Account"] == "123456789012"
    assert sagemaker_mock.health()


@pytest.mark.parametrize("time", [1, 2])
def test_each_test_finds_the_mock_empty(sagemaker_mock: MockInUse, time: int) -> None:
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=f"of-test-{time}")
    found = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [row["ModelPackageGroupName"] for row in found] == [f"of-test-{time}"]
    assert os.environ["AWS_ENDPOINT_URL"] == sagemaker_mock.url


def test_the_environment_leads_nowhere_else(tmp_path: Path, pytester_source: str, plain: dict[str, str]) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["cloudml.testing.mocks"]\n')
    (tmp_path / "test_it.py").write_text(pytester_source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", str(tmp_path)]
    done = subprocess.run(command, check=False, env=plain, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.fixture
def plain() -> dict[str, str]:
    """The environment of someone who works with a real account."""
    return {**os.environ, "AWS_PROFILE": "production", "AWS_ENDPOINT_URL_S3": "https://s3.example"}


@pytest.fixture
def pytester_source() -> str:
    """Two tests, for the two workers of pytest-xdist."""
    body = (
        "    assert 'AWS_PROFILE' not in os.environ\n"
        "    assert boto3.client('s3').list_buckets()['Buckets'] == []\n"
        "    boto3.client('s3').create_bucket(Bucket='data')\n"
    )
    return "import os, boto3\n" + "".join(f"def test_{name}(sagemaker_mock):\n{body}" for name in "ab")


def test_the_context_manager_leaves_the_environment_alone() -> None:
    before = dict(os.environ)
    with running_sagemaker(hold=True) as mock:
        assert dict(os.environ) == before
        assert mock.now() == mock.advance(0)
        url = mock.url
    assert not type(mock)(mock.running).health()
    assert url


@pytest.mark.skipif(shutil.which("aws") is None, reason="the AWS CLI is not on PATH")
def test_the_aws_command_line(shared: Mock, tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(shared.hides)},
        **shared.environment,
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }

    def aws(*words: str) -> tuple[int, str]:
        command = ["aws", *words, "--output", "json"]
        done = subprocess.run(
            command, check=False, env=environment, capture_output=True, text=True, timeout=60, cwd=tmp_path
        )
        return done.returncode, done.stdout or done.stderr

    code, out = aws("sagemaker", "create-model-package-group", "--model-package-group-name", "by-cli")
    assert (code, json.loads(out)["ModelPackageGroupArn"].rpartition("/")[2]) == (0, "by-cli")
    (tmp_path / "file").write_text("content")
    assert aws("s3", "mb", "s3://by-cli")[0] == 0
    assert aws("s3", "cp", "file", "s3://by-cli/file")[0] == 0
    code, out = aws("s3api", "head-object", "--bucket", "by-cli", "--key", "file")
    assert (code, json.loads(out)["ContentLength"]) == (0, 7)
    code, out = aws("sagemaker", "create-project", "--project-name", "p")
    assert code != 0
    assert "NotImplemented" in out
