"""The lab for tests of Monitoring, Pub/Sub, Logging and projects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudml_vertex.mock import around
from tests.unit.vertex_mock.around.vertex_around import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, around)
    yield made
    made.close()
