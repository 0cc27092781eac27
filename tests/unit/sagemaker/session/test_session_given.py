"""Run parameters on their way to SageMaker and back, which carries texts only."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudml.errors import SpecError
from cloudml_sagemaker.given import bound, texts, typed_parameters

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def definition(*declared: dict[str, Any]) -> dict[str, Any]:
    full = [
        {"default": None, "required": False, "choices": [], "minimum": None, "maximum": None, **one} for one in declared
    ]
    kinds = {"int": "Integer", "float": "Float", "bool": "Boolean"}
    parameters = [{"Name": one["name"], "Type": kinds.get(one["type"], "String")} for one in full]
    about = {"format": 1, "pipeline": "p", "parameters": full}
    return {
        "Metadata": {"cloudml": json.dumps(about)},
        "Parameters": [*parameters, {"Name": "cloudml-fresh", "Type": "String", "DefaultValue": "same"}],
    }


EVERY = definition(
    {"name": "count", "type": "int"},
    {"name": "rate", "type": "float"},
    {"name": "on", "type": "bool"},
    {"name": "word", "type": "str"},
    {"name": "shape", "type": "json"},
)
VALUES = {"count": 3, "rate": 0.1, "on": True, "word": "ä b", "shape": {"x": [1, 2]}}


def test_values_survive_the_way_there_and_back() -> None:
    carried = texts(EVERY, VALUES)
    assert carried == {"count": "3", "rate": "0.1", "on": "true", "word": "ä b", "shape": '{"x":[1,2]}'}
    assert typed_parameters(EVERY, carried, WHEN) == VALUES


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        bound(EVERY, {"count": "many", "colour": "red", "on": "perhaps"})
    assert len(caught.value.diagnostics) == 3


def test_only_what_is_given_is_sent() -> None:
    assert bound(EVERY, {"count": "7"}) == {"count": 7}


@pytest.mark.parametrize(("text", "part"), [("", "empty"), ("x" * 241, "241 characters")])
def test_what_sagemaker_cannot_carry_is_refused(text: str, part: str) -> None:
    """sagemaker-python-sdk issue 4016 (no empty values); ContainerArgument: 256 characters with `parameters.word=`."""
    with pytest.raises(SpecError, match=part):
        texts(EVERY, {"word": text})


def test_the_longest_text_just_fits() -> None:
    longest = "x" * (256 - len("parameters.word="))
    assert texts(EVERY, {"word": longest}) == {"word": longest}


def test_a_default_that_is_the_run_s_time_is_shown_as_that_time() -> None:
    default = {"kind": "run", "field": "time", "format": "%Y-%m-%d"}
    found = typed_parameters(definition({"name": "day", "type": "str", "default": default}),
                             {"day": "cloudml:run-time"}, WHEN)  # fmt: skip
    assert found == {"day": "2026-03-04"}


def test_a_definition_of_somebody_else_s_keeps_its_own_names() -> None:
    other = {"Parameters": [{"Name": "Rows", "Type": "Integer", "DefaultValue": 5}, {"Name": "Way", "Type": "String"}]}
    assert typed_parameters(other, {"Way": "up"}, WHEN) == {"Rows": 5, "Way": "up"}


def test_a_pipeline_without_parameters_shows_none_of_cloudmls() -> None:
    assert typed_parameters(definition(), {"cloudml-fresh": "7"}, WHEN) == {}
