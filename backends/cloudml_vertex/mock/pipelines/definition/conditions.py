"""Trigger conditions and parameter selectors: read and typed when the job is created, evaluated in the task's turn.

`PipelineTaskSpec.TriggerPolicy.condition` is CEL over `inputs` (ExecutorInput.Inputs, pipeline_spec.proto). Numbers in
`inputs.parameter_values` are google.protobuf.Value, so double whatever their parameter's type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudml_vertex.mock.pipelines.definition import cel
from cloudml_vertex.mock.pipelines.definition.cel.functions import of_json
from cloudml_vertex.mock.pipelines.definition.cel.types import ListType, MapType, Message, Type
from cloudml_vertex.mock.pipelines.definition.values import Value, Values, to_text

_TYPES: dict[str, Type] = {
    "NUMBER_INTEGER": "double",
    "NUMBER_DOUBLE": "double",
    "STRING": "string",
    "BOOLEAN": "bool",
    "LIST": ListType("dyn"),
    "STRUCT": MapType("dyn"),
    "TASK_FINAL_STATUS": MapType("dyn"),
}
_OLD_VALUE = Message("ml_pipelines.Value", {"int_value": "int", "double_value": "double", "string_value": "string"})
_ARTIFACT = Message(
    "ml_pipelines.RuntimeArtifact",
    {"name": "string", "uri": "string", "metadata": MapType("dyn"), "type": MapType("dyn")},
)
_ARTIFACTS = Message("ml_pipelines.ArtifactList", {"artifacts": ListType(_ARTIFACT)})


class ConditionError(Exception):
    """A condition has no value; the text says why. The task fails."""


@dataclass(frozen=True)
class Condition:
    """A typed condition."""

    text: str
    node: cel.Node
    cross_numbers: bool = False

    def holds(self, inputs: Values) -> bool:
        """Whether it is true for the task's inputs. Raises ConditionError, also for a value that is no bool."""
        try:
            value = cel.evaluate(self.node, {"inputs": _inputs(inputs)}, self.cross_numbers)
        except cel.CelError as error:
            raise ConditionError(f"condition {self.text!r}: {error}") from None
        if not isinstance(value, bool):
            raise ConditionError(f"condition {self.text!r}: the value is no bool")
        return value


@dataclass(frozen=True)
class Selector:
    """`parameterExpressionSelector`: CEL that takes a part out of a parameter, as in parseJson(string_value)["key"]."""

    text: str
    node: cel.Node

    def of(self, value: Value) -> Value:
        """The part of the value. Raises ConditionError."""
        try:
            return cel.evaluate(self.node, {"string_value": to_text(value)})
        except cel.CelError as error:
            raise ConditionError(f"parameterExpressionSelector {self.text!r}: {error}") from None


def condition(
    text: str, parameters: Mapping[str, str], artifacts: Mapping[str, Any], *, declared: bool, cross_numbers: bool
) -> Condition:
    """Read and type a condition over parameters (name -> type) and artifacts. Raises cel.CelError.

    `declared`: a parameter has the type that its component declares; else only values tell.
    """
    typed = {name: _TYPES.get(kind, "dyn") if declared else "dyn" for name, kind in parameters.items()}
    inputs = Message(
        "inputs",
        {
            "parameter_values": MapType("dyn", typed, closed=True, what="input parameter"),
            "parameters": MapType(_OLD_VALUE, dict.fromkeys(typed, _OLD_VALUE), closed=True, what="input parameter"),
            "artifacts": MapType(_ARTIFACTS, dict.fromkeys(artifacts, _ARTIFACTS), closed=True, what="input artifact"),
        },
    )
    node = cel.parse(text)
    found = cel.check(node, {"inputs": inputs}, cross_numbers)
    if found not in {"bool", "dyn"}:
        raise cel.CelError(f"a condition is a bool, and this is {found}")
    return Condition(text, node, cross_numbers)


def selector(text: str) -> Selector:
    """Read and type a selector. Raises cel.CelError."""
    node = cel.parse(text)
    cel.check(node, {"string_value": "string"})
    return Selector(text, node)


def _inputs(inputs: Values) -> dict[str, Any]:
    given = {name: value for name, value in inputs.parameters.items() if value is not None}
    return {
        "parameter_values": {name: of_json(value) for name, value in given.items()},
        "parameters": {name: _old(value) for name, value in given.items()},
        "artifacts": {
            name: {"artifacts": [_artifact(one) for one in listed]} for name, listed in inputs.artifacts.items()
        },
    }


def _old(value: Value) -> dict[str, Any]:
    """The deprecated ml_pipelines.Value: one of three kinds is set, the others have their defaults."""
    found: dict[str, Any] = {"int_value": 0, "double_value": 0.0, "string_value": ""}
    if isinstance(value, float):
        found["double_value"] = value
    elif isinstance(value, int) and not isinstance(value, bool):
        found["int_value"] = value
    else:
        found["string_value"] = to_text(value)
    return found


def _artifact(artifact: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": artifact.get("name", ""),
        "uri": artifact.get("uri", ""),
        "metadata": of_json(dict(artifact.get("metadata", {}))),
        "type": of_json(dict(artifact.get("type", {}))),
    }
