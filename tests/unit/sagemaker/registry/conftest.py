"""Targets on the SageMaker mock."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from registry_lab import Account, Make

from cloudml.testing import mocks
from cloudml.testing.mocks import MockInUse

# The fixtures of the plugin: a conftest that is not the topmost may not name it in `pytest_plugins`.
sagemaker_mock_options = mocks.sagemaker_mock_options
_sagemaker_mock_server = mocks._sagemaker_mock_server
sagemaker_mock = mocks.sagemaker_mock


@pytest.fixture
def account(sagemaker_mock: MockInUse, tmp_path: Path) -> Make:
    """More targets than one: `account("prod", region="eu-west-1")`."""

    def make(target: str = "dev", **more: Any) -> Account:
        folder = tmp_path / f"work-{target}"
        folder.mkdir(exist_ok=True)
        return Account(folder, target, **more)

    return make


@pytest.fixture
def dev(account: Make) -> Account:
    """A target with the group of a model `m`, and nothing in it."""
    made = account()
    made.make_group()
    return made
