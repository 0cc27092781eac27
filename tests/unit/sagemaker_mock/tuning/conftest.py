"""Tuning jobs on a mock of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from tuning_lab import RULE, Tuning

from cloudml_sagemaker.mock.options import Options


@pytest.fixture
def options() -> Options:
    return Options(images=(RULE,), jobs=4)


@pytest.fixture
def tuning(aws: Callable[..., Any]) -> Tuning:
    aws("s3").create_bucket(Bucket="out")
    return Tuning(aws("sagemaker"))


@pytest.fixture
def client_of() -> Callable[..., Any]:
    """`client_of(url, "s3")`: a client of any mock."""
    return lambda url, service: boto3.client(
        service, region_name="us-east-1", endpoint_url=url, aws_access_key_id="k", aws_secret_access_key="s"
    )
