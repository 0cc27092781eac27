"""A team with a mock of its own for each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from churn_team import Team, options

from cloudml.testing.mocks import running_sagemaker


@pytest.fixture
def team() -> Iterator[Team]:
    with running_sagemaker(options()) as mock:
        yield Team(mock)
