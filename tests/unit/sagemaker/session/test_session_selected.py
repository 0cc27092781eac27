"""Which steps a rerun computes anew (API reference, SelectiveExecutionConfig), and how its record shows the rest."""

from __future__ import annotations

from typing import Any

import pytest

from cloudml.backend.records import RunRecord, TaskRecord
from cloudml.errors import NotFound, Refused
from cloudml_sagemaker.outline import outline, tops
from cloudml_sagemaker.selected import below, description, parent_of, with_source

Json = dict[str, Any]


def step(name: str, *reads: str, kind: str = "Processing", after: tuple[str, ...] = (), **arguments: Any) -> Json:
    inputs = [{"InputName": one, "S3Input": {"S3Uri": {"Get": f"Steps.{one}.ProcessingOutputConfig"}}} for one in reads]
    return {
        "Name": name,
        "Type": kind,
        "DependsOn": list(after),
        "Arguments": {"ProcessingInputs": inputs, **arguments},
    }


def chosen(steps: list[Json], *tasks: str) -> list[str]:
    definition = {"Steps": steps}
    return below(definition, outline(definition, lambda prefix: {}), tasks)


DIAMOND = [step("start"), step("left", "start"), step("right", "start"), step("join", "left", "right"), step("alone")]


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("start", ["start", "left", "right", "join"]),
        ("left", ["left", "join"]),
        ("join", ["join"]),
        ("alone", ["alone"]),
    ],
)
def test_a_step_and_all_below_it(task: str, expected: list[str]) -> None:
    assert chosen(DIAMOND, task) == expected


def test_waiting_counts_as_much_as_reading() -> None:
    assert chosen([step("a"), step("b", after=("a",)), step("c", "b")], "a") == ["a", "b", "c"]


def test_a_step_in_a_branch_stands_for_its_condition_and_what_waits_for_it() -> None:
    """Condition steps are selected with both branches (developer guide, selective execution)."""
    inner = step("yes", "scores")
    whole = {
        "Name": "better",
        "Type": "Condition",
        "Arguments": {"Conditions": [], "IfSteps": [inner], "ElseSteps": []},
    }
    steps = [step("scores"), whole, step("behind", after=("yes",)), step("beside")]
    assert chosen(steps, "yes") == ["better", "behind"]
    assert chosen(steps, "scores") == ["scores", "better", "behind"]


def test_an_unknown_step_is_told_with_those_there_are() -> None:
    with pytest.raises(NotFound, match="nowhere") as caught:
        chosen(DIAMOND, "nowhere")
    assert "left" in caught.value.hint


def test_more_than_fifty_are_refused() -> None:
    """SelectedSteps: at most 50 (service model)."""
    chain = [step("s0"), *(step(f"s{n}", f"s{n - 1}") for n in range(1, 51))]
    assert len(chosen(chain, "s1")) == 50
    with pytest.raises(Refused, match="51"):
        chosen(chain, "s0")


def test_the_rest_is_shown_as_the_source_has_it() -> None:
    definition = {"Steps": DIAMOND}
    tasks = outline(definition, lambda prefix: {})
    source = RunRecord("old", "p", "failed", {}, "", tasks=(
        TaskRecord("start", "processing", "succeeded", values={"output": 1}),
        TaskRecord("right", "processing", "cached", cached_from="older"),
        TaskRecord("alone", "processing", "failed", reason="boom", failure={"class": "error"}),
        TaskRecord("left", "processing", "failed"),
    ))  # fmt: skip
    own = [TaskRecord("left", "processing", "succeeded"), TaskRecord("join", "processing", "running")]
    found = {one.id: one for one in with_source(tasks, tops(definition), {"left", "join"}, own, source)}
    assert {name: one.status for name, one in found.items()} == {
        "start": "cached", "left": "succeeded", "right": "cached", "join": "running", "alone": "skipped",
    }  # fmt: skip
    assert (found["start"].cached_from, found["start"].values) == ("old", {"output": 1})
    assert found["right"].cached_from == "older"
    assert "not part" in found["alone"].reason and found["alone"].failure is None


@pytest.mark.parametrize(
    ("told", "parent"),
    [
        ({"PipelineExecutionDescription": description("abc")}, "abc"),
        ({"SelectiveExecutionConfig": {"SourcePipelineExecutionArn": "arn:x/execution/def"}}, "def"),
        ({"PipelineExecutionDescription": "nightly"}, None),
        ({}, None),
    ],
)
def test_the_parent_of_a_rerun(told: Json, parent: str | None) -> None:
    assert parent_of(told) == parent
