"""The churn template from `init` to `destroy`, typed as a user does: what the laptop finds, SageMaker finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sagemaker_project import AWS, BUCKET, LOCAL, Project, left, make_account, outcome

from cloudml.testing.mocks import MockInUse

SMALL = ("--param", "customers=2000")
SHORT = (("trials=12", "trials=2"), ("parallel=2,", 'parallel=2,\n        strategy="random",'))
"""A search that is over soon."""


@pytest.fixture
def project(empty_account: MockInUse, tmp_path: Path) -> Project:
    """What `cloudml init churn demo` writes, with a target on SageMaker."""
    Project(tmp_path).cloudml("init", "churn", "demo")
    made = Project(tmp_path / "demo")
    made.add_target()
    return made


def same_as_the_laptop(project: Project, there: dict[str, Any], *parameters: str) -> None:
    """The run's results, and the answers of the endpoint that it deployed to, are those of the local backend."""
    here = project.json("deploy", *LOCAL, *parameters)["run"]
    try:
        assert outcome(there) == outcome(here)
        version = next(task["values"]["version"] for task in here["tasks"] if task["kind"] == "register")
        rows = project.json("models", *LOCAL, f"churn/{version['version']}")["model"]["sample"]
        assert len(rows) >= 20
        request = json.dumps({"instances": rows})
        answers = [
            project.json("invoke", "churn", *where, "--data", request)["body"]["predictions"] for where in (AWS, LOCAL)
        ]
        assert answers[0] == answers[1]
        assert len(set(answers[0])) > 5, "a model that tells customers apart"
    finally:
        project.cloudml("destroy", *LOCAL, "--yes")


@pytest.mark.slow
def test_a_project_comes_and_goes(project: Project) -> None:
    """Everything but the length of the search is as a user meets it."""
    project.edit("churn/pipeline.py", *SHORT, ("min_auc: ml.Param[float] = 0.75", "min_auc: ml.Param[float] = 0.6"))
    make_account()
    assert {change["action"] for change in project.json("plan", *AWS, code=2)["plan"]["changes"]} == {"create"}
    there = project.json("deploy", *AWS, *SMALL)["run"]
    assert not [change for change in project.json("plan", *AWS)["plan"]["changes"] if change["action"] != "none"]
    same_as_the_laptop(project, there, *SMALL)
    assert {"pipelines", "endpoints", "models", "groups", "schedules", "objects"} <= set(left())
    assert project.json("destroy", *AWS, "--yes")["destroyed"]
    assert left() == {}


@pytest.mark.slow
def test_a_month_with_churn(project: Project) -> None:
    """The template's own search; then new code, a step back, a look at everything, and the end."""
    told = project.cloudml("deploy", *AWS, *SMALL, code=4)
    assert f"aws s3 mb s3://{BUCKET} --region us-east-1" in told.err, "what to do about the missing bucket"
    make_account()
    project.cloudml("check", *AWS)
    first = project.json("deploy", *AWS, *SMALL)["run"]
    same_as_the_laptop(project, first, *SMALL)

    project.edit("churn/training.py", ("iterations: int = 50", "iterations: int = 51"))
    changed = {one["name"] for one in project.json("plan", *AWS, code=2)["plan"]["changes"] if one["action"] != "none"}
    assert {"fit", "churn-aws-churn"} <= changed
    assert "extract" not in changed, "code that is as it was stays where it is"
    second = project.json("deploy", *AWS, *SMALL)["run"]
    states = {task["id"]: task["status"] for task in second["tasks"]}
    assert (states["split"], states["fit"], states["verify_churn"]) == ("cached", "succeeded", "succeeded")
    assert serves(project) == 2
    project.cloudml("rollback", "churn", *AWS, "--reason", "too many calls", "--as", "ada")
    assert serves(project) == 1
    assert [run["id"] for run in project.json("runs", *AWS)["runs"]] == [second["id"], first["id"]]
    look_around(project, second)
    decide(project)
    stop_and_start(project)
    assert project.json("destroy", *AWS, "--yes")["destroyed"]
    assert left() == {}


def serves(project: Project) -> int:
    """The version behind the endpoint."""
    return int(project.json("endpoints", "churn", *AWS)["endpoint"]["version"])


def look_around(project: Project, run: dict[str, Any]) -> None:
    """Every way to see what a run did, and to do a part of it again."""
    shown = project.cloudml("show", *AWS, run["id"]).out
    assert "best_value" in shown
    assert "trial" in project.cloudml("logs", *AWS, run["id"], "fit").out
    assert "reused from" in project.cloudml("why", *AWS, run["id"], "split").out
    scores = {task["id"]: task for task in run["tasks"]}["evaluate"]["values"]["scores"]
    fetched = project.json("fetch", *AWS, run["id"], "evaluate", "scores", "--to", "got")
    assert json.loads((project.root / "got" / "scores.json").read_bytes()) == scores, fetched
    rehearsed = project.json("rerun", run["id"], "--from", "evaluate", "--local", "--to", "rehearsal", *AWS)
    assert rehearsed["step"]["values"]["scores"] == scores
    again = project.json("rerun", run["id"], "--from", "evaluate", *AWS)["run"]
    states = {task["id"]: task["status"] for task in again["tasks"]}
    assert (states["fit"], states["evaluate"]) == ("cached", "succeeded")
    assert "anew" in project.cloudml("why", *AWS, again["id"], "evaluate").out


def decide(project: Project) -> None:
    """Who decided what of a version, and why, is kept."""
    project.cloudml("approve", "churn/2", *AWS, "--reject", "--reason", "unfair", "--as", "ada")
    project.cloudml("promote", "churn/2", *AWS, "--to", "best", "--reason", "why not", code=3)
    project.cloudml("approve", "churn/2", *AWS, "--reason", "fair after all", "--as", "bob")
    project.cloudml("promote", "churn/2", *AWS, "--to", "best", "--reason", "it is", "--as", "bob")
    version = project.json("models", "churn/2", *AWS)["model"]
    told = [(one["action"], one["who"], one["reason"]) for one in version["decisions"]]
    assert told[-3:] == [
        ("rejected", "ada", "unfair"),
        ("approved", "bob", "fair after all"),
        ("promoted to best", "bob", "it is"),
    ]


def stop_and_start(project: Project) -> None:
    """A stopped endpoint serves again what it served."""
    project.cloudml("stop", "churn", *AWS)
    assert project.cloudml("invoke", "churn", *AWS, "--sample", code=3).err
    project.cloudml("endpoints", "churn", *AWS, "--start")
    assert project.json("invoke", "churn", *AWS, "--sample")["status"] == 200
