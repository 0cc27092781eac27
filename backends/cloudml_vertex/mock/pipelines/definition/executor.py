"""The executor input that a container is told, and what it leaves behind (`ExecutorInput`, `ExecutorOutput`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from cloudml_vertex.mock.pipelines.definition.model import Component
from cloudml_vertex.mock.pipelines.definition.values import Artifact, Value, Values, fitted, from_text

OUTPUT_FILE = "executor_output.json"


class OutputProblem(Exception):
    """What a container left behind cannot be used; the text says why."""


def mounted(uri: str) -> str:
    """Where a container finds a gs:// URI: under /gcs."""
    return uri.replace("gs://", "/gcs/", 1) if uri.startswith("gs://") else uri


def build(
    component: Component, inputs: Values, task_root: str, artifact_names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The ExecutorInput of a task in proto3 JSON; outputs go below `task_root` (gs://…), each by its name.

    `_absent`, which is not told, has the types of optional parameters without a value.
    """
    names = artifact_names or {}
    folder = mounted(task_root)
    artifacts = {
        name: {
            "artifacts": [_begun(names.get(name, ""), declared.type, f"{task_root}/{_part(name)}", declared.metadata)]
        }
        for name, declared in component.output_artifacts.items()
    }
    absent = {
        name: declared.type
        for name, declared in component.parameters.items()
        if inputs.parameters.get(name) is None and declared.optional
    }
    return {
        **({"_absent": absent} if absent else {}),
        "inputs": {
            "parameterValues": dict(inputs.parameters),
            "artifacts": {
                name: {"artifacts": [dict(one) for one in listed]} for name, listed in inputs.artifacts.items()
            },
        },
        "outputs": {
            "parameters": {name: {"outputFile": f"{folder}/{_part(name)}"} for name in component.output_parameters},
            "artifacts": artifacts,
            "outputFile": f"{folder}/{OUTPUT_FILE}",
        },
    }


def collect(component: Component, executor_input: Mapping[str, Any], read: Callable[[str], bytes | None]) -> Values:
    """A task's outputs: text files by the parameters' types; `executor_output.json` wins, and may change artifacts.

    `read` gives a file's bytes, None when there is none. Raises OutputProblem.
    """
    outputs = executor_input["outputs"]
    said = _said(read(outputs["outputFile"]))
    told = {**_old(said.get("parameters", {})), **_map(said, "parameterValues")}
    for name in told:
        if name not in component.output_parameters:
            raise OutputProblem(f"{OUTPUT_FILE} holds {name!r}, which is no output parameter of the component")
    parameters: dict[str, Value] = {}
    for name, declared in component.output_parameters.items():
        if name in told:
            parameters[name] = _fit(name, told[name], declared.type)
        else:
            parameters[name] = _from_file(name, outputs["parameters"][name]["outputFile"], declared.type, read)
    return Values(parameters, _artifacts(component, outputs["artifacts"], _map(said, "artifacts")))


def _part(name: str) -> str:
    """An output's name as one part of a path."""
    return quote(name, safe=" ").replace("..", "%2E%2E") if name in {".", ".."} or "/" in name else name


def _begun(name: str, kind: Mapping[str, str], uri: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "type": dict(kind), "uri": uri, "metadata": dict(metadata)}


def _said(content: bytes | None) -> dict[str, Any]:
    if content is None or not content.strip():
        return {}
    try:
        found = json.loads(content)
    except ValueError:
        raise OutputProblem(f"{OUTPUT_FILE} is no JSON") from None
    if not isinstance(found, dict):
        raise OutputProblem(f"{OUTPUT_FILE} is no ExecutorOutput")
    unknown = set(found) - {"parameterValues", "parameters", "artifacts"}
    if unknown:
        raise OutputProblem(f"{OUTPUT_FILE} is no ExecutorOutput: it has {', '.join(sorted(unknown))}")
    return found


def _map(said: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = said.get(key) or {}
    if not isinstance(found, dict):
        raise OutputProblem(f"{OUTPUT_FILE}: {key} is no map")
    return found


def _old(parameters: Any) -> dict[str, Value]:
    """The deprecated `parameters`: each an ml_pipelines.Value."""
    if not isinstance(parameters, dict) or not all(isinstance(one, dict) for one in parameters.values()):
        raise OutputProblem(f"{OUTPUT_FILE}: parameters is no map of values")
    found: dict[str, Value] = {}
    for name, value in parameters.items():
        (kind, one), *more = value.items() or [("", None)]
        if more or kind not in {"intValue", "doubleValue", "stringValue"}:
            raise OutputProblem(f"{OUTPUT_FILE}: parameters[{name!r}] is no value")
        found[name] = int(one) if kind == "intValue" else one
    return found


def _fit(name: str, value: Value, kind: str) -> Value:
    try:
        return fitted(value, kind)
    except ValueError as error:
        raise OutputProblem(f"output parameter {name!r}: {error}") from None


def _from_file(name: str, path: str, kind: str, read: Callable[[str], bytes | None]) -> Value:
    content = read(path)
    if content is None:
        raise OutputProblem(f"output parameter {name!r} was not written: there is no file {path}")
    try:
        return from_text(content.decode(), kind)
    except UnicodeDecodeError:
        raise OutputProblem(f"output parameter {name!r}: {path} is no UTF-8 text") from None
    except ValueError as error:
        raise OutputProblem(f"output parameter {name!r}: {error}") from None


def _artifacts(
    component: Component, planned: Mapping[str, Any], told: Mapping[str, Any]
) -> dict[str, tuple[Artifact, ...]]:
    found: dict[str, tuple[Artifact, ...]] = {}
    for name in told:
        if name not in component.output_artifacts:
            raise OutputProblem(f"{OUTPUT_FILE} holds {name!r}, which is no output artifact of the component")
    for name, declared in component.output_artifacts.items():
        begun = planned[name]["artifacts"][0]
        said = told.get(name)
        listed = said.get("artifacts", []) if isinstance(said, dict) else []
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise OutputProblem(f"{OUTPUT_FILE}: artifacts[{name!r}] is no list of artifacts")
        if len(listed) > 1 and not declared.is_list:
            raise OutputProblem(f"{OUTPUT_FILE}: output artifact {name!r} is one artifact, and {len(listed)} are told")
        found[name] = tuple(_merged(begun, one, single=len(listed) == 1) for one in listed) if listed else (begun,)
    return found


def _merged(begun: Mapping[str, Any], said: Mapping[str, Any], *, single: bool) -> dict[str, Any]:
    """An artifact as the executor tells it: its URI and its metadata, on top of what it began with."""
    name = begun["name"] if single else said.get("name", "")
    metadata = {**begun["metadata"], **(said.get("metadata") or {})}
    return {"name": name, "type": begun["type"], "uri": said.get("uri") or begun["uri"], "metadata": metadata}
