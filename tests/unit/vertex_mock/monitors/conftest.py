"""The lab for tests of model monitoring: an endpoint with two deployed models, a registered model, a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.vertex_mock.monitors.vertex_monitoring import MonitorLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[MonitorLab]:
    made = MonitorLab(tmp_path)
    yield made
    made.close()
