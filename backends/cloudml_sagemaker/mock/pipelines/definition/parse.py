"""From the text of a pipeline definition (version 2020-12-01) to a `Definition`, refused where AWS refuses it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.pipelines.definition import graph, loops, parameters, properties
from cloudml_sagemaker.mock.pipelines.definition.expressions import is_expression, references
from cloudml_sagemaker.mock.pipelines.definition.model import Definition, Document
from cloudml_sagemaker.mock.pipelines.definition.problems import DEFAULTS, Problems, shown
from cloudml_sagemaker.mock.pipelines.definition.steps import Reader

VERSION = "2020-12-01"

LARGEST = 1_048_576
"""Bytes of a definition (PipelineDefinition in the service model)."""

DEEPEST = 100
"""Levels of objects and lists that are read: far more than any request or condition has."""

MLFLOW = frozenset({"MlflowResourceArn", "MlflowExperimentName"})
"""Members of MlflowConfig (SDK, `Pipeline.definition`; MLflowConfiguration in the service model)."""

_MEMBERS = frozenset({"Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps"})


def parse(text: str | bytes, choices: Mapping[str, str] | None = None) -> Definition:
    """Read a definition. `choices`: switches by name (`world.switches.in_force()`); their defaults when left out.

    Raises ValidationException ("Unable to parse pipeline definition. ...") that names everything found wrong.
    """
    problems = Problems({**DEFAULTS, **(choices or {})})
    raw = _json(text, problems)
    if unknown := [member for member in raw if member not in _MEMBERS]:
        problems.add("", f"unknown members {', '.join(map(shown, unknown))}")
    if raw.get("Version") != VERSION:
        problems.add("", f"Version {shown(raw.get('Version'))!r} must be {VERSION}")
    if raw.get("Metadata") is not None and not isinstance(raw["Metadata"], dict):
        problems.add("Metadata", "must be an object")
    reader = Reader(problems)
    declared = parameters.declared(raw.get("Parameters"), problems)
    if not isinstance(raw.get("Steps"), list) or not raw["Steps"]:
        problems.add("Steps", "must be a list of at least one step")
        names: tuple[str, ...] = ()
    else:
        names = reader.steps(raw["Steps"], "Steps")
    _check_quota(len(reader.every), problems)
    loops.check_names(reader.every, problems)
    definition = Definition(
        parameters=declared,
        steps=tuple(reader.every[name] for name in names),
        every=reader.every,
        experiment=_config(raw, "PipelineExperimentConfig", properties.EXPERIMENT, problems),
        mlflow=_config(raw, "MlflowConfig", MLFLOW, problems),
        raw=raw,
    )
    _check_pipeline(definition, problems)
    definition = graph.connect(definition, problems)
    problems.refuse()
    return definition


def _json(text: str | bytes, problems: Problems) -> Document:
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= LARGEST:
        raise validation(f"Unable to parse pipeline definition. It has {size} bytes; 1 to {LARGEST} are allowed")
    try:
        raw = json.loads(text, parse_constant=_refuse)
        _check_depth(raw)
    except (ValueError, RecursionError) as error:
        problems.add("", f"It is not valid JSON: {shown(error)}")
        raise problems.error() from None
    if not isinstance(raw, dict):
        problems.add("", "Expecting start of Json Object.")
        raise problems.error()
    return raw


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _check_depth(raw: Any) -> None:
    level = [raw]
    for _ in range(DEEPEST):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise ValueError(f"more than {DEEPEST} levels")


def _check_quota(count: int, problems: Problems) -> None:
    quota = problems.choices["steps-quota"]
    if quota != "none" and count > int(quota):
        problems.add("Steps", f"at most {quota} steps are allowed, not {count}")


def _config(raw: Document, name: str, members: frozenset[str], problems: Problems) -> Document | None:
    """An object of texts that are settled when an execution starts; a null member is as good as none."""
    given = raw.get(name)
    if given is None:
        return None
    if not isinstance(given, dict) or not set(given) <= members:
        problems.add(name, f"takes {', '.join(sorted(members))}")
        return None
    found = {member: value for member, value in given.items() if value is not None}
    for member, value in found.items():
        if not isinstance(value, str) and not is_expression(value):
            problems.add(f"{name}.{member}", f"{shown(value)!r} is neither a string nor an expression")
    return found


def _check_pipeline(definition: Definition, problems: Problems) -> None:
    """What the pipeline itself names: it is settled when an execution starts, before any step has ended."""
    configs = {"PipelineExperimentConfig": definition.experiment, "MlflowConfig": definition.mlflow}
    for name, config in configs.items():
        for reference in references(config or {}, name, problems):
            if reference.root in {"Steps", "PipelineExperimentConfig"}:
                problems.add(reference.where, f"{reference.text} has no value when an execution starts")
            elif wrong := properties.problem(definition, None, reference):
                problems.add(reference.where, wrong)
