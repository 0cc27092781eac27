"""A job on a platform that is no cloud: what it asks of one, and in which order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plain_platform import Plain, artifact

from cloudml.jobs import start

OUTPUT = [{"name": "output", "type": "int", "mode": "value", "fields": []}]
DOUBLE = {"function": "plain_steps:double", "arguments": {"x": {"set": "x", "type": "int"}}, "outputs": OUTPUT}


def result(platform: Plain) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(platform.layout.result.read_text())
    return found


def test_outputs_lie_before_the_platform_is_told(job: Callable[..., int], platform: Plain) -> None:
    assert job(DOUBLE, "x=21") == 0
    assert json.loads((platform.layout.output("output") / "output.json").read_text()) == 42
    assert platform.seen == [("measured", None), ("finished", "succeeded")]


def test_a_platform_that_does_not_take_what_was_made_fails_the_job(job: Callable[..., int], platform: Plain) -> None:
    platform.refuses = "too large"
    assert job(DOUBLE, "x=21") == 1
    assert result(platform)["failure"]["message"] == "too large"
    assert platform.seen[-1] == ("failed", "too large")


def test_of_several_machines_the_first_one_publishes_and_each_tells_its_failure(
    job: Callable[..., int], platform: Plain
) -> None:
    platform.layout.rank = 1
    assert job({"function": "plain_steps:fails", "outputs": OUTPUT}) == 1
    assert platform.seen == [("failed", "no disk")]
    assert not platform.layout.result.exists()


def test_another_version_of_step_json_is_refused(job: Callable[..., int], platform: Plain) -> None:
    assert job({**DOUBLE, "version": 2}) == 1
    assert "reads version 1" in platform.seen[-1][1]


def test_an_action_is_the_cloud_s_or_unknown(job: Callable[..., int], platform: Plain) -> None:
    step = {"kind": "control", "action": {"name": "deploy"}, "outputs": []}
    assert job(step) == 1
    assert platform.seen[-1] == ("failed", "this library knows no action 'deploy'")
    platform.actions = {"deploy": "brought_actions"}
    assert job({**step, "outputs": [{"name": "endpoint", "type": "dict", "mode": "value", "fields": []}]}) == 0
    assert result(platform)["values"] == {"endpoint": {"name": "live", "run": "job-1"}}
    assert result(platform)["reason"] == "it was there"


@pytest.mark.parametrize(("alias", "branch"), [("champion", "then"), ("nobody", "otherwise")])
def test_a_champion_s_metric_is_the_cloud_s(job: Callable[..., int], platform: Plain, alias: str, branch: str) -> None:
    artifact(platform.layout.input("in-0"), "auc", 0.9)
    asked = {"model": "churn", "alias": alias, "metric": "auc", "missing": "fail"}
    left = {"input": "in-0", "port": "auc"}
    condition = {"kind": "compare", "op": "gt", "left": left, "right": {"champion": asked}}
    step = {"kind": "control", "action": {"name": "decide", "condition": condition}, "outputs": []}
    assert job(step) == 1
    assert "reads no champion's metric from Nowhere" in platform.seen[-1][1]
    platform.actions = {"champion": "brought_actions"}
    assert job(step) == 0
    assert result(platform)["values"]["branch"] == branch


def test_a_secret_comes_into_the_process_s_environment_only(job: Callable[..., int], platform: Plain) -> None:
    assert job({**DOUBLE, "secrets": {"password": "NONE"}}, "x=1") == 1
    assert platform.seen[-1] == ("failed", "the secret NONE is not there")


def test_too_many_items_are_told_with_the_service_s_name(job: Callable[..., int], platform: Plain) -> None:
    action = {"name": "items", "items": {"literal": [1, 2, 3]}, "limit": 2}
    assert job({"kind": "control", "action": action, "outputs": []}) == 1
    assert "the map has 3 items; a loop of Nowhere takes 2" in platform.seen[-1][1]


# -- the program before any import ----------------------------------------------------------------------------------


def test_a_reason_lies_where_the_service_gives_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(start, "FOLDERS", (("SOME_FOLDER", str(tmp_path / "usual")),))
    assert start.own_folder() == ""
    assert start.fail("", "no Python") == 1
    (tmp_path / "usual").mkdir()
    assert start.own_folder() == str(tmp_path / "usual")
    monkeypatch.setenv("SOME_FOLDER", str(tmp_path / "named"))
    assert start.fail(start.own_folder(), "no Python") == 1
    assert (tmp_path / "named" / "output" / "message").read_text() == "no Python"
    assert capsys.readouterr().err == "cloudml: no Python\n" * 2
