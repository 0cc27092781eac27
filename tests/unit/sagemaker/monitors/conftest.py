"""An account on the mock, whose clock only the tests move."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from monitor_account import TARGET, Account

from cloudml.mocks.port import MockOptions
from cloudml.testing.mocks import MockInUse, running_sagemaker
from cloudml_sagemaker.client import Client, Patience
from cloudml_sagemaker.target import Place

HERE = Path(__file__).parent
IMAGES = (
    f"*/served:1={sys.executable} -S {HERE / 'monitored_server.py'}",
    f"*/sagemaker-model-monitor-analyzer={sys.executable} -S {HERE / 'monitored_analysis.py'}",
)
START = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def _monitored_mock() -> Iterator[MockInUse]:
    with running_sagemaker(MockOptions(hold=True, start=START, images=IMAGES)) as mock:
        yield mock


@pytest.fixture(scope="session")
def _client() -> Client:
    """One for all: the SDK's clients are what takes time."""
    return Client(Place.of(TARGET), patience=Patience(first=0.01, longest=0.1))


@pytest.fixture
def account(_monitored_mock: MockInUse, _client: Client, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Empty but for a bucket; it is half past nine."""
    _monitored_mock.running.reset()
    for name in [name for name in os.environ if name.startswith(_monitored_mock.running.hides)]:
        monkeypatch.delenv(name)
    for name, value in _monitored_mock.environment.items():
        monkeypatch.setenv(name, value)
    return Account(_monitored_mock, _client)
