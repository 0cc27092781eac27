"""Every error ends as an exit code and a message; only our own mistakes leave a traceback, in a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from cloudml.cli.failures import wants_json
from cloudml.errors import (
    BackendNotFound,
    CloudmlError,
    Diagnostic,
    MissingExtra,
    NotFound,
    ProjectError,
    Refused,
    SpecError,
    StateError,
)

if TYPE_CHECKING:
    from cli_world import Invoke, World


FINDINGS = [Diagnostic("CML101", "churn/a.py:3", "first", "do this"), Diagnostic("CML102", "churn/b.py:4", "second")]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SpecError(FINDINGS), 1),
        (StateError("the disk is full"), 1),
        (NotFound("there is no run 'x'"), 64),
        (BackendNotFound("no backend 'moon'"), 64),
        (Refused("not approved"), 3),
        (MissingExtra("local", "optuna"), 4),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(world: World, cloudml: Invoke, error: BaseException, code: int) -> None:
    world.error = error
    done = cloudml("runs")
    assert done.code == code
    assert done.out == ""
    assert "Traceback" not in done.err


def test_an_error_is_told_with_code_place_and_remedy(world: World, cloudml: Invoke) -> None:
    world.error = SpecError(FINDINGS)
    done = cloudml("runs")
    assert "error CML101 churn/a.py:3: first" in done.err
    assert "do this" in done.err
    assert "CML102 churn/b.py:4: second" in done.err


def test_an_error_as_json(world: World, cloudml: Invoke) -> None:
    world.error = SpecError(FINDINGS)
    found = cloudml("runs", "--output", "json").json["error"]
    assert found["exit_code"] == 1
    assert [entry["code"] for entry in found["diagnostics"]] == ["CML101", "CML102"]
    assert found["diagnostics"][0] == {
        "code": "CML101",
        "severity": "error",
        "where": "churn/a.py:3",
        "message": "first",
        "hint": "do this",
    }


@pytest.mark.parametrize("words", [["runs", "--limit", "many"], ["nonsense"], ["show", "--colour"], ["approve", "x"]])
def test_wrong_usage_is_64_in_both_forms(world: World, cloudml: Invoke, words: list[str]) -> None:
    done = cloudml(*words)
    assert done.code == 64
    assert done.out == ""
    assert "--help" in done.err
    as_json = cloudml(*words, "--output", "json")
    assert as_json.code == 64
    assert as_json.json["error"]["diagnostics"][0]["code"] == "CML420"


def test_an_error_of_ours_leaves_its_traceback_in_a_file(
    world: World, cloudml: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    world.error = ZeroDivisionError("a bug\nin two lines")
    done = cloudml("runs")
    assert done.code == 70
    assert "ZeroDivisionError: a bug in two lines" in done.err
    assert "Traceback" not in done.err
    named = re.search(r"the traceback is in (\S+);", done.err)
    assert named is not None
    assert "ZeroDivisionError" in Path(named[1]).read_text()
    assert cloudml("runs", "-o", "json").json["error"]["exit_code"] == 70


def test_an_interrupt_says_so_and_no_more(world: World, cloudml: Invoke) -> None:
    world.error = click.exceptions.Abort()
    assert cloudml("runs").err == "interrupted\n"


def test_control_characters_of_others_do_not_reach_the_terminal(world: World, cloudml: Invoke) -> None:
    world.error = CloudmlError("bad \x1b]0;owned\x07 name", where="\x1b[2J")
    assert "\x1b" not in cloudml("runs").err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["runs", "--output", "json"], True),
        (["runs", "--output=json"], True),
        (["runs", "-o", "json"], True),
        (["runs", "--output", "text"], False),
        (["runs", "json"], False),
        (["runs", "--output"], False),
    ],
)
def test_wants_json_reads_the_words(words: list[str], expected: bool) -> None:
    assert wants_json(words) is expected


def test_outside_a_project_the_hint_is_how_to_make_one(world: World, cloudml: Invoke) -> None:
    world.error = ProjectError("there is no cloudml.toml here", hint="cloudml init churn DIR")
    done = cloudml("check")
    assert done.code == 1
    assert "cloudml init churn DIR" in done.err
