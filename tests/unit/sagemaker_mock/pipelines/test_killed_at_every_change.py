"""Wherever a mock is killed, what it had kept is enough to bring an execution to its right end.

At each change of a step or an execution the state folder is copied, as a kill would leave it; from every copy a mock is
started, and comes to the end that the definition has.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from pipeline_lab import Lab, condition, definition, equals, fail, function, get, on, processing

from cloudml.mocks.bus import Change
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock, start


def begin(state: Path) -> Mock:
    functions = {"good": lambda event: {"n": 1}, "bad": lambda event: 1 / 0}
    return start(Options(state=state, images=(f"*={sys.prefix}",), hold=True, functions=functions))


LOOP = {
    "Name": "Loop",
    "Type": "ForEach",
    "Arguments": {
        "IterableItems": ["a", "b"],
        "MaxConcurrency": 1,
        "ForEachBody": [function("Body", "good", outputs=["n:Integer"], x=get("ForEach.CurrentItem"))],
    },
}

RETRIED = processing(
    "Retried",
    RetryPolicies=[{"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 60, "MaxAttempts": 3}],
)

CASES: dict[str, tuple[str, str, dict[str, str]]] = {
    "branches": (
        definition(
            processing("A"),
            condition("If", [equals(1, 1)], [processing("Then", after=["A"])], [processing("Else")]),
            function("Use", "good", ["Then"], x=get("Steps.A.ProcessingJobName")),
        ),
        "Succeeded",
        dict.fromkeys(("A", "If", "Then", "Use"), "Succeeded"),
    ),
    "failures": (
        definition(
            function("Bad", "bad"), function("Care", "good", [on("Bad", "Failed")]), fail("End", "no", ["Care"])
        ),
        "Failed",
        {"Bad": "Failed", "Care": "Succeeded", "End": "Failed"},
    ),
    "loop": (
        definition(LOOP, function("After", "good", ["Loop"])),
        "Succeeded",
        dict.fromkeys(("Loop", "Body-0", "Body-1", "After"), "Succeeded"),
    ),
    "retries": (definition(RETRIED), "Succeeded", {"Retried": "Succeeded"}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_copy_of_the_state_goes_on_to_the_right_end(case: str, tmp_path: Path) -> None:
    text, status, steps = CASES[case]
    mock = begin(tmp_path / "first")
    copies: list[Path] = []

    def copy(change: Change) -> None:
        with mock.world.lock:
            place = tmp_path / f"copy-{len(copies)}"
            # The folders of jobs, from which nothing goes on, may be on their way out.
            copies.append(Path(shutil.copytree(tmp_path / "first", place, ignore=shutil.ignore_patterns("jobs"))))

    mock.world.bus.subscribe(copy, "PipelineExecution", "PipelineExecutionStep")
    lab = Lab(mock)
    if case == "retries":
        mock.world.faults.add(mock.world.faults.parse("capacity:ProcessingJob/*,count=1"))
    arn = lab.start(lab.create(text))
    lab.settle(3600)
    first = lab.look(arn)
    mock.stop()
    assert (first.status, first.statuses) == (status, steps)
    assert len(copies) > 4
    for place in copies:
        ends = _ends(place, arn)
        assert ends == (status, steps), place


def _ends(place: Path, arn: str) -> tuple[str, dict[str, Any]]:
    mock = begin(place)
    try:
        lab = Lab(mock)
        lab.settle(3600)
        done = lab.look(arn)
        return done.status, done.statuses
    finally:
        mock.stop()
