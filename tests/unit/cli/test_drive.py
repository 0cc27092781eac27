"""`run`, `deploy`, `rerun`, `resume`, `stop`."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest
from cli_world import ENDPOINT, FAILED, VERSION, Invoke, World, record, task

from cloudml.backend.port import RunOptions
from cloudml.backend.records import Event, Explanation
from cloudml.errors import RunFailed, SpecError


def test_run_passes_what_was_asked_for(world: World, cloudml: Invoke) -> None:
    done = cloudml(
        "run",
        "churn",
        "-p",
        "seed=8",
        "--param",
        "note=a=b",
        "--parallel",
        "3",
        "--wait",
        "--no-cache",
        "--target",
        "aws",
    )
    assert done.code == 0
    assert world.started == [
        ("run", "churn", {"seed": "8", "note": "a=b"}, RunOptions(parallel=3, wait=True, cache=False))
    ]
    assert world.targets[0] == ("aws", None)


@pytest.mark.parametrize("word", ["seed", "=1", "a b=1", "1x=2"])
def test_a_parameter_has_a_name_and_a_value(world: World, cloudml: Invoke, word: str) -> None:
    assert cloudml("run", "-p", word).code == 64
    assert world.started == []


def test_a_parameter_is_given_once(world: World, cloudml: Invoke) -> None:
    assert "twice" in cloudml("run", "-p", "a=1", "-p", "a=2").err


@pytest.mark.parametrize(
    ("status", "code"), [("succeeded", 0), ("failed", 1), ("waiting", 3), ("stopped", 130), ("interrupted", 130)]
)
def test_the_exit_code_tells_the_outcome(world: World, cloudml: Invoke, status: str, code: int) -> None:
    world.outcome = record(status)
    assert cloudml("run").code == code
    as_json = cloudml("run", "-o", "json", "-q")
    assert as_json.code == code
    assert as_json.json["run"]["status"] == status
    assert as_json.err == ""


def test_a_line_for_each_change_of_state(world: World, cloudml: Invoke) -> None:
    world.events = [
        Event("churn-1", None, "running"),
        Event("churn-1", "extract", "pending"),
        Event("churn-1", "extract", "running"),
        Event("churn-1", "extract", "running", progress=(1, 2)),
        Event("churn-1", "extract", "succeeded", duration=1.23),
        Event("churn-1", "fit", "cached"),
        Event("churn-1", None, "succeeded", duration=2.0),
    ]
    lines = cloudml("run").out.splitlines()
    told = [line.split()[1:] for line in lines[: lines.index("")]]
    assert told == [["churn-1", "running"], ["extract", "running"], ["extract", "succeeded", "1.2s"], ["fit", "cached"]]
    assert "churn-1 succeeded in 3.5s" in lines[-1]


def test_quiet_tells_the_outcome_only(world: World, cloudml: Invoke) -> None:
    world.events = [Event("churn-1", "extract", "running")]
    assert cloudml("run", "--quiet").out.count("\n") == 1


def test_with_json_the_lines_go_to_stderr(world: World, cloudml: Invoke) -> None:
    world.events = [Event("churn-1", "extract", "running")]
    done = cloudml("run", "-o", "json")
    assert done.json["run"]["id"] == "churn-1"
    assert "extract" in done.err


def test_a_failed_run_tells_reason_traceback_log_and_what_to_type(world: World, cloudml: Invoke) -> None:
    world.outcome = FAILED
    world.session.runs.explanations = [Explanation("churn-1", "features", "failed", log_tail=("reading", "20000 rows"))]
    shown = cloudml("run", "--backend", "local")
    assert shown.code == 1
    for text in (
        "features  ValueError: column 'age' is missing",
        "churn/features.py:41",
        "20000 rows",
        "cloudml why churn-1 features --backend local",
        "cloudml resume churn-1 --backend local",
    ):
        assert text in shown.out
    assert "Traceback (most recent call last)" not in shown.err


def test_a_raised_failure_with_its_record_is_an_outcome(world: World, cloudml: Invoke) -> None:
    world.outcome = RunFailed("features failed", record=FAILED)
    assert cloudml("run").code == 1
    assert cloudml("run", "-o", "json").json["run"]["status"] == "failed"


def test_a_pipeline_that_is_wrong_does_not_start(world: World, cloudml: Invoke) -> None:
    world.outcome = SpecError([])
    assert cloudml("run").code == 1


def test_a_waiting_run_tells_how_to_approve(world: World, cloudml: Invoke) -> None:
    world.outcome = record("waiting", [task("approve_1", "waiting", kind="approve")])
    assert "cloudml approve churn-1/approve_1 --reason" in cloudml("run").out


def test_deploy_shows_the_plan_and_where_the_endpoints_answer(world: World, cloudml: Invoke) -> None:
    world.outcome = record(tasks=[task("deploy_p", kind="deploy", values={"endpoint": {"name": "churn-production"}})])
    row = {"plan": "it's", "months": 3}
    world.session.models.versions = [replace(VERSION, sample=(row, {"plan": "b", "months": 1}))]
    done = cloudml("deploy")
    assert done.code == 0
    assert done.out.index("plan for local") < done.out.index("succeeded") < done.out.index(ENDPOINT.url)
    assert "cloudml invoke churn-production --sample" in done.out
    pasted = next(line for line in done.out.splitlines() if "curl" in line)
    words = shlex.split(pasted)
    assert f"{ENDPOINT.url}/invocations" in words
    made = cloudml(*words[1 : words.index("|")])
    assert json.loads(made.out) == {"instances": [row]}, "what curl is given"
    assert world.session.endpoints.calls == [], "a dry run sends nothing"


def test_deploy_as_json_holds_plan_run_and_endpoints(world: World, cloudml: Invoke) -> None:
    world.outcome = record(tasks=[task("deploy_p", kind="deploy", values={"endpoint": {"name": "churn-production"}})])
    found = cloudml("deploy", "-o", "json").json
    assert found["plan"]["changes"][0]["name"] == "churn"
    assert found["run"]["status"] == "succeeded"
    assert [endpoint["url"] for endpoint in found["endpoints"]] == [ENDPOINT.url]


def test_rerun_and_resume_take_the_last_run(world: World, cloudml: Invoke) -> None:
    assert cloudml("rerun", "--from", "fit").code == 0
    assert cloudml("resume").code == 0
    assert cloudml("rerun", "churn-7").code == 0
    assert [call[:3] for call in world.started] == [
        ("rerun", "last", "fit"),
        ("resume", "last", RunOptions()),
        ("rerun", "churn-7", None),
    ]


def test_stop_finds_out_what_is_meant(world: World, cloudml: Invoke) -> None:
    assert "run churn-1 is stopped" in cloudml("stop", "churn-1").out
    assert "endpoint churn-production is stopped" in cloudml("stop", "churn-production").out
    assert cloudml("stop", "nothing").code == 64
    world.session.endpoints.records = [replace(ENDPOINT, name="churn-1")]
    both = cloudml("stop", "churn-1")
    assert both.code == 64
    assert "both a run and an endpoint" in both.err
