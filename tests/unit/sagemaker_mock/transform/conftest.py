"""A mock whose images are the little server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from transform_lab import RULE, Lab

from cloudml_sagemaker.mock.options import Options


@pytest.fixture
def options() -> Options:
    return Options(images=(RULE,))


@pytest.fixture
def lab(aws: Callable[..., Any]) -> Lab:
    return Lab(aws("s3"), aws("sagemaker"), aws("logs"))
