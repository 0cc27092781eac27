"""The data itself: every step type is there, expectations speak of steps that exist, damage changes something."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sagemaker_sdk.playing import PROGRAMS, image_rules, names, patched, read, steps_of

TYPES = {
    *("Processing", "Training", "Tuning", "Transform", "Model", "RegisterModel", "Condition", "Fail", "Lambda"),
    *("Callback", "QualityCheck", "ClarifyCheck", "EndpointConfig", "Endpoint", "ForEach"),
}
CONDITIONS = {
    *("Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo", "In", "Not", "Or"),
}


@pytest.fixture(params=names())
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read(request.param)


def members(value: Any, name: str) -> list[Any]:
    """Every value of a member called `name`, at any depth."""
    if isinstance(value, list):
        return [found for element in value for found in members(element, name)]
    if not isinstance(value, dict):
        return []
    own = [value[name]] if name in value else []
    return own + [found for inner in value.values() for found in members(inner, name)]


def test_the_cases_cover_what_pipelines_can_hold() -> None:
    definitions = [read(name)["definition"] for name in names()]
    assert len(definitions) >= 12
    assert {step["Type"] for one in definitions for step in steps_of(one["Steps"])} == TYPES
    kinds = {kind for one in definitions for kind in members(one["Steps"], "Type")}
    assert kinds >= CONDITIONS
    assert {one["Type"] for each in definitions for one in each["Parameters"]} == {
        "String",
        "Integer",
        "Float",
        "Boolean",
    }
    for part in ("Std:Join", "Std:JsonGet", "CacheConfig", "RetryPolicies", "Trigger", "Selector", "EnumValues"):
        assert any(members(one, part) for one in definitions), part
    assert sum(len(read(name)["broken"]) for name in names()) >= 12


def test_runs_account_for_every_step(case: dict[str, Any]) -> None:
    every = {step["Name"] for step in steps_of(case["definition"]["Steps"])}
    bodies = {
        inner["Name"]
        for step in steps_of(case["definition"]["Steps"])
        for inner in (step["Arguments"].get("ForEachBody") or [])
    }
    for run in case["expect"]:
        spoken = set(run["steps"]) | set(run.get("absent", []))
        children = {name for name in spoken if name.rpartition("-")[0] in bodies}
        assert spoken - children == every - bodies, run["name"]
        assert not set(run["steps"]) & set(run.get("absent", [])), run["name"]
        for about in ("outcomes", "failure", "cached", "outputs"):
            assert set(run.get(about, [])) <= set(run["steps"]), (run["name"], about)


def test_damage_changes_the_definition(case: dict[str, Any]) -> None:
    for damage in case["broken"]:
        assert patched(case["definition"], damage["patch"]) != case["definition"], damage["name"]
        assert set(damage["at"]) <= {"create", "run"}


def test_the_programs_and_files_are_there(case: dict[str, Any]) -> None:
    for program in case["images"].values():
        assert (PROGRAMS / program).is_file()
    for handler in case["functions"].values():
        assert (PROGRAMS / handler.partition(":")[0]).is_file()
    literal = [uri for uri in members(case["definition"], "S3Uri") if isinstance(uri, str)]
    for uri in literal:
        assert any(name.startswith(uri) for name in case["files"]), uri
    assert image_rules(case, "python3", "env")[-1] == "*=env"
