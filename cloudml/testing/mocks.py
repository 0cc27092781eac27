"""Mock clouds for tests: a context manager, and a pytest fixture.

    # conftest.py
    pytest_plugins = ["cloudml.testing.mocks"]

    # test_pipeline.py
    def test_it(sagemaker_mock):
        boto3.client("sagemaker").create_pipeline(...)

One server serves a test session (with pytest-xdist: one each worker) and is empty again before each test. While the
test runs, the variables that AWS's clients read lead to the mock, those that would lead past it are taken away.
Override the fixture `sagemaker_mock_options` (session scope) to start it otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cloudml.discovery import load_mock
from cloudml.mocks.port import MockOptions, RunningMock
from cloudml.mocks.remote import MockControl

__all__ = ["MockInUse", "MockOptions", "running_sagemaker", "sagemaker_mock", "sagemaker_mock_options"]


class MockInUse(MockControl):
    """The running mock and its control: `url`, `environment`, and `reset`, `advance`, `add_fault`... of MockControl."""

    def __init__(self, running: RunningMock) -> None:
        super().__init__(running.url)
        self.running = running

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which other processes find it."""
        return dict(self.running.environment)


@contextmanager
def running_sagemaker(options: MockOptions | None = None, **settings: Any) -> Iterator[MockInUse]:
    """A SageMaker mock for the block: `with running_sagemaker(hold=True) as mock: ...`. The environment is left alone.

    `settings` are the fields of MockOptions. Raises MissingExtra, MockError.
    """
    running = load_mock("sagemaker").start(options or MockOptions(**settings))
    try:
        yield MockInUse(running)
    finally:
        running.stop()


@pytest.fixture(scope="session")
def sagemaker_mock_options() -> MockOptions:
    """How the session's mock is started."""
    return MockOptions()


@pytest.fixture(scope="session")
def _sagemaker_mock_server(sagemaker_mock_options: MockOptions) -> Iterator[MockInUse]:
    with running_sagemaker(sagemaker_mock_options) as mock:
        yield mock


@pytest.fixture
def sagemaker_mock(_sagemaker_mock_server: MockInUse, monkeypatch: pytest.MonkeyPatch) -> MockInUse:
    """The session's SageMaker mock, empty, with the environment set so that AWS's clients find it."""
    mock = _sagemaker_mock_server
    mock.running.reset()
    for name in [name for name in os.environ if name.startswith(mock.running.hides)]:
        monkeypatch.delenv(name)
    for name, value in mock.environment.items():
        monkeypatch.setenv(name, value)
    return mock
