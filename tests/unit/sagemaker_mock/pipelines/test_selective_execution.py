"""Selective execution. API reference: SelectiveExecutionConfig, SelectiveExecutionResult."""

from __future__ import annotations

from typing import Any

import pytest
from pipeline_lab import Lab, condition, definition, equals, function, get, parameter, processing


@pytest.fixture
def calls(lab: Lab) -> list[str]:
    """What ran, in order; every step gives on its number of calls."""
    found: list[str] = []

    def call(event: dict[str, Any]) -> dict[str, Any]:
        found.append(event["step"])
        return {"n": len(found), "p": event.get("p", "")}

    lab.lambdas["call"] = call
    return found


def step(name: str, reads: str | None = None, **more: Any) -> dict[str, Any]:
    values = {"n": get(f"Steps.{reads}.OutputParameters['n']")} if reads else {}
    return function(name, "call", outputs=["n:Integer", "p"], step=name, **values, **more)


def text() -> str:
    return definition(
        step("A", p=get("Parameters.P")),
        step("B", "A"),
        step("C", "B"),
        step("D", "C"),
        parameters=[parameter("P", default="default")],
    )


def config(*steps: str, source: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"SelectedSteps": [{"StepName": name} for name in steps]}
    return {"SelectiveExecutionConfig": {**found, **({"SourcePipelineExecutionArn": source} if source else {})}}


def test_selected_steps_run_on_the_results_of_the_source(lab: Lab, calls: list[str]) -> None:
    name = lab.create(text())
    first = lab.again(name)
    calls.clear()
    done = lab.again(name, **config("C", source=first.arn))
    assert calls == ["C"]
    assert (done.status, set(done.steps)) == ("Succeeded", {"B", "C"})
    assert done.steps["B"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": first.arn}
    assert "SelectiveExecutionResult" not in done.steps["C"]
    assert done.outputs("B") == first.outputs("B")
    told = lab.sagemaker.describe_pipeline_execution(PipelineExecutionArn=done.arn)
    assert told["SelectiveExecutionConfig"]["SelectedSteps"] == [{"StepName": "C"}]


def test_parameters_are_the_sources_but_for_those_given(lab: Lab, calls: list[str]) -> None:
    name = lab.create(text())
    first = lab.again(name, {"P": "of the source"})
    done = lab.again(name, **config("A", source=first.arn))
    assert done.outputs("A")["p"] == "of the source"
    assert lab.again(name, {"P": "given"}, **config("A", source=first.arn)).outputs("A")["p"] == "given"
    assert lab.again(name, **config("A")).outputs("A")["p"] == "default"


def test_selections_that_are_refused(lab: Lab, calls: list[str]) -> None:
    name, other = lab.create(text()), lab.create(text())
    first, foreign = lab.again(name), lab.again(other)
    wrong = {
        "between": config("B", "D", source=first.arn),
        "no source": config("C"),
        "unknown": config("Z", source=first.arn),
        "twice": config("C", "C", source=first.arn),
        "another pipeline's": config("C", source=foreign.arn),
    }
    for about, request in wrong.items():
        code, message = lab.refused(
            "start_pipeline_execution", PipelineName=name, ClientRequestToken="t" * 32, **request
        )
        assert code == "ValidationException", (about, message)
    assert (
        "C"
        in lab.refused("start_pipeline_execution", PipelineName=name, ClientRequestToken="t" * 32, **wrong["between"])[
            1
        ]
    )


def test_a_missing_source_is_told_in_the_words_of_aws(lab: Lab, calls: list[str]) -> None:
    """sagemaker-python-sdk issue 4444."""
    _, message = lab.refused(
        "start_pipeline_execution", PipelineName=lab.create(text()), ClientRequestToken="t" * 32, **config("C")
    )
    words = "Invalid SourcePipelineExecutionArn: null. The selected steps [C] have dependencies on [B]"
    assert message == words


def test_a_source_in_which_the_step_failed(lab: Lab, calls: list[str]) -> None:
    lab.lambdas["broken"] = lambda event: 1 / 0
    name = lab.create(
        definition({**step("A"), "FunctionArn": step("A")["FunctionArn"].replace("call", "broken")}, step("B", "A"))
    )
    failed = lab.again(name)
    assert failed.status == "Failed"
    code, _ = lab.refused("start_pipeline_execution", PipelineName=name, ClientRequestToken="t" * 32,
                          **config("B", source=failed.arn))  # fmt: skip
    assert code == "ValidationException"


def test_a_source_that_was_stopped(lab: Lab, calls: list[str]) -> None:
    """API reference, SelectiveExecutionConfig: the source must have failed or succeeded."""
    lab.mock.world.faults.add(lab.mock.world.faults.parse("hang:ProcessingJob/*"))
    name = lab.create(definition(step("A"), processing("Hangs", after=["A"]), step("B", "A")))
    arn = lab.start(name)
    lab.settle()
    lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    lab.settle(200)
    assert lab.look(arn).status == "Stopped"
    code, message = lab.refused(
        "start_pipeline_execution", PipelineName=name, ClientRequestToken="t" * 32, **config("B", source=arn)
    )
    assert code == "ValidationException" and "Stopped" in message


def test_a_selected_condition_takes_its_branch_along(lab: Lab, calls: list[str]) -> None:
    branch = condition("If", [equals(get("Steps.A.OutputParameters['n']"), 1)], [step("Then")], [step("Else")])
    name = lab.create(definition(step("A"), branch))
    first = lab.again(name)
    calls.clear()
    done = lab.again(name, **config("If", source=first.arn))
    assert calls == ["Then"]
    assert set(done.steps) == {"A", "If", "Then"}
