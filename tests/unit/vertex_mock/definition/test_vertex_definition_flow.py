"""How values move between tasks, and what goes into and comes out of a container."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from cloudml_vertex.mock.pipelines.definition import executor, flow
from cloudml_vertex.mock.pipelines.definition.conditions import ConditionError
from cloudml_vertex.mock.pipelines.definition.executor import OutputProblem
from cloudml_vertex.mock.pipelines.definition.flow import Unresolved, Values
from cloudml_vertex.mock.pipelines.definition.model import Definition, Importer, Task
from tests.unit.vertex_mock.definition.vertex_specs import (
    DATASET,
    MODEL,
    around,
    component,
    constant,
    kind,
    made,
    output,
    parse,
    spec,
    task,
)

ONE = {"name": "a/1", "uri": "gs://b/1", "type": {}, "metadata": {}}
TWO = {"name": "a/2", "uri": "gs://b/2", "type": {}, "metadata": {}}
WORK = component(
    {
        "n": kind("NUMBER_INTEGER"),
        "rate": kind("NUMBER_DOUBLE", defaultValue=0.5),
        "name": kind("STRING", isOptional=True),
    },
    {"score": kind("NUMBER_DOUBLE"), "label": kind("STRING"), "tags": kind("LIST")},
    gives={"model": MODEL},
)


def pipeline(a: dict[str, Any], inputs: dict[str, Any] | None = None, **components: Any) -> tuple[Definition, Task]:
    """A pipeline and its task `a`; task `b` gives n and data."""
    giver = component(
        outputs={"n": kind("NUMBER_INTEGER"), "s": kind("STRING"), "conf": kind("STRUCT")}, gives={"data": DATASET}
    )
    found = parse(spec({"a": a, "b": task("giver")}, {"giver": giver, "work": WORK, **components}, inputs or {}))
    assert found.root.dag is not None
    return found, found.root.dag.tasks["a"]


def inputs_of(
    a: dict[str, Any], given: Values | None = None, produced: Mapping[str, Values] | None = None, **more: Any
) -> Values:
    found, one = pipeline(a, **more)
    return flow.task_inputs(
        found, one, given or Values(), produced or {}, lambda name: {"state": "FAILED", "pipelineTaskName": name}
    )


def test_inputs_come_from_everywhere_and_have_their_types() -> None:
    a = task("work", {"n": output("b", "n"), "name": around("who"), "rate": constant(2)})
    found = inputs_of(a, Values({"who": "me"}), {"b": Values({"n": 3.0})}, inputs={"who": kind("STRING")})
    assert dict(found.parameters) == {"n": 3, "name": "me", "rate": 2.0}
    assert [type(value) for value in (found.parameters["n"], found.parameters["rate"])] == [int, float]


def test_defaults_and_optional_inputs() -> None:
    assert dict(inputs_of(task("work", {"n": constant(1)})).parameters) == {"n": 1, "rate": 0.5}


def test_a_constant_refers_to_inputs_of_its_own_task() -> None:
    text = constant("{{$.inputs.parameters['of']}} at {{$.pipeline_job_name}}")
    a = task("work", {"n": constant(1), "name": text, "of": output("b", "s")})
    assert inputs_of(a, produced={"b": Values({"s": "x"})}).parameters["name"] == "x at {{$.pipeline_job_name}}"


def test_a_selector_takes_a_part() -> None:
    chosen = {**output("b", "conf"), "parameterExpressionSelector": 'parseJson(string_value)["k"]'}
    a = task("work", {"n": chosen})
    assert inputs_of(a, produced={"b": Values({"conf": {"k": 7}})}).parameters["n"] == 7
    with pytest.raises(Unresolved, match="no such key: k"):
        inputs_of(a, produced={"b": Values({"conf": {}})})


def test_what_is_missing_is_told() -> None:
    with pytest.raises(Unresolved, match="task 'b' has not given 'n'"):
        inputs_of(task("work", {"n": output("b", "n")}))
    with pytest.raises(Unresolved, match="NUMBER_INTEGER"):
        inputs_of(task("work", {"n": output("b", "n")}), produced={"b": Values({"n": 0.5})})
    taker = component(artifacts={"data": DATASET})
    with pytest.raises(Unresolved, match="'data' is missing"):
        inputs_of(task("taker", artifacts={"data": made("b", "data")}), taker=taker)


def test_the_final_status_of_a_task() -> None:
    final = component({"status": kind("TASK_FINAL_STATUS", isOptional=True)})
    a = task(
        "final",
        {"status": {"taskFinalStatus": {"producerTask": "b"}}},
        triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
    )
    assert inputs_of(a, final=final).parameters["status"] == {"state": "FAILED", "pipelineTaskName": "b"}


def test_iterations_over_parameters_in_order() -> None:
    items = {"items": {"raw": "[3, 1, 2]"}, "itemInput": "n"}
    found, a = pipeline(task("work", {"rate": constant(1)}, parameterIterator=items))
    each = flow.iterations(found, a, flow.task_inputs(found, a, Values(), {}, lambda _: {}))
    assert [dict(one.parameters) for one in each] == [{"n": n, "rate": 1.0} for n in (3, 1, 2)]


def test_iterations_over_an_input_and_over_artifacts() -> None:
    items = {"items": {"inputParameter": "all"}, "itemInput": "n"}
    found, a = pipeline(task("work", {"all": around("list")}, parameterIterator=items), {"list": kind("LIST")})
    inputs = flow.task_inputs(found, a, Values({"list": [5, 6]}), {}, lambda _: {})
    assert [one.parameters["n"] for one in flow.iterations(found, a, inputs)] == [5, 6]
    with pytest.raises(Unresolved, match="NUMBER_INTEGER"):
        flow.iterations(found, a, flow.task_inputs(found, a, Values({"list": ["x"]}), {}, lambda _: {}))
    taker = component(artifacts={"one": DATASET})
    maker = component(gives={"several": {**DATASET, "isArtifactList": True}})
    repeated = task(
        "taker",
        artifacts={"all": made("m", "several")},
        artifactIterator={"items": {"inputArtifact": "all"}, "itemInput": "one"},
    )
    found = parse(spec({"a": repeated, "m": task("maker")}, {"taker": taker, "maker": maker}))
    assert found.root.dag is not None
    a = found.root.dag.tasks["a"]
    inputs = flow.task_inputs(found, a, Values(), {"m": Values(artifacts={"several": (ONE, TWO)})}, lambda _: {})
    assert [one.artifacts["one"] for one in flow.iterations(found, a, inputs)] == [(ONE,), (TWO,)]


def test_outputs_of_dags_and_loops() -> None:
    chosen = [{"producerSubtask": name, "outputParameterKey": "score"} for name in ("x", "y")]
    dag = {
        "tasks": {name: task("work", {"n": constant(1)}) for name in ("x", "y")},
        "outputs": {
            "parameters": {
                "any": {"valueFromOneof": {"parameterSelectors": chosen}},
                "x": {"valueFromParameter": chosen[0]},
            },
            "artifacts": {"model": {"artifactSelectors": [{"producerSubtask": "y", "outputArtifactKey": "model"}]}},
        },
    }
    inner = component(
        outputs={"any": kind("NUMBER_DOUBLE"), "x": kind("NUMBER_DOUBLE")}, gives={"model": MODEL}, dag=dag
    )
    found, _ = pipeline(task("inner"), inner=inner)
    shell = found.components["inner"]
    x, y = Values({"score": 1.0}), Values({"score": 2.0}, {"model": (ONE,)})
    assert flow.dag_outputs(found, shell, Values(), {"x": x, "y": y}) == Values(
        {"any": 1.0, "x": 1.0}, {"model": (ONE,)}
    )
    with pytest.raises(Unresolved, match="'x'"):
        flow.dag_outputs(found, shell, Values(), {"y": y})
    each = [Values({"any": n, "x": n}, {"model": (one,)}) for n, one in ((1.0, ONE), (2.0, TWO))]
    assert flow.collected(found, shell, each) == Values({"any": [1.0, 2.0], "x": [1.0, 2.0]}, {"model": (ONE, TWO)})
    assert flow.collected(found, shell, []) == Values({"any": [], "x": []}, {"model": ()})


def test_an_importer_gives_an_artifact() -> None:
    importer = {
        "artifactUri": {"runtimeParameter": "uri"},
        "typeSchema": DATASET["artifactType"],
        "metadata": {"rows": 3, "of": "{{$.inputs.parameters['uri']}}"},
    }
    imported = component({"uri": kind("STRING")}, gives={"artifact": DATASET}, executor="i")
    found = parse(
        spec(
            {"a": task("im", {"uri": constant("gs://b/x")})}, {"im": imported}, executors={"i": {"importer": importer}}
        )
    )
    work = found.executors["i"]
    assert isinstance(work, Importer)
    assert flow.importer_artifact(work, Values({"uri": "gs://b/x"})) == {
        "name": "",
        "type": DATASET["artifactType"],
        "uri": "gs://b/x",
        "metadata": {"rows": 3, "of": "gs://b/x"},
    }


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("inputs.parameter_values['d'] > 0.5", {"d": 0.75}, True),
        ("int(inputs.parameter_values['i']) == 3", {"i": 3}, True),
        ("double(int(inputs.parameter_values['i'])) > 3.5", {"i": 3}, False),
        (r"inputs.parameter_values['s'] == 'it\'s'", {"s": "it's"}, True),
        (
            "inputs.parameters['i'].int_value > 2 && inputs.parameters['s'].string_value == 'a'",
            {"i": 3, "s": "a"},
            True,
        ),
        ("inputs.parameters['d'].double_value > 1.0", {"d": 0.5}, False),
        ("inputs.artifacts['data'].artifacts[0].metadata['rows'] > 2.0", {}, True),
        ("inputs.artifacts['data'].artifacts[0].metadata['none'] > 2.0", {}, None),
        ("inputs.parameter_values['o'] == 'a'", {}, None),
    ],
)
def test_conditions_of_a_task(text: str, values: dict[str, Any], expected: bool | None) -> None:
    takes = {
        name: kind(of, isOptional=True)
        for name, of in (("d", "NUMBER_DOUBLE"), ("i", "NUMBER_INTEGER"), ("s", "STRING"), ("o", "STRING"))
    }
    asked = component(takes, artifacts={"data": {**DATASET, "isOptional": True}})
    _, a = pipeline(task("asked", triggerPolicy={"condition": text}), asked=asked)
    assert a.condition is not None
    inputs = Values(values, {"data": ({**ONE, "metadata": {"rows": 3}},)})
    if expected is None:
        with pytest.raises(ConditionError, match="no such key"):
            a.condition.holds(inputs)
    else:
        assert a.condition.holds(inputs) is expected


def made_input() -> tuple[Any, dict[str, Any]]:
    found, _ = pipeline(task("work", {"n": constant(1)}))
    work = found.components["work"]
    return work, executor.build(
        work, Values({"n": 1, "rate": 0.5}, {"data": (ONE,)}), "gs://b/job/a_1", {"model": "m/1"}
    )


def test_the_executor_input() -> None:
    _, told = made_input()
    assert told["inputs"] == {"parameterValues": {"n": 1, "rate": 0.5}, "artifacts": {"data": {"artifacts": [ONE]}}}
    assert told["outputs"]["parameters"]["score"] == {"outputFile": "/gcs/b/job/a_1/score"}
    assert told["outputs"]["outputFile"] == "/gcs/b/job/a_1/executor_output.json"
    (model,) = told["outputs"]["artifacts"]["model"]["artifacts"]
    assert (model["name"], model["uri"], model["type"]["schemaTitle"]) == (
        "m/1",
        "gs://b/job/a_1/model",
        "system.Model",
    )
    assert told["_absent"] == {"name": "STRING"}


def collected(files: dict[str, Any]) -> Values:
    work, told = made_input()
    kept = {
        f"/gcs/b/job/a_1/{name}": (json.dumps(text) if isinstance(text, dict) else text).encode()
        for name, text in files.items()
    }
    return executor.collect(work, told, kept.get)


FILES: dict[str, Any] = {"score": "0.5", "label": "cat\n", "tags": '["a"]'}


def test_parameters_are_text_files() -> None:
    assert dict(collected(FILES).parameters) == {"score": 0.5, "label": "cat\n", "tags": ["a"]}


def test_the_executor_output_wins_and_changes_artifacts() -> None:
    told = {
        "parameterValues": {"score": 2},
        "artifacts": {"model": {"artifacts": [{"name": "other", "uri": "gs://b/else", "metadata": {"auc": 0.9}}]}},
    }
    found = collected({**FILES, "executor_output.json": told})
    assert found.parameters["score"] == 2.0
    (model,) = found.artifacts["model"]
    assert (model["name"], model["uri"], model["metadata"]) == ("m/1", "gs://b/else", {"auc": 0.9})


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"score": "0.5", "tags": "[]"}, "'label' was not written"),
        ({**FILES, "score": "high"}, "NUMBER_DOUBLE"),
        ({**FILES, "executor_output.json": "{"}, "no JSON"),
        ({**FILES, "executor_output.json": "[]"}, "no ExecutorOutput"),
        ({**FILES, "executor_output.json": {"values": {}}}, "it has values"),
        ({**FILES, "executor_output.json": {"parameterValues": {"z": 1}}}, "no output parameter"),
        ({**FILES, "executor_output.json": {"parameterValues": {"score": "x"}}}, "NUMBER_DOUBLE"),
        ({**FILES, "executor_output.json": {"artifacts": {"z": {}}}}, "no output artifact"),
        ({**FILES, "executor_output.json": {"artifacts": {"model": {"artifacts": [{}, {}]}}}}, "2 are told"),
    ],
)
def test_what_a_container_leaves_behind_may_be_wrong(files: dict[str, Any], says: str) -> None:
    with pytest.raises(OutputProblem, match=says):
        collected(files)
