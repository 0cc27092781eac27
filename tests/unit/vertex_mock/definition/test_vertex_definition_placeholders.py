"""Placeholders and structures in commands, as PipelineContainerSpec of pipeline_spec.proto documents them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudml_vertex.mock.pipelines.definition.placeholders import Names, render, resolved
from cloudml_vertex.mock.pipelines.definition.structures import PlaceholderError

NAMES = Names(
    job_name="run-1",
    job_resource_name="projects/1/locations/l/pipelineJobs/run-1",
    job_uuid="77",
    task_name="fit",
    task_uuid="88",
    root="gs://b/root",
    project="team",
    location="l",
    service_account="me@team",
)
METADATA = {"k": "v", "n": 2.0, "spec": {"imageUri": "i"}}
INPUT: dict[str, Any] = {
    "inputs": {
        "parameterValues": {
            "s": 'a "b"',
            "n": 3,
            "d": 0.5,
            "w": 4.0,
            "b": True,
            "l": [1, "x"],
            "m": {"a": 1},
            "none": None,
        },
        "artifacts": {"data": {"artifacts": [{"name": "art/1", "uri": "gs://b/data", "metadata": METADATA}]}},
    },
    "outputs": {
        "parameters": {"out": {"outputFile": "/gcs/b/out"}},
        "artifacts": {"model": {"artifacts": [{"name": "", "uri": "gs://b/model", "metadata": {}}]}},
        "outputFile": "/gcs/b/executor_output.json",
    },
}


def one(text: str, given: dict[str, Any] = INPUT) -> str:
    (found,) = render([text], given, NAMES)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{$.inputs.parameters['s']}}", 'a "b"'),
        ('{{$.inputs.parameters["n"]}}', "3"),
        ("--n={{$.inputs.parameters['n']}},{{$.inputs.parameters['d']}}", "--n=3,0.5"),
        ("{{$.inputs.parameters['w']}}", "4"),
        ("{{$.inputs.parameters['b']}}", "true"),
        ("{{$.inputs.parameters['l']}}", '[1, "x"]'),
        ("{{$.inputs.parameters['m']}}", '{"a": 1}'),
        ("{{$.inputs.parameters['s'].json_escape[0]}}", 'a "b"'),
        ("{{$.inputs.parameters['s'].json_escape[1]}}", 'a \\"b\\"'),
        ("{{$.inputs.artifacts['data'].uri}}", "gs://b/data"),
        ("{{$.inputs.artifacts['data'].path}}", "/gcs/b/data"),
        ("{{$.inputs.artifacts['data'].name}}", "art/1"),
        ("{{$.inputs.artifacts['data'].metadata['k']}}", "v"),
        ("{{$.inputs.artifacts['data'].metadata['n']}}", "2"),
        ("{{$.inputs.artifacts['data'].metadata['spec']}}", '{"imageUri": "i"}'),
        ("{{$.inputs.artifacts['data'].metadata}}", '{"k": "v", "n": 2, "spec": {"imageUri": "i"}}'),
        ("{{$.outputs.parameters['out'].output_file}}", "/gcs/b/out"),
        ("{{$.outputs.artifacts['model'].uri}}", "gs://b/model"),
        ("{{$.outputs.artifacts['model'].path}}", "/gcs/b/model"),
        ("{{$.outputs.output_file}}", "/gcs/b/executor_output.json"),
        ("{{$.pipeline_job_name}}", "run-1"),
        ("{{$.pipeline_job_resource_name}}", "projects/1/locations/l/pipelineJobs/run-1"),
        ("{{$.pipeline_job_uuid}}-{{$.pipeline_task_uuid}}", "77-88"),
        ("{{$.pipeline_task_name}}", "fit"),
        ("{{$.pipeline_root}}", "gs://b/root"),
        ("{{$.pipeline_google_cloud_project_id}}/{{$.pipeline_google_cloud_location}}", "team/l"),
        ("{{$.pipeline_service_account}}", "me@team"),
        ("{{$.pipeline_persistent_resource_id}}", ""),
        ("{{ $.inputs }} {$} {{x}}", "{{ $.inputs }} {$} {{x}}"),
    ],
)
def test_what_each_stands_for(text: str, expected: str) -> None:
    assert one(text) == expected


def test_the_whole_executor_input() -> None:
    assert json.loads(one("{{$}}")) == INPUT
    assert json.loads(json.loads(f'"{one("{{$.json_escape[1]}}")}"')) == INPUT


@pytest.mark.parametrize(
    "text",
    ["{{$.inputs.parameters['z']}}", "{{$.inputs.parameters['none']}}", "{{$.inputs.artifacts['z'].uri}}",
     "{{$.inputs.artifacts['data'].metadata['z']}}", "{{$.inputs.artifacts['data'].size}}", "{{$.nothing}}",
     "{{$.pipeline_colour}}", "{{$.outputs.parameters['out']}}", "{{$.outputs.parameters['z'].output_file}}"],
)  # fmt: skip
def test_what_stands_for_nothing_is_an_error(text: str) -> None:
    with pytest.raises(PlaceholderError):
        one(text)


def test_structures() -> None:
    texts = (
        '{"Concat": ["--n=", "{{$.inputs.parameters[\'n\']}}", {"IfPresent": {"InputName": "n", "Then": "!"}}]}',
        '{"IfPresent": {"InputName": "data", "Then": ["--data", "{{$.inputs.artifacts[\'data\'].path}}"]}}',
        '{"IfPresent": {"InputName": "none", "Then": ["--none", "{{$.inputs.parameters[\'none\']}}"]}}',
        '{"IfPresent": {"InputName": "none", "Then": "a", "Else": ["b", {"Concat": ["c", "d"]}]}}',
        '{"a": 1}',
    )
    assert render(texts, INPUT, NAMES) == ("--n=3!", "--data", "/gcs/b/data", "b", "cd", '{"a": 1}')


def with_parameters(**parameters: Any) -> dict[str, Any]:
    return {**INPUT, "inputs": {**INPUT["inputs"], "parameterValues": parameters}}


def test_placeholders_inside_of_values_are_replaced() -> None:
    """As in the payload of create_custom_training_job_from_component: JSON put into JSON, text by text."""
    pools = [
        {"args": ["{{$.inputs.parameters['n']}}", "{{$.outputs.artifacts['model'].path}}", "{{$.json_escape[1]}}"]}
    ]
    given = with_parameters(n=3, pools=pools, project="{{$.pipeline_google_cloud_project_id}}")
    found = json.loads(
        one('{"pools": {{$.inputs.parameters[\'pools\']}}, "p": "{{$.inputs.parameters[\'project\']}}"}', given)
    )
    assert found["p"] == "team"
    number, path, told = found["pools"][0]["args"]
    assert (number, path) == ("3", "/gcs/b/model")
    inside = json.loads(told)["inputs"]["parameterValues"]
    assert inside["project"] == "team"
    assert inside["pools"][0]["args"][2] == "{{$.json_escape[1]}}"  # not put into itself


def test_data_that_only_look_like_placeholders_stay_as_they_are() -> None:
    given = with_parameters(s="{{$.nobody}} {{$.inputs.parameters['z']}}")
    assert one("{{$.inputs.parameters['s']}}", given) == "{{$.nobody}} {{$.inputs.parameters['z']}}"


def test_values_that_lead_to_one_another_do_not_hang() -> None:
    given = with_parameters(a="{{$.inputs.parameters['b']}}", b="{{$.inputs.parameters['a']}}")
    assert "{{$.inputs.parameters[" in one("{{$.inputs.parameters['a']}}", given)


def test_an_optional_one_without_value_keeps_a_payload_json() -> None:
    given = {**INPUT, "_absent": {"tags": "LIST", "labels": "STRUCT", "name": "STRING"}}
    tags, labels, name = ("{{$.inputs.parameters['" + one + "']}}" for one in ("tags", "labels", "name"))
    text = f'{{"t": {tags}, "l": {labels}, "n": "{name}"}}'
    assert json.loads(one(text, given)) == {"t": [], "l": {}, "n": ""}
    assert "_absent" not in resolved(given, NAMES)
