"""Plain moto, in this process: what it keeps is made and removed; what it lacks is told as the mock's gap.

moto 5.2.5 serves neither ListPipelineExecutionSteps nor ListMonitoringSchedules nor DeleteModelPackageGroup, calls
every execution Succeeded at once, and answers InvokeEndpoint with a fixed text (its own documentation and source).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from cloudml.operations import run as runs
from cloudml.operations import world
from cloudml.operations.project import Project, load_project
from cloudml.operations.session import open_session
from cloudml_sagemaker.gaps import MockGap, gap_in_answer, gap_in_error
from cloudml_sagemaker.refusals import Call

TOML = """
[project]
name = "aging"
pipeline = "moto_aging:aged"

[targets.aws]
backend = "sagemaker"
region = "us-east-1"
role = "arn:aws:iam::123456789012:role/ml"
bucket = "aging-data"
requirements = ""
"""

PIPELINE = '''
"""Ages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cloudml as ml

if TYPE_CHECKING:
    import polars as pl
    from sklearn.base import BaseEstimator

TEAM = ml.email("team", "ml@example.com")
SLOWLY = ml.canary([50, 100], bake="10m", guards=[ml.guard("error_rate", above=0.01)])
SCORES = ml.Endpoint("scores", instances=2, capture=True, rollout=SLOWLY)
DRIFTED = ml.threshold("psi", above=0.2)
DRIFT = ml.Monitor("drift", schedule=ml.cron("15 * * * *"), thresholds=[DRIFTED], features=["age"])


@ml.processing
def load() -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame({"age": [20, 30, 40], "y": [1, 2, 3]})


@ml.training
def fit(data: pl.DataFrame) -> BaseEstimator:
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit(data.select("age").to_numpy(), data["y"].to_numpy())


@ml.pipeline(schedule=ml.cron("0 6 * * *"), alerts=[TEAM])
def aged() -> None:
    data = load()
    model = ml.register(fit(data), "ages", approval="pending")
    asked = ml.approve("Shall it be served?", model)
    ml.monitor(ml.deploy(model, SCORES, after=[asked]), DRIFT, baseline=data)
'''


@pytest.fixture
def aging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The project, and an account of moto's with its bucket."""
    (tmp_path / "cloudml.toml").write_text(TOML)
    (tmp_path / "moto_aging.py").write_text(PIPELINE)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "mock")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "moto_aging", raising=False)
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="aging-data")
        yield load_project(tmp_path)


def test_what_moto_keeps_is_made_once_and_removed(aging: Project) -> None:
    target = aging.target("aws")
    world.apply(aging, target)
    again = world.plan(aging, target).plan
    acting = [(change.kind, change.name) for change in again.changes if change.action != "none" and not change.deferred]
    assert (acting, again.has_changes) == ([], False)
    assert {change.kind for change in again.changes} >= {
        "job_code", "model_group", "queue", "topic", "alarm", "pipeline", "schedule_group", "schedule",
    }  # fmt: skip

    done = world.destroy(aging, target)
    left = {one.kind: one.problem for one in done.removed if one.problem}
    assert set(left) == {"model_group"}, "the one thing that moto cannot delete"
    assert "moto does not serve sagemaker:DeleteModelPackageGroup" in left["model_group"]
    assert boto3.client("sagemaker", region_name="us-east-1").list_pipelines()["PipelineSummaries"] == []
    assert {one.kind for one in world.destroy(aging, target).removed} == {"model_group"}


def test_a_run_that_moto_calls_succeeded_is_told_as_none(aging: Project) -> None:
    target = aging.target("aws")
    deployed = runs.deploy(aging, target)
    assert deployed.plan.has_changes
    record = deployed.run
    assert (record.status, {task.status for task in record.tasks}) == ("stopped", {"skipped"})
    assert "moto does not serve sagemaker:ListPipelineExecutionSteps" in record.reason
    assert "cloudml mock sagemaker" in record.reason
    with open_session(target) as session:
        assert [(one.id, one.status) for one in session.runs.list()] == [(record.id, "stopped")]
        assert session.runs.get("last").reason == record.reason
        assert session.endpoints.list() == [], "moto's run deployed nothing"
        with pytest.raises(MockGap, match=r"CML547.*moto asks no model"):
            session.endpoints.invoke("scores", b"{}", "application/json")


def test_gaps_are_told_apart_from_errors() -> None:
    call = Call(
        "iam", "SimulatePrincipalPolicy", "us-east-1", "NotImplemented", "x is not served by this mock of AWS.", 501
    )
    own = gap_in_answer(call, {})
    assert own is not None and (own.code, own.passing) == ("CML547", False)
    page = Call("sagemaker", "ListX", "us-east-1", "500", "<!doctype html>\n<title>500</title>", 500)
    assert gap_in_answer(page, {"server": "Werkzeug/3.1.9 Python/3.11.7"}) is not None
    assert gap_in_answer(page, {"server": "awselb/2.0"}) is None, "trouble of AWS's own is tried again"
    with pytest.raises(NotImplementedError) as ours:
        raise NotImplementedError("ours")
    assert gap_in_error(ours.value, call) is None, "an error of ours is no mock's"
