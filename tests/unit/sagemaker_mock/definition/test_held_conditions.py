"""Conditions hold as AWS's reference says; types that do not fit are a failure, never a silent False."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudml_sagemaker.mock.pipelines.definition import Resolver, Unresolved, holds
from tests.unit.sagemaker_mock.definition.building import condition, get, join, processing, read

STEADY = settings(derandomize=True, deadline=None)

PARAMETERS = {"N": 3, "S": "b", "B": True}
DECLARED = [
    {"Name": "N", "Type": "Integer", "DefaultValue": 3},
    {"Name": "S", "Type": "String", "DefaultValue": "b"},
    {"Name": "B", "Type": "Boolean", "DefaultValue": True},
]


def _nothing(name: str) -> Any:
    raise Unresolved(name)


def resolver() -> Resolver:
    return Resolver(definition=read(processing()), parameters=PARAMETERS, execution={}, step=_nothing, s3_text=_nothing)


def two(type_: str, left: Any, right: Any) -> dict[str, Any]:
    return {"Type": type_, "LeftValue": left, "RightValue": right}


TABLE: list[tuple[dict[str, Any], bool]] = [
    (two("Equals", 6, 6.0), True),
    (two("Equals", "a", "b"), False),
    (two("Equals", True, get("Parameters.B")), True),
    (two("GreaterThan", 2, 2), False),
    (two("GreaterThan", 2.5, 2), True),
    (two("GreaterThanOrEqualTo", 2, 2), True),
    (two("LessThan", get("Parameters.N"), 3), False),
    (two("LessThan", get("Parameters.N"), 4), True),
    (two("LessThanOrEqualTo", 3, get("Parameters.N")), True),
    (two("LessThan", "a", get("Parameters.S")), True),
    ({"Type": "In", "QueryValue": get("Parameters.S"), "Values": ["a", join("b")]}, True),
    ({"Type": "In", "QueryValue": "c", "Values": ["a", get("Parameters.S")]}, False),
    ({"Type": "Not", "Condition": two("Equals", 1, 2)}, True),
    ({"Type": "Or", "Conditions": [two("Equals", 1, 2), two("Equals", 1, 1)]}, True),
    ({"Type": "Or", "Conditions": [two("Equals", 1, 2), {"Type": "Not", "Condition": two("Equals", 1, 1)}]}, False),
]


@pytest.mark.parametrize(("each", "expected"), TABLE)
def test_each_type(each: dict[str, Any], expected: bool) -> None:
    assert read(condition(conditions=[each]), parameters=DECLARED).every["Gate"].conditions == (each,)
    assert holds([each], resolver()) is expected


def test_a_list_is_a_conjunction() -> None:
    yes, no = two("Equals", 1, 1), two("Equals", 1, 2)
    assert holds([yes, yes], resolver()) is True
    assert holds([yes, no], resolver()) is False


@pytest.mark.parametrize(
    "each",
    [
        two("Equals", "1", 1),
        two("Equals", True, 1),
        two("GreaterThan", "2", 1),
        two("LessThan", True, False),
        {"Type": "In", "QueryValue": 1, "Values": ["1"]},
    ],
)
def test_types_must_fit(each: dict[str, Any]) -> None:
    with pytest.raises(Unresolved, match="is not supported between"):
        holds([each], resolver())


def test_what_has_no_value_holds_neither_way() -> None:
    with pytest.raises(Unresolved):
        holds([two("Equals", get("Parameters.Nope"), 1)], resolver())


COMPARED = {
    "Equals": "==",
    "GreaterThan": ">",
    "GreaterThanOrEqualTo": ">=",
    "LessThan": "<",
    "LessThanOrEqualTo": "<=",
}
NUMBER = st.integers(-3, 3)
LEAF = st.builds(two, st.sampled_from(sorted(COMPARED)), NUMBER, NUMBER) | st.fixed_dictionaries(
    {"Type": st.just("In"), "QueryValue": NUMBER, "Values": st.lists(NUMBER, min_size=1, max_size=3)}
)
TREE = st.recursive(
    LEAF,
    lambda inner: (
        st.fixed_dictionaries({"Type": st.just("Not"), "Condition": inner})
        | st.fixed_dictionaries({"Type": st.just("Or"), "Conditions": st.lists(inner, min_size=1, max_size=3)})
    ),
    max_leaves=8,
)


def python(tree: dict[str, Any]) -> str:
    """The condition as a Python expression."""
    if tree["Type"] == "Not":
        return f"(not {python(tree['Condition'])})"
    if tree["Type"] == "Or":
        return "(" + " or ".join(map(python, tree["Conditions"])) + ")"
    if tree["Type"] == "In":
        return f"({tree['QueryValue']} in {tree['Values']})"
    return f"({tree['LeftValue']} {COMPARED[tree['Type']]} {tree['RightValue']})"


@STEADY
@given(trees=st.lists(TREE, min_size=1, max_size=3))
def test_trees_hold_as_python_says(trees: list[dict[str, Any]]) -> None:
    assert holds(trees, resolver()) is eval(" and ".join(map(python, trees)))
