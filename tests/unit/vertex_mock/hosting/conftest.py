"""The benches for tests of endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.vertex_mock.hosting.vertex_hosting_bench import HostingBench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostingBench]:
    """One world for all tests of a module; each makes endpoints of its own."""
    made = HostingBench(tmp_path_factory.mktemp("hosting"))
    made.tripler(3)
    made.tripler(5)
    yield made
    made.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[HostingBench]:
    """A world for a test that arms faults, moves time or starts the mock again."""
    made = HostingBench(tmp_path)
    made.tripler(3)
    yield made
    made.close()
