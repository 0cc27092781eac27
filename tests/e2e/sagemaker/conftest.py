"""One mock for the folder's tests, empty for each; jobs run with this Python's packages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sagemaker_runs import Sagemaker

from cloudml.testing.harness import SAMPLES
from cloudml.testing.mocks import MockInUse, running_sagemaker


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a suite that names its `quick` tests, the others are slow."""
    for item in items:
        quick = getattr(getattr(item, "cls", None), "quick", None)
        if quick is not None and getattr(item, "originalname", item.name) not in quick:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def sagemaker_server() -> Iterator[MockInUse]:
    with running_sagemaker() as mock:
        yield mock


@pytest.fixture
def empty_account(sagemaker_server: MockInUse, monkeypatch: pytest.MonkeyPatch) -> MockInUse:
    """The mock, empty, found by AWS's clients of this process."""
    sagemaker_server.reset()
    for name in [name for name in os.environ if name.startswith(sagemaker_server.running.hides)]:
        monkeypatch.delenv(name)
    for name, value in sagemaker_server.environment.items():
        monkeypatch.setenv(name, value)
    return sagemaker_server


@pytest.fixture
def sagemaker(empty_account: MockInUse) -> Sagemaker:
    """The account that the sample pipelines are deployed to."""
    return Sagemaker(Path(SAMPLES))
