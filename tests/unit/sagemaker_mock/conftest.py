"""A mock for each test; real boto3 clients over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from mock_clients import client, started

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock


@pytest.fixture
def options() -> Options:
    """How the test's mock is started; override it in a module for other options."""
    return Options(images=(f"*={sys.prefix}",))


@pytest.fixture
def mock(options: Options) -> Iterator[Mock]:
    running = started(options)
    yield running
    running.stop()


@pytest.fixture
def held(options: Options) -> Iterator[Mock]:
    """A mock whose clock the test holds."""
    running = started(replace(options, hold=True))
    yield running
    running.stop()


@pytest.fixture
def aws(mock: Mock) -> Callable[..., Any]:
    """`aws("s3")`: a client of the mock."""
    return lambda service, **config: client(mock.url, service, **config)
