"""What components take and give: `ComponentInputsSpec` and `ComponentOutputsSpec`."""

from __future__ import annotations

from typing import Any

from cloudml_vertex.mock.pipelines.definition.model import (
    ArtifactInput,
    ArtifactOutput,
    ParameterInput,
    ParameterOutput,
)
from cloudml_vertex.mock.pipelines.definition.problems import Problems, within
from cloudml_vertex.mock.pipelines.definition.values import PRIMITIVES, TYPES, fitted, native, native_struct

LONGEST_DESCRIPTION = 1024
"""Characters of an input's or output's description (pipeline_spec.proto)."""

_SCHEMA = {"schema_title": "schemaTitle", "schema_uri": "schemaUri", "instance_schema": "instanceSchema"}


def input_parameters(spec: Any, path: str, problems: Problems) -> dict[str, ParameterInput]:
    """The parameters that a component takes."""
    found: dict[str, ParameterInput] = {}
    for name, one in sorted(spec.parameters.items()):
        where = within(f"{path}.inputDefinitions.parameters", name)
        kind = _parameter_type(one, where, problems)
        _described(one.description, where, problems)
        has_default = one.HasField("default_value")
        default = native(one.default_value) if has_default else None
        if has_default and default is None:
            has_default = False
        if has_default and kind in TYPES:
            try:
                default = fitted(default, kind)
            except ValueError as error:
                problems.add(f"{where}.defaultValue", str(error))
        literals = tuple(native(value) for value in one.literals)
        found[name] = ParameterInput(name, kind, one.is_optional, default, has_default, literals)
    return found


def input_artifacts(spec: Any, path: str, problems: Problems) -> dict[str, ArtifactInput]:
    """The artifacts that a component takes."""
    found: dict[str, ArtifactInput] = {}
    for name, one in sorted(spec.artifacts.items()):
        where = within(f"{path}.inputDefinitions.artifacts", name)
        _described(one.description, where, problems)
        kind = artifact_type(one.artifact_type, f"{where}.artifactType", problems)
        found[name] = ArtifactInput(name, kind, one.is_artifact_list, one.is_optional)
        if name in spec.parameters:
            problems.add(where, "there is an input parameter of the same name")
    return found


def output_parameters(spec: Any, path: str, problems: Problems) -> dict[str, ParameterOutput]:
    """The parameters that a component gives."""
    found: dict[str, ParameterOutput] = {}
    for name, one in sorted(spec.parameters.items()):
        where = within(f"{path}.outputDefinitions.parameters", name)
        _described(one.description, where, problems)
        found[name] = ParameterOutput(name, _parameter_type(one, where, problems))
    return found


def output_artifacts(spec: Any, path: str, problems: Problems) -> dict[str, ArtifactOutput]:
    """The artifacts that a component gives."""
    found: dict[str, ArtifactOutput] = {}
    for name, one in sorted(spec.artifacts.items()):
        where = within(f"{path}.outputDefinitions.artifacts", name)
        _described(one.description, where, problems)
        kind = artifact_type(one.artifact_type, f"{where}.artifactType", problems)
        found[name] = ArtifactOutput(name, kind, one.is_artifact_list, native_struct(one.metadata))
        if name in spec.parameters:
            problems.add(where, "there is an output parameter of the same name")
    return found


def artifact_type(schema: Any, path: str, problems: Problems) -> dict[str, str]:
    """`ArtifactTypeSchema` as a document; one of its three kinds is required."""
    kind = schema.WhichOneof("kind")
    if kind is None:
        problems.add(path, "requires a schemaTitle, a schemaUri or an instanceSchema")
        return {}
    found = {_SCHEMA[kind]: str(getattr(schema, kind))}
    if schema.schema_version:
        found["schemaVersion"] = schema.schema_version
    return found


def _parameter_type(one: Any, where: str, problems: Problems) -> str:
    new = one.DESCRIPTOR.fields_by_name["parameter_type"].enum_type.values_by_number.get(one.parameter_type)
    old = one.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number.get(one.type)
    if one.parameter_type:
        kind = new.name if new is not None else str(one.parameter_type)
    elif one.type:
        kind = PRIMITIVES.get(old.name if old is not None else "", str(one.type))
    else:
        kind = ""
    if kind not in TYPES:
        asked = f"{kind} is not supported" if kind else "is required"
        problems.add(f"{where}.parameterType", f"{asked}; the types are {', '.join(TYPES)}")
    return kind


def _described(text: str, where: str, problems: Problems) -> None:
    if len(text) > problems.longest_description:
        problems.add(f"{where}.description", f"has {len(text)} characters, more than {LONGEST_DESCRIPTION}")
