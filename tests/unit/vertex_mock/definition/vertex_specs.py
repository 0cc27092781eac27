"""Small pipelines for tests, as documents of PipelineSpec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudml.mocks.switches import Switches
from cloudml_vertex.mock.core.doubts import SWITCHES
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.pipelines import definition
from cloudml_vertex.mock.pipelines.definition.model import Definition

DATASET = {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}
MODEL = {"artifactType": {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"}}


def kind(name: str, **more: Any) -> dict[str, Any]:
    """A parameter of a type."""
    return {"parameterType": name, **more}


def component(
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    artifacts: Mapping[str, Any] | None = None,
    gives: Mapping[str, Any] | None = None,
    dag: Mapping[str, Any] | None = None,
    executor: str = "exec-run",
) -> dict[str, Any]:
    """A component: parameters in and out, artifacts in and out, a DAG or an executor's label."""
    found: dict[str, Any] = {"dag": dict(dag)} if dag is not None else {"executorLabel": executor}
    for field, parameters, listed in (("inputDefinitions", inputs, artifacts), ("outputDefinitions", outputs, gives)):
        parts = {"parameters": parameters or {}, "artifacts": listed or {}}
        if any(parts.values()):
            found[field] = {key: dict(value) for key, value in parts.items() if value}
    return found


def task(name: str, parameters: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A task that runs a component; `artifacts` go to its inputs."""
    inputs = {"parameters": parameters or {}, "artifacts": more.pop("artifacts", {})}
    found = {"componentRef": {"name": name}, "taskInfo": {"name": name}, **more}
    if any(inputs.values()):
        found["inputs"] = {key: value for key, value in inputs.items() if value}
    return found


def constant(value: Any) -> dict[str, Any]:
    """A task's parameter that is a constant."""
    return {"runtimeValue": {"constant": value}}


def around(name: str) -> dict[str, Any]:
    """A task's parameter that is an input of the component around."""
    return {"componentInputParameter": name}


def output(task_key: str, key: str) -> dict[str, Any]:
    """A task's parameter that is an output of another task."""
    return {"taskOutputParameter": {"producerTask": task_key, "outputParameterKey": key}}


def made(task_key: str, key: str) -> dict[str, Any]:
    """A task's artifact that is an output of another task."""
    return {"taskOutputArtifact": {"producerTask": task_key, "outputArtifactKey": key}}


def spec(
    tasks: Mapping[str, Any],
    components: Mapping[str, Any],
    inputs: Mapping[str, Any] | None = None,
    executors: Mapping[str, Any] | None = None,
    **root: Any,
) -> dict[str, Any]:
    """A pipeline."""
    containers = executors or {"exec-run": {"container": {"image": "registry/run:1", "command": ["run"]}}}
    return {
        "pipelineInfo": {"name": "small"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "tests",
        "deploymentSpec": {"executors": containers},
        "components": dict(components),
        "root": component(inputs, dag={"tasks": dict(tasks), **root}, outputs=None),
    }


def switches(**chosen: str) -> Switches:
    """The mock's switches; underscores stand for hyphens."""
    return Switches(SWITCHES, {name.replace("_", "-"): choice for name, choice in chosen.items()})


def parse(document: Mapping[str, Any], **chosen: str) -> Definition:
    """Read a pipeline."""
    return definition.parse(document, switches(**chosen))


def problems(document: Mapping[str, Any], **chosen: str) -> dict[str, str]:
    """What is wrong with a pipeline, by path; empty when nothing is."""
    refusal = None
    try:
        parse(document, **chosen)
    except GoogleError as error:
        refusal = error
    if refusal is None:
        return {}
    assert refusal.code == "INVALID_ARGUMENT"
    return {one["field"]: one["description"] for one in refusal.details[0]["field_violations"]}
