"""Expressions get the values that AWS documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudml_sagemaker.mock.pipelines.definition import Resolver, Unresolved, jsonpath
from tests.unit.sagemaker_mock.definition.building import (
    each,
    function,
    get,
    join,
    json_get,
    metrics,
    read,
    training,
)

STEADY = settings(derandomize=True, deadline=None)

DEFINITION = read(
    metrics("Evaluate"),
    training("Train"),
    function("Call", outputs={"text": "String", "n": "Integer"}),
    each("Loop"),
    parameters=[{"Name": "Group", "Type": "String", "DefaultValue": "churn"}],
    PipelineExperimentConfig={"ExperimentName": join("exp", get("Parameters.Group"), on="-"), "TrialName": "t"},
)
# Describe responses, as the API reference has them.
DONE: dict[str, Any] = {
    "Evaluate": {
        "ProcessingJobName": "pipelines-abc-Evaluate-x",
        "ProcessingOutputConfig": {
            "Outputs": [
                {"OutputName": "other", "S3Output": {"S3Uri": "s3://b/other"}},
                {"OutputName": "report", "S3Output": {"S3Uri": "s3://b/run/report/"}},
            ]
        },
    },
    "Train": {
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/models/job/output/model.tar.gz"},
        "FinalMetricDataList": [{"MetricName": "auc", "Value": 0.9}],
        "HyperParameters": {"depth": "3", "a.b": "4"},
        "BillableTimeInSeconds": 12,
    },
    "Call": {"OutputParameters": {"text": "hello", "n": 7}},
}
FILES = {
    "s3://b/run/report/m.json": json.dumps({"auc": {"value": 0.91}, "n": [5, 10], "a.b": {"c": "x"}, "none": None}),
    "s3://b/r-1/out.json": '{"Output": [5, 10]}',
    "s3://b/broken.json": "{",
}


def step(name: str) -> dict[str, Any]:
    if name not in DONE:
        raise Unresolved(f"step {name} has not ended")
    return dict(DONE[name])


def text(uri: str) -> str:
    if uri not in FILES:
        raise Unresolved(f"{uri} does not exist")
    return FILES[uri]


def resolver(**more: Any) -> Resolver:
    return Resolver(
        definition=DEFINITION,
        parameters={"Group": "churn", "Share": 0.25, "Count": 2, "Dry": False},
        execution={"PipelineName": "p", "PipelineExecutionId": "r-1"},
        step=step,
        s3_text=text,
        **more,
    )


RESOLVED: list[tuple[Any, Any]] = [
    ("plain", "plain"),
    ({"a": [1, None, {"b": True}]}, {"a": [1, None, {"b": True}]}),
    (get("Parameters.Count"), 2),
    (get("Execution.PipelineName"), "p"),
    (get("PipelineExperimentConfig.ExperimentName"), "exp-churn"),
    (get("Steps.Evaluate.ProcessingOutputConfig.Outputs['report'].S3Output.S3Uri"), "s3://b/run/report/"),
    (get("Steps.Evaluate.ProcessingOutputConfig.Outputs[0].OutputName"), "other"),
    (get("Steps.Train.ModelArtifacts.S3ModelArtifacts"), "s3://b/models/job/output/model.tar.gz"),
    (get("Steps.Train.FinalMetricDataList['auc'].Value"), 0.9),
    (get("Steps.Train.HyperParameters['a.b']"), "4"),
    (get("Steps.Train.HyperParameters.depth"), "3"),
    (get("Steps.Call.OutputParameters['n']"), 7),
    (join("s3://b", get("Execution.PipelineExecutionId"), "x"), "s3://b/r-1/x"),
    (join("a", 1, 0.25, True, get("Parameters.Dry"), get("Parameters.Share"), on=","), "a,1,0.25,true,false,0.25"),
    (join(join("a", "b"), join(on="-"), on="+"), "a/b+"),
    ({"Std:Join": {"Values": ["a", "b"]}}, "ab"),
    (json_get("Evaluate", "Metrics", "auc.value"), 0.91),
    (json_get("Evaluate", "Metrics", "$.n[-1]"), 10),
    (json_get("Evaluate", "Metrics", "['a.b'].c"), "x"),
    (join(json_get("Evaluate", "Metrics", "auc.value"), on=""), "0.91"),
    (
        {
            "Std:JsonGet": {
                "S3Uri": join("s3://b", get("Execution.PipelineExecutionId"), "out.json"),
                "Path": "Output[1]",
            }
        },
        10,
    ),
    ([{"Environment": {"G": get("Parameters.Group")}}], [{"Environment": {"G": "churn"}}]),
]


@pytest.mark.parametrize(("value", "expected"), RESOLVED)
def test_resolved(value: Any, expected: Any) -> None:
    found = resolver().resolve(value)
    assert found == expected
    assert type(found) is type(expected)


UNRESOLVED: list[tuple[Any, str]] = [
    (get("Parameters.Nope"), "Parameters.Nope has no value"),
    (get("Execution.PipelineArn"), "no value"),
    (get("Steps.Later.ProcessingJobName"), "has not ended"),
    (get("Steps.Evaluate.ExitMessage"), "nothing at .ExitMessage"),
    (get("Steps.Evaluate.ProcessingOutputConfig.Outputs['nope'].S3Output.S3Uri"), "['nope']"),
    (get("Steps.Evaluate.ProcessingOutputConfig.Outputs[2].OutputName"), "[2]"),
    (get("Steps.Evaluate.ProcessingJobName.Deep"), ".Deep"),
    (get("ForEach.CurrentItem"), "no value here"),
    (get("IterationOutput.Body.OutputParameters['text']"), "no value here"),
    (join({"a": 1}), "plain values"),
    (join(get("Steps.Evaluate.ProcessingOutputConfig")), "plain values"),
    (json_get("Evaluate", "Metrics", "auc.nope"), "leads nowhere"),
    (json_get("Evaluate", "Metrics", "auc[0]"), "leads nowhere"),
    (json_get("Evaluate", "Metrics", "n[2]"), "leads nowhere"),
    (json_get("Evaluate", "Metrics", "$..value"), "cannot be read"),
    (json_get("Evaluate", "Metrics", "n[*]"), "cannot be read"),
    ({"Std:JsonGet": {"S3Uri": "s3://b/none.json", "Path": "x"}}, "does not exist"),
    ({"Std:JsonGet": {"S3Uri": "s3://b/broken.json", "Path": "x"}}, "not a JSON file"),
]


@pytest.mark.parametrize(("value", "reason"), UNRESOLVED)
def test_unresolved(value: Any, reason: str) -> None:
    with pytest.raises(Unresolved) as failed:
        resolver().resolve(value)
    assert reason in failed.value.reason


ITEMS: list[tuple[Any, str, Any]] = [
    ("east", "ForEach.CurrentItem", "east"),
    (3, "ForEach.CurrentItem", 3),
    ('{"name": "a", "deep": {"w": 0.5}}', "ForEach.CurrentItem.name", "a"),
    ('{"name": "a", "deep": {"w": 0.5}}', "ForEach.CurrentItem.deep['w']", 0.5),
    ('{"name": "a"}', "ForEach.CurrentItem", '{"name": "a"}'),
    ({"name": "a"}, "ForEach.CurrentItem['name']", "a"),
]


@pytest.mark.parametrize(("item", "reference", "expected"), ITEMS)
def test_current_item(item: Any, reference: str, expected: Any) -> None:
    assert resolver(item=item).resolve(get(reference)) == expected


@pytest.mark.parametrize("item", ["east", "[", '["a"]', 3])
def test_items_without_members(item: Any) -> None:
    with pytest.raises(Unresolved):
        resolver(item=item).resolve(get("ForEach.CurrentItem.name"))


def test_iteration_output() -> None:
    found = resolver(iteration=lambda name: {"OutputParameters": {"score": len(name)}})
    assert found.resolve(get("IterationOutput.Body.OutputParameters['score']")) == 4


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@STEADY
@given(document=JSON, data=st.data())
def test_json_path_leads_where_python_does(document: Any, data: st.DataObject) -> None:
    """A way through a document, taken at random, written as a JsonPath with brackets."""
    value, path = document, "$"
    while isinstance(value, dict | list) and value and data.draw(st.booleans()):
        if isinstance(value, dict):
            key = data.draw(st.sampled_from(sorted(value)).filter(lambda text: "'" not in text and "\n" not in text))
            path, value = f"{path}['{key}']", value[key]
        else:
            index = data.draw(st.integers(-len(value), len(value) - 1))
            path, value = f"{path}[{index}]", value[index]
    assert jsonpath.read(document, path) == value


@STEADY
@given(document=JSON, path=st.text(alphabet="$.[]'\"ab0-1*:?@() ", max_size=12))
def test_any_path_is_read_or_refused(document: Any, path: str) -> None:
    try:
        jsonpath.read(document, path)
    except jsonpath.PathError as error:
        assert path in str(error) or repr(path) in str(error)  # noqa: PT017 - either end is right


NAMES = st.sampled_from(["Group", "Share", "Count", "Dry"])
SCALARS = st.text(max_size=3) | st.integers() | st.booleans()
TEXTS = st.recursive(
    SCALARS | st.builds(lambda name: get(f"Parameters.{name}"), NAMES),
    lambda inner: st.builds(lambda on, values: join(*values, on=on), st.text(max_size=2), st.lists(inner, max_size=3)),
    max_leaves=6,
)
VALUES = st.recursive(
    TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["A", "B", "C"]), inner, max_size=3),
    max_leaves=8,
)


def reference(value: Any) -> Any:
    """The documented meaning of Get and Std:Join, in a few lines."""
    match value:
        case {"Get": str(way)}:
            return resolver().parameters[way.removeprefix("Parameters.")]
        case {"Std:Join": {"On": on, "Values": values}}:
            return on.join(part if isinstance(part, str) else json.dumps(part) for part in map(reference, values))
        case dict():
            return {name: reference(each) for name, each in value.items()}
        case list():
            return [reference(each) for each in value]
    return value


@STEADY
@given(value=VALUES)
def test_random_values_mean_what_the_reference_says(value: Any) -> None:
    assert resolver().resolve(value) == reference(value)
