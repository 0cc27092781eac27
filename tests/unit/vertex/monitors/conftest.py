"""A mock that holds its clock, with a bench of monitors on it, asked as jobs ask Google."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vertex_monitor_lab import OPTIONS, MonitorBench

from cloudml.testing.mocks import MockInUse, running_vertex
from cloudml_vertex.container import google, http


@pytest.fixture(scope="session")
def monitored_cloud() -> Iterator[MockInUse]:
    with running_vertex(OPTIONS) as mock:
        yield mock


@pytest.fixture
def bench(monitored_cloud: MockInUse, monkeypatch: pytest.MonkeyPatch) -> MonitorBench:
    """An empty project; nothing is waited for longer than it takes."""
    monitored_cloud.running.reset()
    monkeypatch.setenv("CLOUDML_VERTEX_REST", monitored_cloud.url)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", monitored_cloud.url)
    monkeypatch.setattr(google, "_FIRST", 0.02)
    monkeypatch.setattr(google, "_LONGEST", 0.1)
    monkeypatch.setattr(http, "_SLOWEST", 0.05)
    return MonitorBench(monitored_cloud)
