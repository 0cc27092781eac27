"""Pipelines about control flow: conditions."""

from __future__ import annotations

from typing import Any

from harness import Broken, Case, Refused, Run, drop, put, session, step_path
from parts import ANNOUNCE, announce
from sagemaker.core.workflow.conditions import (
    ConditionEquals,
    ConditionGreaterThan,
    ConditionGreaterThanOrEqualTo,
    ConditionIn,
    ConditionLessThan,
    ConditionLessThanOrEqualTo,
    ConditionNot,
    ConditionOr,
)
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterBoolean, ParameterFloat, ParameterInteger, ParameterString
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline

DONE = "Succeeded"


def every_condition() -> Case:
    """One condition step that uses every kind of condition, over parameters and a step's output; the list is an AND."""
    sdk = session()
    mode = ParameterString("Mode", default_value="full", enum_values=["full", "half", "none"])
    level = ParameterInteger("Level", default_value=5)
    rate = ParameterFloat("Rate", default_value=0.5)
    strict = ParameterBoolean(name="Strict", default_value=True)
    measured = announce("Measure", {"a": "one", "b": "two"})
    conditions = [
        ConditionIn(mode, ["full", "half"]),
        ConditionNot(ConditionEquals(mode, "half")),
        ConditionGreaterThan(level, 4),
        ConditionLessThan(level, 10),
        ConditionGreaterThanOrEqualTo(rate, 0.5),
        ConditionLessThanOrEqualTo(rate, 0.75),
        ConditionOr([ConditionEquals(strict, True), ConditionEquals(level, 9)]),
        ConditionEquals(measured.properties.Outputs["count"], 2),
    ]
    choose = ConditionStep(
        name="Choose",
        conditions=conditions,
        if_steps=[announce("Yes", {"outcome": "yes"}), announce("AlsoYes", {"outcome": "also"})],
        else_steps=[announce("No", {"outcome": "no"})],
        description="every kind of condition",
    )
    pipeline = Pipeline(
        name="every-condition",
        parameters=[mode, level, rate, strict],
        pipeline_experiment_config=None,
        steps=[measured, choose],
        sagemaker_session=sdk,
    )
    yes = {"Measure": DONE, "Choose": DONE, "Yes": DONE, "AlsoYes": DONE}
    no = {"Measure": DONE, "Choose": DONE, "No": DONE}

    def taken(name: str, why: str, **parameters: str) -> Run:
        return Run(name, why, DONE, yes, absent=("No",), parameters=parameters, outcomes={"Choose": "True"})

    def left(name: str, why: str, **parameters: str) -> Run:
        return Run(name, why, DONE, no, absent=("Yes", "AlsoYes"), parameters=parameters, outcomes={"Choose": "False"})

    runs = (
        taken("defaults", "all eight hold"),
        left("half", "Not(Mode = half) is false", Mode="half"),
        left("none", "In(full, half) is false", Mode="none"),
        left("level 4", "greater than 4 is strict", Level="4"),
        left("level 10", "less than 10 is strict", Level="10"),
        taken("rate 0.75", "less than or equal to 0.75 includes it", Rate="0.75"),
        left("rate 0.4", "0.4 is below 0.5", Rate="0.4"),
        left("not strict", "neither side of the Or holds", Strict="false"),
        taken("not strict, level 9", "the Or's other side holds", Strict="false", Level="9"),
    )
    refused = (
        Refused("not a boolean", "the declared type binds", {"Strict": "perhaps"}, ("Strict",)),
        Refused("not a float", "the declared type binds", {"Rate": "fast"}, ("Rate",)),
    )
    return Case(pipeline, runs, _break_every_condition, refused=refused, functions=ANNOUNCE)


def _break_every_condition(definition: dict[str, Any]) -> tuple[Broken, ...]:
    at = {name: step_path(definition, name) for name in ("Measure", "Choose", "Yes", "No")}
    conditions = f"{at['Choose']}/Arguments/Conditions"
    return (
        Broken(
            "unknown condition", "no such condition type", [put(f"{conditions}/0/Type", "Between")], says=("Between",)
        ),
        Broken(
            "same name in both branches",
            "step names are unique across the branches of a condition",
            [put(f"{at['No']}/Name", "Yes")],
            says=("Yes",),
        ),
        Broken(
            "waits for a branch from outside of it",
            "a top-level step that waits for the tails of both branches can never run; AWS refuses or never starts it",
            [put("/Steps/-", definition["Steps"][0] | {"Name": "Rejoin", "DependsOn": ["Yes", "No"]})],
            at=("create", "run"),
            says=("Rejoin",),
            status=(DONE,),
        ),
        Broken(
            "missing side",
            "RightValue is a required member",
            [drop(f"{conditions}/2/RightValue")],
            says=("RightValue",),
        ),
        Broken(
            "output that the lambda does not declare",
            "OutputParameters lists what a step has",
            [put(f"{conditions}/7/LeftValue", {"Get": "Steps.Measure.OutputParameters['nope']"})],
            at=("create", "run"),
            says=("nope",),
            step="Choose",
        ),
    )


def nested_condition() -> Case:
    """A condition inside a branch of another one, as the SDK writes it."""
    sdk = session()
    level = ParameterInteger("Level", default_value=5)
    inner = ConditionStep(
        name="Inner",
        conditions=[ConditionGreaterThan(level, 8)],
        if_steps=[announce("High", {"level": "high"})],
        else_steps=[announce("Middle", {"level": "middle"})],
    )
    outer = ConditionStep(
        name="Outer",
        conditions=[ConditionGreaterThan(level, 3)],
        if_steps=[inner],
        else_steps=[FailStep(name="TooLow", error_message=Join(on="", values=["level ", level, " is too low"]))],
    )
    pipeline = Pipeline(name="nested-condition", parameters=[level], steps=[outer], sagemaker_session=sdk)
    runs = (
        Run(
            "middle",
            "5 > 3, not > 8",
            DONE,
            {"Outer": DONE, "Inner": DONE, "Middle": DONE},
            absent=("High", "TooLow"),
            outcomes={"Outer": "True", "Inner": "False"},
        ),
        Run(
            "high",
            "9 > 8",
            DONE,
            {"Outer": DONE, "Inner": DONE, "High": DONE},
            absent=("Middle", "TooLow"),
            parameters={"Level": "9"},
            outcomes={"Outer": "True", "Inner": "True"},
        ),
        Run(
            "low",
            "the inner condition is never evaluated",
            "Failed",
            {"Outer": DONE, "TooLow": "Failed"},
            absent=("Inner", "High", "Middle"),
            parameters={"Level": "3"},
            outcomes={"Outer": "False"},
            failure={"TooLow": "level 3 is too low"},
        ),
    )

    def damage(definition: dict[str, Any]) -> tuple[Broken, ...]:
        at = step_path(definition, "High")
        return (
            Broken("deep unknown dependency", "at any depth", [put(f"{at}/DependsOn", ["Nowhere"])], says=("Nowhere",)),
        )

    doubt = "condition steps inside branches: the developer guide of 2023 forbids them, the SDK of 2026 writes them"
    return Case(pipeline, runs, damage, functions=ANNOUNCE, doubt=doubt)


CASES = (every_condition, nested_condition)
