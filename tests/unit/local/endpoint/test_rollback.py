"""Back to what an endpoint served before, through the port."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudml.errors import CorruptArtifact, NotFound, Refused
from cloudml.runtime.digest import path_digest
from cloudml_local.endpoint.deployment import Deployment
from cloudml_local.endpoint.manager import EndpointManager
from cloudml_local.endpoints import LocalEndpoints
from cloudml_local.state.database import Database
from cloudml_local.state.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    database = Database(tmp_path / "state.db")
    yield Journal(database)
    database.close()


def test_a_rollback_serves_what_was_served_before(
    manager: EndpointManager, deployment: Callable[..., Deployment], state: Path, project: Path, journal: Journal
) -> None:
    def whole(version: int) -> Deployment:
        return deployment(version, digest=path_digest(project / f"model{version}.joblib"))

    endpoints = LocalEndpoints(state, journal)
    with pytest.raises(NotFound):
        endpoints.rollback("churn", "eva", "slow")
    manager.deploy("churn", whole(2))
    with pytest.raises(Refused, match="nothing before"):
        endpoints.rollback("churn", "eva", "slow")
    manager.deploy("churn", whole(3))
    record = endpoints.rollback("churn", "eva", "slow")
    assert (record.version, record.status) == (2, "in_service")
    answer = endpoints.invoke("churn", json.dumps([{"x": 10}]).encode(), "application/json")
    assert json.loads(answer.body)["predictions"] == [20]
    [decision] = journal.decisions("multiplier/2")
    assert (decision["who"], decision["action"], decision["reason"]) == ("eva", "rolled back to on churn", "slow")
    (project / "model3.joblib").write_bytes(b"damaged")
    with pytest.raises(CorruptArtifact, match="multiplier/3"):
        endpoints.rollback("churn", "eva", "forward again")
    assert endpoints.get("churn").version == 2
