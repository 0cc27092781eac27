"""The local backend, held against the suite that every backend must pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudml.testing.suite import BackendSession, BackendSuite, open_backend


class TestLocal(BackendSuite):
    @pytest.fixture
    def backend_session(self, tmp_path: Path) -> Iterator[BackendSession]:
        with open_backend("local", {"state": str(tmp_path / "state")}) as session:
            yield session
