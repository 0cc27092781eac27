"""What a definition means once it is read: order, policies, branches, loops; and the switches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cloudml_sagemaker.mock.pipelines.definition import (
    Branch,
    CachePolicy,
    Dependency,
    PropertyFile,
    RetryPolicy,
    between,
    sources,
)
from cloudml_sagemaker.mock.pipelines.definition.policies import duration
from tests.unit.sagemaker_mock.definition.building import (
    callback,
    condition,
    each,
    endpoint,
    fail,
    function,
    get,
    join,
    json_get,
    metrics,
    pipeline,
    processing,
    read,
    refusal,
    training,
)


def test_what_the_sdk_writes_beside_is_taken() -> None:
    """Empty members of `sagemaker` 3.27: `"MlflowConfig": null`, `"Metadata": {}`, null siblings."""
    found = read(
        processing("A", DisplayName=None, CacheConfig=None, RetryPolicies=None, DependsOn=None, PropertyFiles=None),
        Metadata={},
        MlflowConfig=None,
        PipelineExperimentConfig={"ExperimentName": get("Execution.PipelineName"), "TrialName": "t"},
    )
    assert found.experiment == {"ExperimentName": get("Execution.PipelineName"), "TrialName": "t"}
    assert found.every["A"].cache is None
    assert found.raw["Metadata"] == {}


def test_parameters() -> None:
    declared = [
        {"Name": "s", "Type": "String", "DefaultValue": "a", "EnumValues": ["a", "b"]},
        {"Name": "f", "Type": "Float", "DefaultValue": 1},
        {"Name": "b", "Type": "Boolean", "DefaultValue": False, "Description": "x"},
        {"Name": "n", "Type": "Integer", "DefaultValue": None},
    ]
    found = read(processing(), parameters=declared).parameters
    assert [(name, one.type, one.default, one.choices) for name, one in found.items()] == [
        ("s", "String", "a", ("a", "b")),
        ("f", "Float", 1, ()),
        ("b", "Boolean", False, ()),
        ("n", "Integer", None, ()),
    ]


def test_order() -> None:
    """Upstream: what is read, what is waited for, the Condition that a branch step stands in."""
    gate = condition(
        "Gate",
        conditions=[{"Type": "GreaterThan", "LeftValue": json_get("Evaluate", "Metrics", "auc"), "RightValue": 0.8}],
        yes=[
            function("Good", {"a": join(get("Steps.Train.TrainingJobName"), "x")}),
            function("Then", DependsOn=["Good"]),
        ],
        no=[condition("Inner", yes=[fail("Stop", join("auc", json_get("Evaluate", "Metrics", "auc")))])],
    )
    found = read(training("Train"), metrics("Evaluate"), gate, function("Free"))
    assert {name: set(step.upstream) for name, step in found.every.items()} == {
        "Train": set(),
        "Evaluate": set(),
        "Gate": {"Evaluate"},
        "Good": {"Gate", "Train"},
        "Then": {"Gate", "Good"},
        "Inner": {"Gate"},
        "Stop": {"Inner", "Evaluate"},
        "Free": set(),
    }
    assert {name: set(step.references) for name, step in found.every.items() if step.references} == {
        "Gate": {"Evaluate"},
        "Good": {"Train"},
        "Stop": {"Evaluate"},
    }
    assert [step.name for step in found.steps] == ["Train", "Evaluate", "Gate", "Free"]
    assert found.every["Gate"].children == ("Good", "Then", "Inner")
    assert found.every["Good"].branch == Branch("Gate", True)
    assert found.every["Stop"].branch == Branch("Inner", True)
    assert {step.name for step in found.downstream("Evaluate")} == {"Gate", "Stop"}


def test_siblings_of_arguments_are_read_too() -> None:
    ask = callback("Ask", SqsQueueUrl=get("Steps.Call.OutputParameters['text']"))
    assert read(function("Call"), ask).every["Ask"].upstream == {"Call"}


def test_run_conditions() -> None:
    waits = ["A", {"Step": "B", "Trigger": "Failed"}, {"Step": "C"}]
    found = read(processing("A"), processing("B"), processing("C"), function("D", DependsOn=waits)).every["D"]
    assert found.depends_on == (Dependency("A"), Dependency("B", "Failed"), Dependency("C", "Completed"))
    assert found.upstream == {"A", "B", "C"}
    assert found.references == set()


def test_a_loop() -> None:
    """What a body needs from outside, the ForEach step waits for; its steps wait for one another only."""
    loop = each(
        "Loop",
        [
            function("One", {"x": get("ForEach.CurrentItem"), "y": get("Steps.Before.OutputParameters['text']")}),
            function("Two", {"z": get("Steps.One.OutputParameters['text']")}, DependsOn=["Extra"]),
        ],
        items=get("Parameters.Items"),
        MaxConcurrency=7,
        Selector={"Pick": "MinBy", "Field": get("IterationOutput.Two.OutputParameters['text']")},
    )
    found = read(
        function("Before"),
        function("Extra"),
        loop,
        function("After", {"a": get("Steps.Loop.Selected.OutputParameters['text']")}),
        parameters=[{"Name": "Items", "Type": "String", "DefaultValue": "[1]"}],
    )
    assert {name: set(step.upstream) for name, step in found.every.items()} == {
        "Before": set(),
        "Extra": set(),
        "Loop": {"Before", "Extra"},
        "One": set(),
        "Two": {"One"},
        "After": {"Loop"},
    }
    made = found.every["Loop"].loop
    assert made is not None
    assert (made.items, made.max_concurrency, made.body, made.pick) == (
        get("Parameters.Items"),
        7,
        ("One", "Two"),
        "MinBy",
    )
    assert found.every["Two"].body_of == "Loop"


def test_policies_files_and_outputs() -> None:
    policies = [
        {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 5, "BackoffRate": 1.5, "ExpireAfterMin": 60},
        {"ExceptionType": "Step.THROTTLING"},
    ]
    step = processing(
        CacheConfig={"Enabled": True, "ExpireAfter": "P30D"},
        RetryPolicies=policies,
        PropertyFiles=[{"PropertyFileName": "M", "OutputName": "train", "FilePath": "a/m.json"}],
    )
    found = read(step, function(outputs={"n": "Integer", "s": "String"}))
    assert found.every["Prepare"].cache == CachePolicy(True, timedelta(days=30))
    assert found.every["Prepare"].property_files == {"M": PropertyFile("train", "a/m.json")}
    assert found.every["Call"].outputs == {"n": "Integer", "s": "String"}
    # The developer guide: 5 attempts, 1 second, rate 2.0 unless said otherwise.
    assert found.every["Prepare"].retries == (
        RetryPolicy(("SageMaker.CAPACITY_ERROR",), 5, 1.5, None, 60),
        RetryPolicy(("Step.THROTTLING",), 1, 2.0, 5, None),
    )


# Those without a P are the four examples of the developer guide (pipelines-caching-enabling).
DURATIONS = {
    "P30D": timedelta(days=30),
    "PT1H30M": timedelta(minutes=90),
    "P2W": timedelta(days=14),
    "P1Y2M": timedelta(days=425),
    "P5DT12H": timedelta(days=5, hours=12),
    "30d": timedelta(days=30),
    "5y": timedelta(days=5 * 365),
    "T16m": timedelta(minutes=16),
    "30dT5h": timedelta(days=30, hours=5),
}


@pytest.mark.parametrize(("text", "length"), DURATIONS.items())
def test_durations(text: str, length: timedelta) -> None:
    assert duration(text) == length
    assert duration(text, strict=True) == (length if text.startswith("P") else None)


@pytest.mark.parametrize("text", ["", "P", "T", "PT", "P1H", "1", "P1.5D", "PT1D", "P-1D", "P1D ", "P1DT"])
def test_no_durations(text: str) -> None:
    assert duration(text) is None


OUTSIDE = [condition("Gate", yes=[function("Yes")], no=[function("No")]), function("Rejoin", DependsOn=["Yes"])]
NESTED = [condition("Gate", yes=[condition("Inner")])]
WAITS = [condition("Gate"), function("After", DependsOn=["Gate"])]
MANY = [processing(f"S{number}") for number in range(51)]
LONG = processing()
LONG["Arguments"]["ProcessingOutputConfig"]["Outputs"] *= 11
DEPLOY = endpoint()
DEPLOY["Arguments"]["RetainDeploymentConfig"] = True
DEPLOY["Arguments"]["DeploymentConfig"] = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}]}}
del DEPLOY["Arguments"]["RetainDeploymentConfig"]
FORMS = [processing(CacheConfig={"Enabled": True, "ExpireAfter": "30d"})]
LISTED = [function("Call"), processing("Listed")]
LISTED[1]["Arguments"]["AppSpecification"]["ContainerArguments"] = get("Steps.Call.OutputParameters['text']")
FOREVER = [processing(CacheConfig={"Enabled": True})]

# Switch, the choice that takes it, the choice that refuses it, and which of them is the default.
SWITCHED: list[tuple[str, str, str, str, list[Any], str]] = [
    ("rejoin", "wait", "refuse", "wait", OUTSIDE, "'Yes' stands in a branch"),
    ("nested-conditions", "allow", "refuse", "allow", NESTED, "in a branch of 'Gate'"),
    ("depends-on-condition", "allow", "refuse", "refuse", WAITS, "Condition step 'Gate'"),
    ("steps-quota", "none", "50", "none", MANY, "at most 50 steps"),
    ("expression-for-list", "allow", "refuse", "refuse", LISTED, "Expecting start of Json Array"),
    ("argument-limits", "run", "create", "create", [LONG], "less than or equal to 10"),
    ("endpoint-step-deployment-config", "allow", "refuse", "refuse", [DEPLOY], "DeploymentConfig"),
    ("expire-after-forms", "documented", "iso-8601", "documented", FORMS, "30d"),
    ("cache-without-expiry", "keep", "refuse", "refuse", FOREVER, "ExpireAfter"),
]


@pytest.mark.parametrize(("switch", "takes", "refuses", "default", "steps", "words"), SWITCHED)
def test_switches(switch: str, takes: str, refuses: str, default: str, steps: list[Any], words: str) -> None:
    assert read(*steps, choices={switch: takes}).steps
    assert words in refusal(pipeline(*steps), {switch: refuses})
    if default == takes:
        assert read(*steps).steps
    else:
        assert words in refusal(pipeline(*steps))


def test_a_step_may_depend_on_its_own_branch_and_on_what_stands_around_it() -> None:
    inner = condition("Inner", yes=[function("Deep", DependsOn=["Before"])])
    found = read(condition("Gate", yes=[function("Before"), inner]), choices={"rejoin": "refuse"})
    assert found.every["Deep"].upstream == {"Inner", "Before"}


def test_selections() -> None:
    """A -> B -> D, A -> C -> D, D -> E: choosing A and D leaves out B and C."""
    found = read(
        processing("A"),
        processing("B", DependsOn=["A"]),
        processing("C", DependsOn=["A"]),
        processing("D", DependsOn=["B", "C"]),
        processing("E", DependsOn=["D"]),
    )
    assert between(found, {"A", "D"}) == {"B", "C"}
    assert between(found, {"A", "B", "C", "D"}) == set()
    assert between(found, {"B", "E"}) == {"D"}
    assert between(found, {"B", "C"}) == set()
    assert sources(found, {"D", "E"}) == {"B", "C"}
    assert sources(found, {"A"}) == set()
