"""Random valid definitions are read; random damage is refused in AWS's way or does no harm, and is never a crash."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.pipelines.definition import parse
from tests.unit.sagemaker_mock.definition.building import (
    callback,
    check,
    condition,
    each,
    fail,
    function,
    get,
    join,
    metrics,
    model,
    pipeline,
    processing,
    register,
    training,
    transform,
    tuning,
)

QUICK = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

# A maker of a step, and a property that others may read of it (None: nothing may depend on it).
MAKERS: dict[str, tuple[Any, str | None]] = {
    "processing": (processing, "ProcessingJobName"),
    "metrics": (metrics, "ProcessingOutputConfig.Outputs['report'].S3Output.S3Uri"),
    "training": (training, "ModelArtifacts.S3ModelArtifacts"),
    "tuning": (tuning, "BestTrainingJob.TrainingJobName"),
    "transform": (transform, "TransformOutput.S3OutputPath"),
    "model": (model, "ModelName"),
    "register": (register, "ModelPackageArn"),
    "check": (check, "CalculatedBaselineConstraints"),
    "function": (function, "OutputParameters['text']"),
    "callback": (callback, "OutputParameters['answer']"),
    "fail": (fail, None),
}
READERS = ("function", "callback")


@st.composite
def definitions(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, set[str]]]:
    """A valid definition, and for each step the earlier ones that it was made to wait for."""
    waits: dict[str, set[str]] = {}
    # Steps that may be named, with the property to read.
    known: dict[str, str] = {}

    def leaf(around: set[str]) -> dict[str, Any]:
        kind = draw(st.sampled_from(sorted(MAKERS)))
        maker, readable = MAKERS[kind]
        name = f"S{len(waits)}"
        step: dict[str, Any] = maker(name)
        chosen = sorted(draw(st.sets(st.sampled_from(sorted(known)), max_size=3))) if known else []
        read = chosen if kind in READERS else []
        # Condition steps are read, never waited for by name.
        chosen = read or [other for other in chosen if known[other] != "Outcome"]
        for number, other in enumerate(read):
            reference = get(f"Steps.{other}.{known[other]}")
            step["Arguments"][f"a{number}"] = draw(st.sampled_from([reference, join("x", reference)]))
        if not read and chosen:
            trigger = draw(st.sampled_from(["Completed", "Failed", "Stopped", "Any"]))
            step["DependsOn"] = [
                draw(st.sampled_from([other, {"Step": other, "Trigger": trigger}])) for other in chosen
            ]
        waits[name] = set(chosen) | around
        if readable is not None:
            known[name] = readable
        return step

    def branching(depth: int, around: set[str]) -> dict[str, Any]:
        name = f"S{len(waits)}"
        waits[name] = set(around)
        before = dict(known)
        conditions = []
        if known and draw(st.booleans()):
            other = draw(st.sampled_from(sorted(known)))
            conditions = [{"Type": "Equals", "LeftValue": get(f"Steps.{other}.{known[other]}"), "RightValue": "x"}]
            waits[name] |= {other}
        branches = []
        for _ in range(2):
            branches.append(steps(depth - 1, {name}))
            # What stands in a branch is not named from outside of it.
            known.clear()
            known.update(before)
        known[name] = "Outcome"
        return condition(name, conditions=conditions, yes=branches[0], no=branches[1])

    def looping(around: set[str]) -> dict[str, Any]:
        name, body = f"S{len(waits)}", f"S{len(waits)}b"
        waits[name], waits[body] = set(around), set()
        argument: Any = get("ForEach.CurrentItem")
        if known and draw(st.booleans()):
            other = draw(st.sampled_from(sorted(known)))
            argument = join(argument, get(f"Steps.{other}.{known[other]}"))
            waits[name] |= {other}
        known[name] = "Status"
        items = draw(st.lists(st.integers() | st.text(max_size=3), min_size=1, max_size=4))
        return each(name, [function(body, {"a": argument})], items=items, MaxConcurrency=draw(st.integers(1, 50)))

    def steps(depth: int, around: set[str]) -> list[dict[str, Any]]:
        made = []
        for _ in range(draw(st.integers(1 if depth == 2 else 0, 3))):
            kind = draw(st.sampled_from(["leaf"] * 4 + ["loop"] + ["branch"] * (depth > 0)))
            makers = {"leaf": leaf, "loop": looping, "branch": lambda around: branching(depth, around)}
            made.append(makers[kind](around))
        return made

    return pipeline(*steps(2, set())), waits


@QUICK
@given(made=definitions())
def test_valid_definitions_are_read(made: tuple[dict[str, Any], dict[str, set[str]]]) -> None:
    document, waits = made
    found = parse(json.dumps(document))
    assert {name: set(step.upstream) for name, step in found.every.items()} == waits


@QUICK
@given(made=definitions(), data=st.data())
def test_waiting_for_a_later_step_is_a_cycle(
    made: tuple[dict[str, Any], dict[str, set[str]]], data: st.DataObject
) -> None:
    """Close a ring over a real dependency: the message names it."""
    document, waits = made
    tops = {step["Name"]: step for step in document["Steps"]}
    pairs = [(later, other) for later in tops for other in waits[later] if other in tops]
    ends = [(later, other) for later, other in pairs if tops[later]["Type"] not in {"Fail", "Condition"}]
    if not ends:
        return
    later, other = data.draw(st.sampled_from(sorted(ends)))
    tops[other]["DependsOn"] = [later]
    try:
        parse(json.dumps(document))
    except AwsError as error:
        assert "cycle" in error.message  # noqa: PT017 - whether it raises is asserted below
    else:
        raise AssertionError("the cycle was not seen")


JUNK = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        10**30,
        1e308,
        "",
        "x",
        "a b!",
        "Steps",
        "x" * 300,
        "\ud800",
        [],
        {},
        [[]],
        [None],
        {"Get": "Steps.S0.Banana"},
        {"Get": "Steps.S0"},
        {"Get": None},
        {"Get": "Parameters.p"},
        {"Std:Join": {"Values": {}}},
        {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.S0.PropertyFiles.Metrics"}, "Path": "x"}},
        {"Std:Banana": 1},
        {"Step": "S0", "Trigger": ["Any"]},
        {"Name": "S0", "Type": "Fail"},
    ]
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with a key or an index of it."""
    found = []
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        found.append((value, key))
        found.extend(places(value[key]))
    return found


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(made=definitions(), data=st.data())
def test_damage_never_crashes(made: tuple[dict[str, Any], dict[str, set[str]]], data: st.DataObject) -> None:
    """Up to three random places replaced, removed, renamed or doubled."""
    document = copy.deepcopy(made[0])
    for _ in range(data.draw(st.integers(1, 3))):
        spots = places(document)
        if not spots:
            break
        container, key = spots[data.draw(st.integers(0, len(spots) - 1))]
        match data.draw(st.sampled_from(["replace", "remove", "rename", "double"])):
            case "replace":
                container[key] = copy.deepcopy(data.draw(JUNK))
            case "remove":
                del container[key]
            case "rename" if isinstance(container, dict):
                container[data.draw(st.sampled_from(["Banana", "Name", "", "Get"]))] = container.pop(key)
            case "double" if isinstance(container, list):
                container.append(copy.deepcopy(container[key]))
    try:
        parse(json.dumps(document))
    except AwsError as error:
        assert error.code == "ValidationException"  # noqa: PT017 - damage may be harmless
        assert error.message.startswith("Unable to parse pipeline definition. ")  # noqa: PT017


CERTAIN = st.sampled_from(["Version", "Steps", "Name", "Type", "Arguments", "RoleArn"])


@QUICK
@given(member=CERTAIN, junk=st.sampled_from([None, 5, [], "a b!"]))
def test_damage_to_a_required_member_is_refused(member: str, junk: Any) -> None:
    document = pipeline(training("T"))
    for container, key in places(document):
        if key == member:
            container[key] = junk
            break
    try:
        parse(json.dumps(document))
    except AwsError as error:
        assert error.code == "ValidationException"  # noqa: PT017 - whether it raises is asserted below
    else:
        raise AssertionError(f"{member} = {junk!r} was taken")


@settings(max_examples=100, derandomize=True)
@given(text=st.text(alphabet='{}[]":,0123456789eE.-ntfalsru\\ ', max_size=60))
def test_any_text_is_refused(text: str) -> None:
    try:
        parse(text)
    except AwsError as error:
        assert error.code == "ValidationException"  # noqa: PT017 - no such text is a definition
    else:
        raise AssertionError("it was taken")
