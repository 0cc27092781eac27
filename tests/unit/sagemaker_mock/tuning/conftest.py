"""Tuning jobs on a mock of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
