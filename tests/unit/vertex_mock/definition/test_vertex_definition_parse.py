"""PipelineSpecs that are refused: what is said of them, and where. The rules are those of pipeline_spec.proto."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from cloudml_vertex.mock.pipelines.definition.model import COMPLETED, FromInput, FromTask, Importer, Iterator
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
    problems,
    spec,
    task,
)

KFP = Path(__file__).parents[3] / "data" / "kfp"

NUMBER = component({"n": kind("NUMBER_INTEGER")}, {"out": kind("NUMBER_INTEGER")})
MAKE = component(gives={"data": DATASET})
TAKE = component(artifacts={"data": DATASET})
FINAL = component({"status": kind("TASK_FINAL_STATUS", isOptional=True)})
TASK_A = "root.dag.tasks['a']"
AT_A = "root.dag.tasks.a"
PARAMETER = "components['number'].inputDefinitions.parameters['n']"
AT_PARAMETER = "components.number.inputDefinitions.parameters.n"
RUN = "deploymentSpec.executors['exec-run']"
AT_RUN = "deploymentSpec.executors.exec-run"
N = f"{TASK_A}.inputs.parameters['n']"
CONDITION = f"{TASK_A}.triggerPolicy.condition"


def number(**more: Any) -> dict[str, Any]:
    """A task of NUMBER."""
    return task("number", {"n": more.pop("n", constant(1))}, **more)


def one(a: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A pipeline of task `a` and task `b`, a NUMBER."""
    return spec({"a": a, "b": number()}, {"number": NUMBER, "make": MAKE, "take": TAKE, "final": FINAL}, **more)


def changed(path: str, value: Any) -> dict[str, Any]:
    """A sound pipeline with one field set: names joined with full stops; `value` None removes it."""
    document = copy.deepcopy(one(number()))
    *way, last = path.split(".")
    holder = document
    for name in way:
        holder = holder.setdefault(name, {})
    if value is None:
        holder.pop(last)
    else:
        holder[last] = value
    return document


def test_the_pipelines_that_kfp_compiled_are_read() -> None:
    found = {path.stem: json.loads(path.read_text()) for path in sorted(KFP.glob("*.json"))}
    specs = {name: one.get("pipeline") or one.get("spec") or one for name, one in found.items() if name != "local"}
    wrong = {name: problems(one) for name, one in specs.items() if "pipelineInfo" in one}
    assert len(wrong) > 20
    assert not any(wrong.values()), wrong


def test_a_pipeline_as_understood() -> None:
    document = one(
        number(
            n=output("b", "out"),
            dependentTasks=["b"],
            cachingOptions={"enableCache": True},
            retryPolicy={"maxRetryCount": 2, "backoffDuration": "1.5s", "backoffFactor": 3},
            triggerPolicy={"condition": "int(inputs.parameter_values['n']) > 2"},
            taskInfo={"name": "shown"},
        )
    )
    found = parse(document)
    assert found.root.dag is not None
    a = found.root.dag.tasks["a"]
    assert (a.name, a.cache, a.upstream, a.parameters["n"]) == ("shown", True, ("b",), FromTask("b", "out"))
    assert a.retry is not None
    assert (a.retry.count, a.retry.backoff, a.retry.factor, a.retry.max) == (2, 1.5, 3.0, 3600.0)
    assert a.condition is not None
    assert a.condition.text == "int(inputs.parameter_values['n']) > 2"
    assert found.root.dag.order == ("b", "a")


def test_names_of_fields_may_be_those_of_the_proto() -> None:
    document = one(number())
    document["pipeline_info"] = document.pop("pipelineInfo")
    document["schema_version"] = document.pop("schemaVersion")
    document["deployment_spec"] = document.pop("deploymentSpec")
    assert problems(document) == {}
    assert set(problems({**document, "schemaVersion": "2.1.0"})) == {"schemaVersion"}


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("unknown", 1, "unknown"),
        (f"{AT_A}.cachingOption", {}, f"{TASK_A}.cachingOption"),
        (f"{AT_RUN}.container.imag", "x", f"{RUN}.container.imag"),
        (f"{AT_PARAMETER}.type_", 1, f"{PARAMETER}.type_"),
        ("schemaVersion", "2.0.0", "schemaVersion"),
        ("schemaVersion", None, "schemaVersion"),
        ("pipelineInfo.name", "Not a name", "pipelineInfo.name"),
        ("pipelineInfo.name", "a" * 129, "pipelineInfo.name"),
        ("pipelineInfo.description", "a" * 1025, "pipelineInfo.description"),
        ("defaultPipelineRoot", "/tmp/root", "defaultPipelineRoot"),
        ("components.number.executorLabel", "nobody", "components['number'].executorLabel"),
        ("components.number.executorLabel", None, "components['number']"),
        (f"{AT_PARAMETER}.parameterType", "TASK_CONFIG", f"{PARAMETER}.parameterType"),
        (f"{AT_PARAMETER}.defaultValue", "seven", f"{PARAMETER}.defaultValue"),
        (f"{AT_PARAMETER}.defaultValue", 2**53, f"{PARAMETER}.defaultValue"),
        ("components.make.outputDefinitions.artifacts.data.artifactType", {},
         "components['make'].outputDefinitions.artifacts['data'].artifactType"),
        (f"{AT_RUN}.container.image", "", f"{RUN}.container.image"),
        (AT_RUN, {"resolver": {}}, RUN),
        (AT_RUN, {"customJob": {}}, RUN),
        (f"{AT_RUN}.container.env", [{"name": "1 x"}], f"{RUN}.container.env[0].name"),
        (f"{AT_A}.componentRef.name", "nobody", f"{TASK_A}.componentRef.name"),
        (f"{AT_A}.dependentTasks", ["nobody"], f"{TASK_A}.dependentTasks"),
        (f"{AT_A}.dependentTasks", ["a"], f"{TASK_A}.dependentTasks"),
        (f"{AT_A}.inputs.parameters.n", constant("seven"), f"{N}.runtimeValue.constant"),
        (f"{AT_A}.inputs.parameters.n", constant(2.5), f"{N}.runtimeValue.constant"),
        (f"{AT_A}.inputs.parameters.n", constant(2**53), f"{N}.runtimeValue.constant"),
        (f"{AT_A}.inputs.parameters.n", {}, N),
        (f"{AT_A}.inputs.parameters.n", around("nobody"), N),
        (f"{AT_A}.inputs.parameters.n", output("nobody", "out"), N),
        (f"{AT_A}.inputs.parameters.n", output("b", "nothing"), N),
        (f"{AT_A}.inputs.parameters.n", output("a", "out"), N),
        (f"{AT_A}.inputs.parameters", {}, f"{TASK_A}.inputs.parameters"),
        (f"{AT_A}.inputs.parameters.misspelt", constant(1), f"{TASK_A}.inputs.parameters['misspelt']"),
        (f"{AT_A}.inputs.artifacts.data", made("b", "out"), f"{TASK_A}.inputs.artifacts['data']"),
        (f"{AT_A}.triggerPolicy.condition", "inputs.parameter_values['n'] > 1", CONDITION),
        (f"{AT_A}.triggerPolicy.condition", "inputs.parameter_values['z'] > 1.0", CONDITION),
        (f"{AT_A}.triggerPolicy.condition", "inputs.parameter_values['n'] == 'it's'", CONDITION),
        (f"{AT_A}.triggerPolicy.condition", "1 + 1", CONDITION),
        (f"{AT_A}.triggerPolicy.strategy", "SOMETIMES", ""),
        (f"{AT_A}.retryPolicy.maxRetryCount", -1, f"{TASK_A}.retryPolicy.maxRetryCount"),
        (f"{AT_A}.iteratorPolicy.parallelismLimit", 2, f"{TASK_A}.iteratorPolicy"),
        ("root.dag.tasks", {}, "root.dag.tasks"),
    ],
)  # fmt: skip
def test_what_is_wrong_and_where(path: str, value: Any, where: str) -> None:
    assert where in problems(changed(path, value))


def test_everything_is_told_at_once() -> None:
    document = one(number(n=output("nobody", "x"), dependentTasks=["c"]))
    document["pipelineInfo"]["name"] = "!"
    assert len(problems(document)) == 3


def test_tasks_that_wait_for_one_another() -> None:
    document = one(number(n=output("b", "out"), dependentTasks=["b"]))
    document["root"]["dag"]["tasks"]["b"]["dependentTasks"] = ["a"]
    assert problems(document) == {"root.dag.tasks": "the tasks wait for one another in a circle: a -> b -> a"}


def test_a_component_inside_of_itself() -> None:
    inner = component(dag={"tasks": {"again": task("outer")}})
    outer = component(dag={"tasks": {"in": task("inner")}})
    found = problems(spec({"a": task("outer")}, {"outer": outer, "inner": inner}))
    assert set(found) == {"components['inner']", "components['outer']"}


@pytest.mark.parametrize(
    ("given", "chosen", "refused"),
    [
        ("NUMBER_INTEGER", {}, True),
        ("NUMBER_INTEGER", {"parameter_types": "integer-as-double"}, False),
        ("STRING", {"parameter_types": "integer-as-double"}, True),
        ("NUMBER_DOUBLE", {}, False),
    ],
)
def test_types_of_producer_and_consumer(given: str, chosen: dict[str, str], refused: bool) -> None:
    produce, consume = component(outputs={"out": kind(given)}), component({"x": kind("NUMBER_DOUBLE")})
    tasks = {"p": task("produce"), "c": task("consume", {"x": output("p", "out")}, dependentTasks=["p"])}
    found = problems(spec(tasks, {"produce": produce, "consume": consume}), **chosen)
    assert (set(found) == {"root.dag.tasks['c'].inputs.parameters['x']"}) is refused


def test_artifacts_of_another_schema() -> None:
    tasks = {"m": task("make"), "t": task("take", artifacts={"data": made("m", "data")})}
    wrong = spec(tasks, {"make": component(gives={"data": MODEL}), "take": TAKE})
    assert problems(wrong) == {
        "root.dag.tasks['t'].inputs.artifacts['data']": "the component takes system.Dataset and is given system.Model"
    }
    assert problems(wrong, artifact_types="ignore") == {}
    anything = component(artifacts={"data": {"artifactType": {"schemaTitle": "system.Artifact"}}})
    assert problems(spec(tasks, {"make": component(gives={"data": MODEL}), "take": anything})) == {}


def test_dependent_tasks_of_data_are_asked_for_by_a_switch() -> None:
    document = one(number(n=output("b", "out")))
    assert problems(document) == {}
    assert set(problems(document, missing_dependent_tasks="refuse")) == {f"{TASK_A}.dependentTasks"}


def test_long_descriptions_of_inputs_are_refused_by_a_switch() -> None:
    document = changed(f"{AT_PARAMETER}.description", "a" * 1025)
    assert problems(document) == {}
    assert len(problems(document, long_descriptions="refuse")) == 1


def test_a_final_status_needs_a_task_that_waits_for_any_end() -> None:
    def document(**more: Any) -> dict[str, Any]:
        return one(task("final", {"status": {"taskFinalStatus": {"producerTask": "b"}}}, **more))

    assert set(problems(document())) == {f"{TASK_A}.inputs.parameters['status']"}
    found = parse(document(triggerPolicy={"strategy": COMPLETED}))
    assert found.root.dag is not None
    assert found.root.dag.tasks["a"].upstream == ("b",)


def loop(items: dict[str, Any], item: str = "n", **more: Any) -> dict[str, Any]:
    """A pipeline whose task `a` is repeated."""
    a = task("number", more.pop("parameters", None), parameterIterator={"items": items, "itemInput": item}, **more)
    return spec({"a": a}, {"number": NUMBER}, {"list": kind("LIST"), "text": kind("STRING")})


@pytest.mark.parametrize(
    ("document", "where"),
    [
        (loop({"raw": "[1, 2]"}), None),
        (loop({"raw": "[1, 'x']"}), "items.raw"),
        (loop({"raw": "{}"}), "items.raw"),
        (loop({"raw": '[1, "two"]'}), "items.raw[1]"),
        (loop({}), "items"),
        (loop({"raw": "[1]"}, "z"), "itemInput"),
        (loop({"raw": "[1]"}, ""), "itemInput"),
        (loop({"raw": "[1]"}, parameters={"n": constant(1)}), "itemInput"),
        (loop({"inputParameter": "nobody"}), "items.inputParameter"),
        (loop({"inputParameter": "l"}, parameters={"l": around("list")}), None),
        (loop({"inputParameter": "l"}, parameters={"l": around("text")}), "items.inputParameter"),
    ],
)
def test_the_rules_of_iterators(document: dict[str, Any], where: str | None) -> None:
    found = problems(document)
    assert not found if where is None else f"{TASK_A}.parameterIterator.{where}" in found


def test_what_a_loop_gives_is_a_list() -> None:
    document = loop({"raw": "[1]"}, iteratorPolicy={"parallelismLimit": 3})
    document["components"]["sum"] = component({"all": kind("LIST")})
    document["root"]["dag"]["tasks"]["sum"] = task("sum", {"all": output("a", "out")})
    found = parse(document)
    assert found.root.dag is not None
    a = found.root.dag.tasks["a"]
    assert a.parallelism == 3
    assert isinstance(a.iterator, Iterator)
    document["root"]["dag"]["tasks"]["b"] = number(n=output("a", "out"))
    assert problems(document) == {
        "root.dag.tasks['b'].inputs.parameters['n']": "the component takes NUMBER_INTEGER and is given LIST"
    }


def nested(outputs: dict[str, Any], declared: dict[str, Any] | None = None) -> dict[str, Any]:
    """A pipeline with a DAG inside."""
    dag = {"tasks": {"one": number()}, "outputs": {"parameters": outputs}}
    inner = component(outputs=declared if declared is not None else {"x": kind("NUMBER_INTEGER")}, dag=dag)
    return spec({"a": task("inner")}, {"inner": inner, "number": NUMBER})


@pytest.mark.parametrize(
    ("outputs", "where"),
    [
        ({"x": {"valueFromParameter": {"producerSubtask": "one", "outputParameterKey": "out"}}}, None),
        ({"x": {"valueFromOneof": {"parameterSelectors": [{"producerSubtask": "one", "outputParameterKey": "out"}]}}},
         None),
        ({"x": {"valueFromParameter": {"producerSubtask": "two", "outputParameterKey": "out"}}}, "['x']"),
        ({"x": {"valueFromParameter": {"producerSubtask": "one", "outputParameterKey": "z"}}}, "['x']"),
        ({"x": {"valueFromOneof": {}}}, "['x']"),
        ({"x": {}}, "['x']"),
        ({}, ""),
        ({"x": {"valueFromParameter": {"producerSubtask": "one", "outputParameterKey": "out"}},
          "y": {"valueFromParameter": {"producerSubtask": "one", "outputParameterKey": "out"}}}, "['y']"),
    ],
)  # fmt: skip
def test_outputs_of_a_dag_are_declared_and_there(outputs: dict[str, Any], where: str | None) -> None:
    found = problems(nested(outputs))
    assert not found if where is None else f"components['inner'].dag.outputs.parameters{where}" in found


def test_outputs_do_not_cross_a_dag_undeclared() -> None:
    document = nested({"x": {"valueFromParameter": {"producerSubtask": "one", "outputParameterKey": "out"}}})
    document["root"]["dag"]["tasks"]["b"] = number(n=output("one", "out"))
    (what,) = problems(document).values()
    assert "there is no task 'one' in this DAG" in what


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{$.inputs.parameters['z']}}", "no input parameter 'z'"),
        ("{{$.inputs.artifacts['z'].uri}}", "no input artifact 'z'"),
        ("{{$.outputs.parameters['z'].output_file}}", "no output parameter 'z'"),
        ("{{$.outputs.artifacts['z'].path}}", "no output artifact 'z'"),
        ("{{$.pipeline_nothing}}", "unknown placeholder"),
        ("{{$.inputs.artifacts['n'].size}}", "unknown placeholder"),
        ('{"IfPresent": {"InputName": "z", "Then": "x"}}', "no input 'z'"),
        ('{"IfPresent": {"Then": "x"}}', "IfPresent takes"),
        ('{"Concat": ["a", "{{$.nothing}}"]}', "unknown placeholder"),
        ('{"Concat": "a"}', "Concat takes a list"),
    ],
)
def test_placeholders_are_checked_before_anything_runs(text: str, says: str) -> None:
    document = one(number())
    document["deploymentSpec"]["executors"]["exec-run"]["container"]["args"] = ["fine", text]
    for name in ("make", "take", "final"):
        del document["components"][name]
    found = problems(document)
    assert says in found[f"{RUN}.container.args[1]"]


def test_importers() -> None:
    importer = {
        "importer": {
            "artifactUri": {"runtimeParameter": "uri"},
            "typeSchema": DATASET["artifactType"],
            "reimport": True,
        }
    }
    imported = component({"uri": kind("STRING")}, gives={"artifact": DATASET}, executor="exec-import")
    document = spec(
        {"a": task("import", {"uri": constant("gs://b/x")})}, {"import": imported}, executors={"exec-import": importer}
    )
    work = parse(document).executors["exec-import"]
    assert isinstance(work, Importer)
    assert (work.uri, work.reimport, work.type["schemaTitle"]) == (FromInput("uri"), True, "system.Dataset")
    document["components"]["import"]["inputDefinitions"]["parameters"] = {"url": kind("STRING", isOptional=True)}
    document["root"]["dag"]["tasks"]["a"] = task("import")
    assert set(problems(document)) == {"deploymentSpec.executors['exec-import'].importer.artifactUri"}


def test_a_thousand_tasks_are_read() -> None:
    tasks = {f"t{n}": number(n=constant(1) if n == 0 else output(f"t{n - 1}", "out")) for n in range(1000)}
    found = parse(spec(tasks, {"number": NUMBER}))
    assert found.root.dag is not None
    assert found.root.dag.order == tuple(f"t{n}" for n in range(1000))
