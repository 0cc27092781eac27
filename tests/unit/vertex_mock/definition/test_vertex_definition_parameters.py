"""Parameters of a job: `PipelineJob.RuntimeConfig` and `ParameterType.ParameterTypeEnum`."""

from __future__ import annotations

from typing import Any

import pytest

from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.pipelines import definition
from cloudml_vertex.mock.pipelines.definition import bind
from cloudml_vertex.mock.pipelines.definition.values import from_text, to_text
from tests.unit.vertex_mock.definition.vertex_specs import component, kind, parse, spec, switches, task

INPUTS = {
    "need": kind("NUMBER_INTEGER"),
    "rate": kind("NUMBER_DOUBLE", defaultValue=0.5),
    "name": kind("STRING", defaultValue=""),
    "flag": kind("BOOLEAN", isOptional=True),
    "list": kind("LIST", defaultValue=[1, 2.5]),
    "conf": kind("STRUCT", defaultValue={}),
}


def bound(values: dict[str, Any], **chosen: str) -> dict[str, Any]:
    found = parse(spec({"a": task("c")}, {"c": component()}, INPUTS))
    return bind(found, {"parameter_values": values}, switches(**chosen))


def refused(values: dict[str, Any], **more: Any) -> dict[str, str]:
    with pytest.raises(GoogleError) as raised:
        bound(values, **more)
    assert raised.value.code == "INVALID_ARGUMENT"
    field = "pipeline_job.runtime_config.parameter_values"
    return {
        one["field"].removeprefix(field)[2:-2]: one["description"]
        for one in raised.value.details[0]["field_violations"]
    }


def test_defaults_fill_in_and_types_are_kept() -> None:
    found = bound({"need": 3.0, "rate": 1, "conf": {"a": 2.0}})
    assert found == {"need": 3, "rate": 1.0, "name": "", "list": [1, 2.5], "conf": {"a": 2}}
    assert [type(found[name]) for name in ("need", "rate")] == [int, float]


def test_an_optional_one_without_value_is_left_out() -> None:
    assert "flag" not in bound({"need": 1})
    assert bound({"need": 1, "flag": False})["flag"] is False


def test_required_ones_and_unknown_ones() -> None:
    assert set(refused({"nobody": 1})) == {"need", "nobody"}
    assert "nobody" not in bound({"need": 1, "nobody": 1}, unknown_runtime_parameters="ignore")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("need", 2.5), ("need", "3"), ("need", True), ("need", 2**53), ("need", -(2**53)), ("rate", "0.5"),
        ("rate", False),
        ("name", 3), ("flag", "true"), ("flag", 1), ("list", "[]"), ("list", {}), ("conf", []),
    ],
)  # fmt: skip
def test_values_of_another_type(name: str, value: Any) -> None:
    assert set(refused({"need": 1, name: value})) == {name}


def test_the_largest_integers() -> None:
    assert bound({"need": 2**53 - 1})["need"] == 2**53 - 1
    assert bound({"need": -(2**53) + 1})["need"] == -(2**53) + 1


def test_typed_parameters_are_for_older_schema_versions() -> None:
    document = spec({"a": task("c")}, {"c": component()}, {"n": {"type": "INT"}, "s": {"type": "STRING"}})
    new = parse(document)
    with pytest.raises(GoogleError) as raised:
        bind(new, {"parameters": {"n": {"int_value": 3}, "s": {"string_value": "x"}}}, switches())
    assert "parameters" in raised.value.message
    older = switches()
    older.set("pipeline-schema-2.0.0", "accept")
    old = definition.parse({**document, "schemaVersion": "2.0.0"}, older)
    assert bind(old, {"parameters": {"n": {"int_value": 3}, "s": {"string_value": "x"}}}, older) == {"n": 3, "s": "x"}
    with pytest.raises(GoogleError):
        bind(old, {"parameter_values": {"n": 3, "s": "x"}}, older)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("it's", "it's"), (3, "3"), (3.0, "3"), (0.1, "0.1"), (1e-7, "0.0000001"), (True, "true"),
        ([1, 2.0, "é"], '[1, 2, "é"]'),
        ({"a": False, "b": None}, '{"a": false, "b": null}'),
    ],
)  # fmt: skip
def test_values_inside_of_texts(value: Any, text: str) -> None:
    assert to_text(value) == text


@pytest.mark.parametrize(
    ("text", "of", "value"),
    [
        ("3\n", "NUMBER_INTEGER", 3), ("3.0", "NUMBER_INTEGER", 3), ("3", "NUMBER_DOUBLE", 3.0),
        (" a\n", "STRING", " a\n"),
        ("True", "BOOLEAN", True), ("false", "BOOLEAN", False), ("[1]", "LIST", [1]), ('{"a": 1}', "STRUCT", {"a": 1}),
    ],
)  # fmt: skip
def test_values_read_from_files(text: str, of: str, value: Any) -> None:
    found = from_text(text, of)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "of"), [("x", "NUMBER_INTEGER"), ("2.5", "NUMBER_INTEGER"), ("", "LIST"), ("1", "BOOLEAN")]
)
def test_files_of_another_type(text: str, of: str) -> None:
    with pytest.raises(ValueError, match=of):
        from_text(text, of)
