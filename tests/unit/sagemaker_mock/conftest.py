"""A mock a module, empty for each test; real boto3 clients over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mock_clients import client

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock, start

REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/ml"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/ml:1"


@pytest.fixture
def options() -> Options:
    """How the test's mock is started; override it in a module for other options."""
    return Options(images=(f"*={sys.prefix}",))


@pytest.fixture
def mock(options: Options) -> Iterator[Mock]:
    running = start(options)
    yield running
    running.stop()


@pytest.fixture
def held(options: Options) -> Iterator[Mock]:
    """A mock whose clock the test holds."""
    from dataclasses import replace

    running = start(replace(options, hold=True))
    yield running
    running.stop()


@pytest.fixture
def aws(mock: Mock) -> Callable[..., Any]:
    """`aws("s3")`: a client of the mock."""
    return lambda service, **config: client(mock.url, service, **config)
