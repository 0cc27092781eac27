from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from endpoint_lab import SERVER, Lab

from cloudml.mocks.port import MockOptions
from cloudml.testing.mocks import MockInUse, running_sagemaker


@pytest.fixture(scope="session")
def held_mock() -> Iterator[MockInUse]:
    """A mock whose clock only the tests move, and whose images are the tiny server."""
    with running_sagemaker(MockOptions(images=(f"*={sys.executable} -I -S {SERVER}",), hold=True)) as mock:
        yield mock


@pytest.fixture(scope="session")
def one_lab(held_mock: MockInUse) -> Lab:
    """Shared, because opening AWS's clients takes longer than most tests."""
    return Lab(held_mock)


@pytest.fixture
def lab(one_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """An empty mock with a bucket and a group of models."""
    for name, value in one_lab.mock.environment.items():
        monkeypatch.setenv(name, value)
    one_lab.begin()
    return one_lab
