"""Executors: `PipelineDeploymentConfig`. Vertex AI runs containers and importers; other kinds are refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cloudml_vertex.mock.pipelines.definition.interfaces import artifact_type
from cloudml_vertex.mock.pipelines.definition.model import Constant, Container, FromInput, Importer, Resources
from cloudml_vertex.mock.pipelines.definition.problems import Problems, within
from cloudml_vertex.mock.pipelines.definition.values import native, native_struct

Executor = Container | Importer

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")


def executors(config: Any, problems: Problems) -> dict[str, Executor]:
    """Every executor by its label."""
    found: dict[str, Executor] = {}
    for label, spec in sorted(config.executors.items()):
        where = within("deploymentSpec.executors", label)
        kind = spec.WhichOneof("spec")
        if kind in _KINDS:
            found[label] = _KINDS[kind](label, getattr(spec, kind), f"{where}.{kind}", problems)
        elif kind is None:
            problems.add(where, "requires a container or an importer")
        else:
            problems.add(where, f"executors of the kind {kind} are not executed; use a container or an importer")
    return found


def _container(label: str, spec: Any, where: str, problems: Problems) -> Container:
    if not spec.image:
        problems.add(f"{where}.image", "is required")
    if spec.HasField("lifecycle"):
        problems.add(f"{where}.lifecycle", "a pre-cache check is not executed by this mock")
    for number, variable in enumerate(spec.env):
        if not _ENV_NAME.fullmatch(variable.name):
            problems.add(f"{where}.env[{number}].name", f"{variable.name!r} is no name of an environment variable")
    return Container(
        label,
        spec.image,
        tuple(spec.command),
        tuple(spec.args),
        tuple((variable.name, variable.value) for variable in spec.env),
        _resources(spec.resources, f"{where}.resources", problems),
    )


def _resources(spec: Any, where: str, problems: Problems) -> Resources:
    for field in ("cpu_limit", "memory_limit", "cpu_request", "memory_request"):
        if getattr(spec, field) < 0:
            problems.add(f"{where}.{field}", "must not be negative")
    accelerator = spec.accelerator
    return Resources(
        spec.resource_cpu_limit or spec.cpu_limit,
        spec.resource_memory_limit or spec.memory_limit,
        spec.resource_cpu_request or spec.cpu_request,
        spec.resource_memory_request or spec.memory_request,
        accelerator.resource_type or accelerator.type,
        accelerator.resource_count or accelerator.count,
    )


def _importer(label: str, spec: Any, where: str, problems: Problems) -> Importer:
    if spec.download_to_workspace:
        problems.add(f"{where}.downloadToWorkspace", "Vertex AI has no workspaces")
    metadata = native_struct(spec.metadata)
    for old in (spec.properties, spec.custom_properties):
        metadata.update((name, _value(one)) for name, one in old.items())
    return Importer(
        label,
        _uri(spec.artifact_uri, f"{where}.artifactUri", problems),
        artifact_type(spec.type_schema, f"{where}.typeSchema", problems),
        metadata,
        spec.reimport,
    )


def _uri(value: Any, where: str, problems: Problems) -> Constant | FromInput:
    kind = value.WhichOneof("value")
    if kind == "runtime_parameter":
        return FromInput(value.runtime_parameter)
    uri = native(value.constant) if kind == "constant" else value.constant_value.string_value
    if not isinstance(uri, str) or not uri:
        problems.add(where, "requires a constant text or a runtimeParameter")
        uri = ""
    return Constant(uri)


def _value(value: Any) -> Any:
    """An ml_pipelines.Value or ValueOrRuntimeParameter that is a constant."""
    kind = value.WhichOneof("value")
    if kind == "constant":
        return native(value.constant)
    if kind == "constant_value":
        return _value(value.constant_value)
    return (
        "{{$.inputs.parameters['" + value.runtime_parameter + "']}}"
        if kind == "runtime_parameter"
        else getattr(value, str(kind), None)
    )


_KINDS: dict[str, Callable[[str, Any, str, Problems], Executor]] = {"container": _container, "importer": _importer}
