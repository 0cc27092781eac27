"""The parameters of a job: what `PipelineJob.RuntimeConfig` gives, against what the root component takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from cloudml_vertex.mock.pipelines.definition.model import Definition, ParameterInput
from cloudml_vertex.mock.pipelines.definition.problems import Problems, within
from cloudml_vertex.mock.pipelines.definition.values import Value, fitted

_FIELD = "pipeline_job.runtime_config.parameter_values"
_OLD_FIELD = "pipeline_job.runtime_config.parameters"


class Switches(Protocol):
    """The choices in force, by name."""

    def __getitem__(self, name: str, /) -> str: ...


def bind(definition: Definition, runtime_config: Mapping[str, Any], switches: Switches) -> dict[str, Value]:
    """Every parameter of the job with its value. Raises GoogleError INVALID_ARGUMENT with all that is wrong.

    RuntimeConfig: `parameter_values` are for pipelines of schema version 2.1.0, `parameters` for 2.0.0 or lower.
    """
    problems = Problems()
    given, field = _given(definition, runtime_config, problems)
    takes = definition.root.parameters
    if switches["unknown-runtime-parameters"] == "refuse":
        for name in given.keys() - takes.keys():
            problems.add(within(field, name), "the pipeline has no such input parameter")
    found: dict[str, Value] = {}
    for name, declared in takes.items():
        where = within(field, name)
        if given.get(name) is not None:
            _fit(found, declared, given[name], where, problems)
        elif declared.has_default:
            found[name] = declared.default
        elif not declared.optional:
            problems.add(where, "the pipeline requires this input parameter, and it has no default value")
    problems.raise_all()
    return found


def _fit(found: dict[str, Value], declared: ParameterInput, value: Value, where: str, problems: Problems) -> None:
    try:
        found[declared.name] = fitted(value, declared.type)
    except ValueError as error:
        problems.add(where, str(error))
        return
    if declared.literals and found[declared.name] not in declared.literals:
        problems.add(where, f"the value is none of {list(declared.literals)}")


def _given(
    definition: Definition, runtime_config: Mapping[str, Any], problems: Problems
) -> tuple[dict[str, Value], str]:
    new, old = runtime_config.get("parameter_values") or {}, runtime_config.get("parameters") or {}
    if definition.schema_version == "2.0.0":
        if new:
            problems.add(_FIELD, "is for pipelines of a schema version above 2.0.0; use parameters")
        return {name: _old(value) for name, value in old.items()}, _OLD_FIELD
    if old:
        problems.add(_OLD_FIELD, "is for pipelines of schema version 2.0.0 or lower; use parameter_values")
    return dict(new), _FIELD


def _old(value: Any) -> Value:
    """A typed google.cloud.aiplatform Value: {int_value} or {double_value} or {string_value}."""
    if not isinstance(value, dict):
        return value
    return next(iter(value.values()), None)
