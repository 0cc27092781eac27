"""What is sent of an instance, and what of it is in the results (docstring of BatchPredictionJob.InstanceConfig)."""

from __future__ import annotations

from typing import Any

import pytest

from cloudml_vertex.mock.batch import instances
from cloudml_vertex.mock.core import gcs
from tests.unit.vertex_mock.batch.vertex_batch_bench import BatchBench

ROW = '{"id": 7, "a": 1, "b": [2], "c": null}'


@pytest.fixture
def read(still: BatchBench) -> Any:
    def found(text: str, form: str = "jsonl", **config: Any) -> instances.Read:
        gcs.write(still.world, "gs://bucket/data", text.encode())
        source = {"instances_format": form, "gcs_source": {"uris": ["gs://bucket/data"]}}
        return instances.read(still.world, source, config)

    return found


@pytest.mark.parametrize(
    ("config", "sent", "shown"),
    [
        ({}, {"id": 7, "a": 1, "b": [2], "c": None}, "instance"),
        ({"instance_type": "object"}, {"id": 7, "a": 1, "b": [2], "c": None}, "instance"),
        ({"included_fields": ["b", "a"]}, {"b": [2], "a": 1}, "instance"),
        ({"included_fields": ["b", "a"], "instance_type": "array"}, [[2], 1], "instance"),
        ({"excluded_fields": ["b", "nowhere"]}, {"id": 7, "a": 1, "c": None}, "instance"),
        ({"key_field": "id"}, {"a": 1, "b": [2], "c": None}, "key"),
        ({"key_field": "id", "included_fields": ["a", "id"]}, {"a": 1}, "key"),
    ],
)
def test_objects_are_converted(read: Any, config: dict[str, Any], sent: Any, shown: str) -> None:
    [one] = read(ROW, **config).instances
    assert (one.sent, one.problem) == (sent, "")
    whole = {"id": 7, "a": 1, "b": [2], "c": None}
    assert one.shown == ({"key": 7} if shown == "key" else {"instance": whole})


@pytest.mark.parametrize(
    ("text", "config", "says"),
    [
        ("[1]", {"instance_type": "object"}, "not a JSON object"),
        ("3", {"instance_type": "array"}, "not a JSON array"),
        (ROW, {"instance_type": "array"}, "included_fields must be populated"),
        ("[1]", {"key_field": "id"}, "not a JSON object"),
        ("[1]", {"excluded_fields": ["a"]}, "not a JSON object"),
        (ROW, {"included_fields": ["z"]}, "no field 'z'"),
        ('{"a": 1}', {"key_field": "id"}, "no field 'id'"),
        ("[" * 100_000, {}, "not valid JSON"),
    ],
)
def test_what_cannot_be_converted_is_a_problem_of_that_instance(read: Any, text: str, config: Any, says: str) -> None:
    first, second = read(f'{text}\n{{"id": 1, "a": 2, "z": 3}}\n', **config).instances
    assert says in first.problem
    assert bool(second.problem) == (config == {"instance_type": "array"})  # which needs included_fields for objects


def test_arrays_and_scalars_are_sent_as_they_are(read: Any) -> None:
    found = read('[1, "x"]\n"text"\n\nnull\n2.5').instances
    assert [one.sent for one in found] == [[1, "x"], "text", None, 2.5]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\n0.1,1.2\n", [[0.1, 1.2]]),
        ('a,b\r\n1,"cat ""1""\nnew line"\r\n', [[1, 'cat "1"\nnew line']]),
        ('a,b\n"1",\n', [["1", ""]]),
        ("a,b\n1,", [[1, ""]]),
        ("\ufeffa,b\n-1e3,nan\n\n", [[-1000.0, "nan"]]),
        ("a\n1e999\n", [["1e999"]]),
        ("a,b\n", []),
    ],
)
def test_rows_of_csv_are_arrays_and_quotes_make_texts(read: Any, text: str, rows: list[Any]) -> None:
    found = read(text, "csv").instances
    assert [one.sent for one in found] == rows
    assert [one.shown["instance"] for one in found] == rows


def test_a_csv_row_of_another_length_is_a_problem(read: Any) -> None:
    short, fits = read("a,b\n1\n1,2\n", "csv").instances
    assert "1 values for 2 columns" in short.problem
    assert fits.sent == [1, 2]


def test_the_key_of_a_csv_is_a_column(read: Any) -> None:
    [one] = read("id,x\nk1,2\n", "csv", key_field="id").instances
    assert (one.shown, one.sent) == ({"key": "k1"}, [2])


@pytest.mark.parametrize(
    ("text", "config", "says"), [("a\n1\n", {"key_field": "z"}, "no column 'z'"), ('a\n"x"y\n', {}, "no CSV")]
)
def test_a_csv_that_cannot_be_read(read: Any, text: str, config: dict[str, Any], says: str) -> None:
    found = read(text, "csv", **config)
    [failure] = found.failures
    assert (failure.code, found.instances) == ("INVALID_ARGUMENT", [])
    assert says in failure.message
