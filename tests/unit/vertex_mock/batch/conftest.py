"""The benches for tests of batch prediction jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.vertex_mock.batch.vertex_batch_bench import BatchBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[BatchBench]:
    made = BatchBench(tmp_path)
    made.upload(3)
    yield made
    made.close()


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BatchBench]:
    """One for all tests of a module that start no job."""
    made = BatchBench(tmp_path_factory.mktemp("still"))
    made.upload(3)
    yield made
    made.close()
