"""A mock whose images are the tiny model server."""

from __future__ import annotations

import sys

import pytest
from hosting_host import SERVER, Host

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock


@pytest.fixture
def options() -> Options:
    return Options(images=(f"*={sys.executable} -S {SERVER}",))


@pytest.fixture
def host(mock: Mock) -> Host:
    return Host(mock)


@pytest.fixture
def still(held: Mock) -> Host:
    """As `host`, with a clock that the test holds."""
    return Host(held)
