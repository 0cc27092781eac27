"""`models`, `approve`, `promote`, `endpoints`, `invoke`, `backends`, `gc`, `completion`."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cli_world import ENDPOINT, VERSION, Invoke, World

from cloudml.backend.records import Invocation


def test_models_lists_and_shows(world: World, cloudml: Invoke) -> None:
    listed = cloudml("models").out
    for text in ("churn/3", "pending", "champion", "auc 0.84", "churn-1/fit"):
        assert text in listed
    detail = cloudml("models", "churn/3").out
    for text in ("code:1", "sha256:ee", "eva", "best", "/state/models/churn/3", "depth"):
        assert text in detail
    assert cloudml("models", "churn/champion").out == detail, "an alias names a version"
    assert cloudml("models", "churn/3", "-o", "json").json["model"]["data"] == {"train": "sha256:ee"}
    assert "no models yet" in cloudml("models", "other").out
    assert cloudml("models", "churn/9").code == 64


def test_approve_a_version_or_a_waiting_step(world: World, cloudml: Invoke) -> None:
    assert cloudml("approve", "churn/3", "--reason", "good", "--as", "eva").code == 0
    assert cloudml("approve", "churn/3", "--reason", "bad", "--as", "eva", "--reject").code == 0
    assert cloudml("approve", "last/approve_1", "--reason", "good", "--as", "eva").code == 0
    assert world.session.models.calls == [
        ("decide", "churn", 3, True, "eva", "good"),
        ("decide", "churn", 3, False, "eva", "bad"),
    ]
    assert world.session.runs.calls == [("approve", "last", "approve_1", "eva", "good", True)]


def test_who_approves_is_the_user_of_the_machine(
    world: World, cloudml: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "karel")
    cloudml("approve", "churn/3", "--reason", "good")
    assert world.session.models.calls[0][4] == "karel"


@pytest.mark.parametrize(
    "words", [["churn/3"], ["churn", "--reason", "x"], ["/3", "--reason", "x"], ["churn/", "--reason", "x"]]
)
def test_approve_needs_a_subject_and_a_reason(world: World, cloudml: Invoke, words: list[str]) -> None:
    assert cloudml("approve", *words).code == 64
    assert world.session.models.calls == []


def test_promote(world: World, cloudml: Invoke) -> None:
    done = cloudml("promote", "churn/champion", "--to", "stable", "--reason", "a week old", "--as", "eva")
    assert done.code == 0
    assert world.session.models.calls == [("promote", "churn", 3, "stable", "eva", "a week old")]
    assert cloudml("promote", "churn/3", "--to", "stable").code == 64


def test_endpoints(world: World, cloudml: Invoke) -> None:
    world.session.endpoints.records = [
        ENDPOINT,
        replace(ENDPOINT, name="staging", status="failed", error="crashed\nbadly"),
    ]
    listed = cloudml("endpoints").out
    for text in ("churn-production", "in_service", "http://127.0.0.1:8123", "churn/3", "crashed badly"):
        assert text in listed
    assert "is stopped" not in listed
    assert "stopped" in cloudml("endpoints", "staging", "--stop").out
    assert cloudml("endpoints", "staging", "--start").code == 0
    assert world.session.endpoints.calls == [("stop", "staging"), ("start", "staging")]
    assert cloudml("endpoints", "--stop").code == 64
    assert cloudml("endpoints", "other").code == 64
    assert cloudml("endpoints", "staging", "-o", "json").json["endpoint"]["error"] == "crashed\nbadly"


def test_invoke_sends_and_prints(world: World, cloudml: Invoke, tmp_path: Path) -> None:
    done = cloudml("invoke", "churn-production", "--data", '{"instances": [1]}')
    assert done.code == 0
    assert '"predictions"' in done.out
    (tmp_path / "rows.csv").write_text("a\n1\n")
    cloudml("invoke", "churn-production", "--data", "@rows.csv", "--timeout", "5")
    cloudml("invoke", "churn-production", "--data", "@rows.csv", "--content-type", "text/plain")
    assert world.session.endpoints.calls == [
        ("invoke", "churn-production", b'{"instances": [1]}', "application/json", 60.0),
        ("invoke", "churn-production", b"a\n1\n", "text/csv", 5.0),
        ("invoke", "churn-production", b"a\n1\n", "text/plain", 60.0),
    ]
    found = cloudml("invoke", "churn-production", "--data", "{}", "-o", "json").json
    assert (found["status"], found["model_version"], found["body"]) == (200, "3", {"predictions": [0.5]})


def test_invoke_with_the_rows_kept_beside_the_model(world: World, cloudml: Invoke) -> None:
    assert cloudml("invoke", "churn-production", "--sample").code == 64, "there are none"
    world.session.models.versions = [replace(VERSION, sample=({"plan": "a"}, {"plan": "b"}))]
    assert cloudml("invoke", "churn-production", "--sample").code == 0
    assert world.session.endpoints.calls[0][2] == b'{"instances": [{"plan": "a"}]}'
    assert cloudml("invoke", "churn-production", "--sample", "--data", "{}").code == 64


def test_invoke_reads_stdin(world: World, cloudml: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[1, 2]")))
    assert cloudml("invoke", "churn-production").code == 0
    assert world.session.endpoints.calls[0][2] == b"[1, 2]"


def test_a_refused_request_is_a_failure(world: World, cloudml: Invoke) -> None:
    world.session.endpoints.answer = Invocation(422, "application/json", b'{"error": "row 0: feature age is missing"}')
    done = cloudml("invoke", "churn-production", "--data", "{}")
    assert done.code == 1
    assert done.out == ""
    assert "answered 422" in done.err
    assert "row 0: feature age is missing" in done.err
    assert cloudml("invoke", "churn-production", "--data", "{}", "-o", "json").json["status"] == 422


def test_an_answer_that_is_no_text(world: World, cloudml: Invoke) -> None:
    world.session.endpoints.answer = Invocation(200, "application/octet-stream", b"\xff\x00")
    assert cloudml("invoke", "churn-production", "--data", "{}", "-o", "json").json["body"] == {"base64": "/wA="}


def test_a_request_file_that_is_not_there(world: World, cloudml: Invoke) -> None:
    done = cloudml("invoke", "churn-production", "--data", "@none.json")
    assert done.code == 64
    assert "none.json" in done.err


def test_backends_shows_the_broken_ones_too(world: World, cloudml: Invoke) -> None:
    shown = cloudml("backends").out
    assert "this machine" in shown
    assert "no oxygen" in shown
    found = cloudml("backends", "-o", "json").json["backends"]
    assert [(entry["name"], entry["installed"]) for entry in found] == [("local", True), ("moon", False)]


def test_gc_removes_only_when_told_so(world: World, cloudml: Invoke) -> None:
    assert cloudml("gc").code == 64, "a program must say --yes"
    assert ("collect", 50, False, False) not in world.session.calls
    looked = cloudml("gc", "--dry-run", "--verify", "--keep", "3")
    assert looked.out.startswith("would remove 12 artifacts (3.4 MB) and 2 runs")
    assert "sha256:bad" in looked.out
    done = cloudml("gc", "--yes", "-o", "json")
    assert done.json["collected"]["bytes"] == 3_400_000
    assert world.session.calls[-2:] == [("collect", 3, True, True), ("collect", 50, False, False)]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(cloudml: Invoke, shell: str) -> None:
    script = cloudml("completion", shell).out
    assert "_CLOUDML_COMPLETE" in script
    assert cloudml("completion", "powershell").code == 64


def complete(words: str, number: int) -> list[str]:
    environment = {**os.environ, "_CLOUDML_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)}
    done = subprocess.run(
        [sys.executable, "-m", "cloudml"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_the_shell_completes_commands_options_and_templates() -> None:
    assert complete("cloudml de", 1) == ["deploy", "destroy"]
    assert "--parallel" in complete("cloudml run --pa", 2)
    assert complete("cloudml init chu", 2) == ["churn"]
    assert complete("cloudml completion b", 2) == ["bash"]


def test_completion_outside_a_project_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert complete("cloudml show chu", 2) == []


def test_names_of_runs_steps_models_and_decisions_are_offered(world: World) -> None:
    import click

    from cloudml.cli import complete as offers

    context = click.Context(click.Command("show"))
    parameter = click.Argument(["name"])
    assert offers.runs(context, parameter, "") == ["last", "churn-1"]
    assert offers.steps(context, parameter, "f") == ["fit"]
    assert offers.endpoints(context, parameter, "") == ["churn-production"]
    assert offers.versions(context, parameter, "") == ["churn", "churn/3"]
    assert offers.decisions(context, parameter, "") == ["churn/3"]
    assert offers.targets(context, parameter, "a") == ["aws"]
    world.error = RuntimeError("the backend is on fire")
    assert offers.runs(context, parameter, "") == []
