"""A world without servers, in which the room of pipelines stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from vertex_pipeline_bench import Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A world with the room of pipelines, and custom jobs that are Python functions."""
    made = Bench(tmp_path, monkeypatch)
    yield made
    made.close()
