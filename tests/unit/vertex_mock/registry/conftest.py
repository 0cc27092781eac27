"""The bench for tests of the registry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.vertex_mock.hosting.vertex_hosting_bench import HostingBench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostingBench]:
    """One world for all tests of a module; each makes models of its own."""
    made = HostingBench(tmp_path_factory.mktemp("registry"))
    yield made
    made.close()
