"""Mock clouds for tests: context managers, and pytest fixtures.

    # conftest.py
    pytest_plugins = ["cloudml.testing.mocks"]

    # test_pipeline.py
    def test_it(sagemaker_mock):
        boto3.client("sagemaker").create_pipeline(...)

    def test_the_other(vertex_mock):
        aiplatform.init(api_endpoint=os.environ["CLOUDML_VERTEX_ENDPOINT"], ...)

One server of each cloud that is asked for serves a test session (with pytest-xdist: one each worker) and is empty again
before each test. While the test runs, the variables that the cloud's clients read lead to the mock, those that would
lead past it are taken away. Override the fixture `sagemaker_mock_options` or `vertex_mock_options` (session scope) to
start it otherwise.
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

__all__ = [
    "MockInUse",
    "MockOptions",
    "running_sagemaker",
    "running_vertex",
    "sagemaker_mock",
    "sagemaker_mock_options",
    "vertex_mock",
    "vertex_mock_options",
]


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
    with _running("sagemaker", options or MockOptions(**settings)) as mock:
        yield mock


@contextmanager
def running_vertex(options: MockOptions | None = None, **settings: Any) -> Iterator[MockInUse]:
    """A Vertex AI mock for the block: `with running_vertex(hold=True) as mock: ...`. The environment is left alone.

    `settings` are the fields of MockOptions. Raises MissingExtra, MockError.
    """
    with _running("vertex", options or MockOptions(**settings)) as mock:
        yield mock


@contextmanager
def _running(name: str, options: MockOptions) -> Iterator[MockInUse]:
    running = load_mock(name).start(options)
    try:
        yield MockInUse(running)
    finally:
        running.stop()


def _empty(mock: MockInUse, monkeypatch: pytest.MonkeyPatch) -> MockInUse:
    """The mock, empty again, and this process's environment pointed at it."""
    mock.running.reset()
    for name in [name for name in os.environ if name.startswith(mock.running.hides)]:
        monkeypatch.delenv(name)
    for name, value in mock.environment.items():
        monkeypatch.setenv(name, value)
    return mock


@pytest.fixture(scope="session")
def sagemaker_mock_options() -> MockOptions:
    """How the session's SageMaker mock is started."""
    return MockOptions()


@pytest.fixture(scope="session")
def _sagemaker_mock_server(sagemaker_mock_options: MockOptions) -> Iterator[MockInUse]:
    with running_sagemaker(sagemaker_mock_options) as mock:
        yield mock


@pytest.fixture
def sagemaker_mock(_sagemaker_mock_server: MockInUse, monkeypatch: pytest.MonkeyPatch) -> MockInUse:
    """The session's SageMaker mock, empty, with the environment set so that AWS's clients find it."""
    return _empty(_sagemaker_mock_server, monkeypatch)


@pytest.fixture(scope="session")
def vertex_mock_options() -> MockOptions:
    """How the session's Vertex AI mock is started."""
    return MockOptions()


@pytest.fixture(scope="session")
def _vertex_mock_server(vertex_mock_options: MockOptions) -> Iterator[MockInUse]:
    with running_vertex(vertex_mock_options) as mock:
        yield mock


@pytest.fixture
def vertex_mock(_vertex_mock_server: MockInUse, monkeypatch: pytest.MonkeyPatch) -> MockInUse:
    """The session's Vertex AI mock, empty, with the environment set so that Google's clients find it."""
    return _empty(_vertex_mock_server, monkeypatch)
