"""What Vertex would refuse is found before it is sent; what Google's own compiler writes has no fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudml_vertex.compile.checks import LARGEST, LONGEST_NAME, MOST_LABELS, check

DATA = Path(__file__).parents[2] / "data"
NAMES = sorted(str(path.relative_to(DATA)) for path in (DATA / "kfp_equal").glob("*.json"))


def document(name: str = "kfp_equal/artifacts.json", **members: Any) -> dict[str, Any]:
    return {"display_name": "churn", "labels": {}, "spec": json.loads((DATA / name).read_text())["spec"], **members}


def told(made: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in check("churn", made)]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_what_kfp_compiles(name: str) -> None:
    assert told(document(name)) == []


@pytest.mark.parametrize("labels", [{"Team": "a"}, {"team": "A"}, {"1": "a"}, {"team": "a" * 64}, {"": "a"}])
def test_labels_outside_of_the_alphabet(labels: dict[str, str]) -> None:
    assert [code for code, _ in told(document(labels=labels))] == ["CML338"]


def test_too_many_labels() -> None:
    labels = {f"k{n}": "" for n in range(MOST_LABELS + 1)}
    assert [code for code, _ in told(document(labels=labels))] == ["CML338"]
    labels.popitem()
    assert told(document(labels=labels)) == []


def test_a_name_too_long() -> None:
    assert told(document(display_name="a" * LONGEST_NAME)) == []
    assert [code for code, _ in told(document(display_name="a" * (LONGEST_NAME + 1)))] == ["CML338"]


def test_a_specification_too_large() -> None:
    made = document()
    made["spec"]["deploymentSpec"]["executors"]["exec-load"]["container"]["args"] = ["a" * LARGEST]
    assert [code for code, _ in told(made)] == ["CML339"]


@pytest.mark.parametrize(("number", "fits"), [(2**53 - 1, True), (2**53, False), (1 - 2**53, True), (-(2**53), False)])
def test_whole_numbers_that_a_double_does_not_hold(number: int, fits: bool) -> None:
    made = document("kfp_equal/typed_parameters.json")
    made["spec"]["root"]["inputDefinitions"]["parameters"]["facts"]["defaultValue"] = {"a": [number]}
    assert [code for code, _ in told(made)] == ([] if fits else ["CML336"])


@pytest.mark.parametrize(
    ("name", "value"), [("whole", "3"), ("whole", 3.5), ("whole", True), ("flag", 1), ("words", {}), ("real", "0.5")]
)
def test_defaults_of_another_type(name: str, value: Any) -> None:
    made = document("kfp_equal/typed_parameters.json")
    made["spec"]["root"]["inputDefinitions"]["parameters"][name]["defaultValue"] = value
    assert [code for code, _ in told(made)] == ["CML338"]


def test_references_to_what_is_not_there() -> None:
    made = document()
    tasks = made["spec"]["root"]["dag"]["tasks"]
    tasks["train"]["dependentTasks"] = ["nobody"]
    tasks["train"]["inputs"]["artifacts"]["data"]["taskOutputArtifact"]["outputArtifactKey"] = "nothing"
    tasks["evaluate"]["inputs"]["artifacts"]["model"]["taskOutputArtifact"]["producerTask"] = "nobody"
    tasks["load"]["componentRef"]["name"] = "comp-none"
    made["spec"]["components"]["comp-evaluate"]["executorLabel"] = "exec-none"
    found = told(made)
    assert {code for code, _ in found} == {"CML343"}
    for word in ("'nobody', which is not beside", "waits for 'nobody'", "'comp-none'", "'exec-none'"):
        assert any(word in message for _, message in found), word


def test_all_at_once() -> None:
    made = document(labels={"Team": "a"}, display_name="a" * 200)
    assert len(told(made)) == 2
