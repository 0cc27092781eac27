"""kfp.local is no judge: where the local runner of kfp 2.17 does something else, the mock does what is documented.

`local.json` is what it really did with the same documents (tests/kfp_sdk/local_runs.py); that the mock meets the
expectation is asked of the run itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.kfp_sdk.playing import DATA, read

LOCAL = json.loads((DATA / "local.json").read_text())["runs"]
WRONG = (
    ("named_condition", "above", "a condition on a named output of the top level is taken for false"),
    ("named_condition", "below", "a condition on a named output of the top level is taken for false"),
    ("named_condition", "whole numbers", "a whole number is refused for a double"),
    ("quoted_values", "plain", "a condition that compares two parameters is taken for false"),
    ("quoted_values", "quote", "a value with a quote: neither the If nor the Else runs"),
    ("quoted_values", "both quotes", "a value with quotes of both kinds: neither branch runs"),
    ("quoted_values", "backslash", "a value with a backslash at its end: neither branch runs"),
    ("quoted_values", "code", "a value is evaluated as code, and the wrong branch runs"),
    ("quoted_values", "empty", "an empty value"),
    ("nested_loops", "default", "the outer loop's item, in the inner loop, is the inner loop's"),
    ("loop_dynamic", "three", "a loop over what a task found at the top level"),
    ("loop_dynamic", "none", "a loop over nothing"),
    ("linear", "default", "an artifact that a container wrote without executor_output.json is lost"),
    ("ignore_failure", "failed", "an exit task does not get its default when the output is not there"),
    ("exit_handler", "well", "a container is not told the final status"),
    ("placeholders", "run", "PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER ends in an IndexError"),
    ("json_escape", "plain", "JSON escapes in placeholders are refused"),
    ("json_escape", "quotes and backslashes", "JSON escapes in placeholders are refused"),
    ("loop_meeting", "run", "two iterations of a loop run at a time, whatever its parallelism says"),
    ("parameters", "given", "a null in a structure"),
    ("caching", "again", "without asking, nothing is cached"),
    ("failure_policies", "fast", "there is no failure policy"),
)


def expected(name: str, run: str) -> dict[str, Any]:
    return next(dict(one) for one in read(name)["runs"] if one["name"] == run)


@pytest.mark.parametrize(("name", "run", "why"), WRONG, ids=[f"{name}-{run}" for name, run, _ in WRONG])
def test_the_mock_is_right_where_kfp_local_is_not(
    outcome: Callable[[str], dict[str, list[str]]], name: str, run: str, why: str
) -> None:
    wanted, local = expected(name, run), LOCAL[name][run]
    same = (wanted["state"], sorted(wanted.get("said", []))) == (local["state"], sorted(local["said"]))
    assert not same, f"kfp.local is no longer wrong: {why}"
    assert run not in outcome(name)


def test_kfp_local_is_silent_when_it_is_wrong() -> None:
    """The worst of it: no branch runs, and the pipeline has succeeded."""
    for name, run in (("named_condition", "above"), ("quoted_values", "quote"), ("quoted_values", "code")):
        assert LOCAL[name][run]["state"] == "SUCCEEDED"


@pytest.mark.parametrize("name", ["branches", "loop_static", "loop_conditions", "nested_pipeline"])
def test_where_it_can_be_trusted_the_two_agree(outcome: Callable[[str], dict[str, list[str]]], name: str) -> None:
    for run in read(name)["runs"]:
        local = LOCAL[name][run["name"]]
        assert (local["state"], sorted(local["said"])) == (run["state"], sorted(run.get("said", [])))
    assert not outcome(name)
