"""The conformance suite: what a backend is, as tests. A third party joins in five lines:

    class TestMine(BackendSuite):
        @pytest.fixture
        def backend_session(self, tmp_path):
            with open_backend("mine", {"state": str(tmp_path)}) as session:
                yield session

Each test gets a new, empty world. A pipeline that needs a feature which the backend's table lacks is skipped with the
table's reason; whatever the table has must work.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "cloudml.testing.flow_suite",
    "cloudml.testing.jobs_suite",
    "cloudml.testing.models_suite",
    "cloudml.testing.world_suite",
)

from cloudml.testing.flow_suite import FlowSuite  # noqa: E402 - rewritten asserts tell what differs
from cloudml.testing.harness import BackendSession, open_backend  # noqa: E402
from cloudml.testing.jobs_suite import JobSuite  # noqa: E402
from cloudml.testing.models_suite import ModelSuite, TuningSuite  # noqa: E402
from cloudml.testing.world_suite import WorldSuite  # noqa: E402

__all__ = ["BackendSession", "BackendSuite", "open_backend"]


class BackendSuite(FlowSuite, JobSuite, TuningSuite, ModelSuite, WorldSuite):
    """All of it."""
