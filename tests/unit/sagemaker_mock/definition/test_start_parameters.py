"""Values of parameters for one execution: strings on the wire, typed inside."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.pipelines.definition import Definition, start_parameters
from tests.unit.sagemaker_mock.definition.building import processing, read

STEADY = settings(derandomize=True, deadline=None)

DECLARED = [
    {"Name": "s", "Type": "String", "DefaultValue": "a", "EnumValues": ["a", "b"]},
    {"Name": "i", "Type": "Integer", "DefaultValue": 3, "EnumValues": [3, 4]},
    {"Name": "f", "Type": "Float", "DefaultValue": 0.5},
    {"Name": "b", "Type": "Boolean", "DefaultValue": True},
    {"Name": "needed", "Type": "String"},
]


def definition() -> Definition:
    return read(processing(), parameters=DECLARED)


def wire(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def test_defaults_and_order() -> None:
    found = start_parameters(definition(), wire(needed=""))
    assert list(found.items()) == [("s", "a"), ("i", 3), ("f", 0.5), ("b", True), ("needed", "")]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("s", "b", "b"),
        ("i", "4", 4),
        ("i", "+4", 4),
        ("f", "1", 1.0),
        ("f", "-2.5e3", -2500.0),
        ("f", ".5", 0.5),
        ("b", "true", True),
        ("b", "False", False),
    ],
)
def test_values(name: str, text: str, value: object) -> None:
    found = start_parameters(definition(), wire(**{"needed": "x", name: text}))[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"needed": "x", "nope": "1"}, "'nope' is not declared"),
        ({}, "'needed' has no default"),
        ({"needed": "x", "s": "c"}, "not one of [a, b]"),
        ({"needed": "x", "i": "5"}, "not one of [3, 4]"),
        ({"needed": "x", "i": "4.0"}, "not a valid Integer"),
        ({"needed": "x", "i": ""}, "not a valid Integer"),
        ({"needed": "x", "i": "1_0"}, "not a valid Integer"),
        ({"needed": "x", "i": "\u0664"}, "not a valid Integer"),
        ({"needed": "x", "f": "nan"}, "not a valid Float"),
        ({"needed": "x", "f": "1e999"}, "not a valid Float"),
        ({"needed": "x", "f": "1 "}, "not a valid Float"),
        ({"needed": "x", "b": "1"}, "not a valid Boolean"),
        ({"needed": "x", "b": "yes"}, "not a valid Boolean"),
    ],
)
def test_refused(values: dict[str, str], words: str) -> None:
    with pytest.raises(AwsError, match="Invalid pipeline parameters") as refused:
        start_parameters(definition(), wire(**values))
    assert refused.value.code == "ValidationException"
    assert words in refused.value.message


def test_given_twice() -> None:
    with pytest.raises(AwsError, match="given twice"):
        start_parameters(definition(), wire(needed="x") * 2)


FREE = read(processing(), parameters=[{"Name": "f", "Type": "Float"}, {"Name": "i", "Type": "Integer"}])


@STEADY
@given(number=st.floats(allow_nan=False, allow_infinity=False), whole=st.integers(-(10**18), 10**18))
def test_numbers_come_back(number: float, whole: int) -> None:
    found = start_parameters(FREE, wire(f=repr(number), i=str(whole)))
    assert found == {"f": number, "i": whole}


@STEADY
@given(text=st.text())
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        found = start_parameters(FREE, wire(f=text, i="1"))
    except AwsError as error:
        assert error.code == "ValidationException"  # noqa: PT017 - either end is right
    else:
        assert found["f"] == float(text)
