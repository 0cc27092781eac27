"""The parts of the container's side that need no process: texts of the command line, requirements, torchrun."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudml.jobs import failure, requirements, retries
from cloudml.jobs.distribution import command
from cloudml.jobs.failure import Refused
from cloudml.jobs.values import decode
from cloudml.jobs.values import given as told
from cloudml_sagemaker.container.layout import Layout


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        *[("true", "bool", True), ("False", "bool", False), ("7", "int", 7), ("7.0", "int", 7)],
        *[("1e-3", "float", 0.001), ("7", "float", 7.0), ('{"a": [1]}', "json", {"a": [1]}), ("07", "str", "07")],
    ],
)
def test_texts_become_values_by_their_type(text: str, kind: str, value: object) -> None:
    found = decode(text, {"set": "x", "type": kind})
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("text", "kind"), [("yes", "bool"), ("7.5", "int"), ("", "float"), ("{", "json")])
def test_texts_of_another_type_are_refused_by_name(text: str, kind: str) -> None:
    with pytest.raises(Refused, match=r"parameters\.x is .* which is no "):
        decode(text, {"set": "parameters.x", "type": kind})


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])))
def test_whatever_a_parameter_holds_arrives_whole(text: str) -> None:
    assert told(["--set", f"parameters.x={text}"], {}) == {"parameters.x": text}


def test_words_of_script_mode_are_passed_over() -> None:
    words = ["--cloudml_trial", "3", "--rate", "--set", "a=b=c", "--set"]
    assert told(words, {"cloudml_set_run.id": "r", "rate": "1"}) == {"a": "b=c", "run.id": "r"}


def test_waits_grow_up_to_their_limit_and_end_with_the_attempts() -> None:
    policy = {"attempts": 5, "on": ["OSError"], "delay": 2.0, "backoff": 3.0, "max_delay": 10.0}
    failed = {"class": "transient", "exception": "ConnectionError", "bases": ["OSError"]}
    assert [retries.delay(policy, attempt, failed) for attempt in range(1, 6)] == [2.0, 6.0, 10.0, 10.0, None]
    assert retries.delay(policy, 1, {"class": "error", "exception": "ValueError", "bases": []}) is None


def test_only_what_is_missing_needs_pip() -> None:
    have = version("pytest")
    lines = ["# a comment", "", "pytest", f"pytest=={have}  # pinned", f'pytest=={have} ; python_version > "3"']
    assert not any(requirements.is_missing(line) for line in lines)
    for line in ("pytest==0.0.1", "no-such-package-of-cloudml", "pytest>=1", "-e .", "https://example.org/x.whl"):
        assert requirements.is_missing(line), line


def test_requirements_without_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"no requirements\.txt"):
        requirements.ensure(tmp_path / "requirements.txt")


def test_torchrun_gets_the_machines_in_the_same_order_everywhere(tmp_path: Path) -> None:
    config = tmp_path / "input" / "config"
    config.mkdir(parents=True)
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-2", "hosts": ["algo-2", "algo-1"]}))
    layout = Layout.find({"SAGEMAKER_BASE_DIR": str(tmp_path)})
    assert layout.training
    words = command(tmp_path / "envelope.json", {"nodes": 2, "processes": 4}, layout)
    assert words[1:3] == ["-m", "torch.distributed.run"]
    assert {"--nnodes=2", "--nproc-per-node=4", "--node-rank=1", "--master-addr=algo-1"} <= set(words)


def test_a_failure_is_one_line_with_its_place() -> None:
    told_by = {"exception": "psycopg.OperationalError", "message": "gone", "where": "steps.py:3"}
    assert failure.line(told_by) == "OperationalError: gone (steps.py:3)"
    assert failure.line(failure.of(Refused("no such thing"))) == "no such thing"
