"""What a DAG gives: `DagOutputsSpec` against the tasks inside and the outputs that the component declares."""

from __future__ import annotations

from typing import Any

from cloudml_vertex.mock.pipelines.definition.checks import Surroundings, types_agree
from cloudml_vertex.mock.pipelines.definition.model import ParameterOutputRule
from cloudml_vertex.mock.pipelines.definition.problems import Problems, within

Selectors = tuple[tuple[str, str], ...]


def parameters(
    spec: Any, around: Surroundings, iterated: bool, path: str, problems: Problems
) -> dict[str, ParameterOutputRule]:
    """Where each output parameter comes from. `iterated`: the component is the body of a loop, so lists are made."""
    found: dict[str, ParameterOutputRule] = {}
    declared = around.component.output_parameters
    for name, one in sorted(spec.parameters.items()):
        where = within(f"{path}.dag.outputs.parameters", name)
        rule = found[name] = _rule(one, where, problems)
        if name not in declared:
            problems.add(where, "the component's outputDefinitions lack this output parameter")
            continue
        for task, key in rule.selectors:
            if not _known(task, around, where, problems):
                continue
            kind, wanted = around.output_type(task, key), declared[name].type
            if kind is None:
                problems.add(where, f"task {task!r} has no output parameter {key!r}")
            elif kind != wanted and not (iterated and wanted == "LIST"):
                problems.add(where, f"the component declares {wanted} and task {task!r} gives {kind}")
    for name in declared.keys() - spec.parameters.keys():
        problems.add(f"{path}.dag.outputs.parameters", f"lacks {name!r}, which the component declares")
    return found


def artifacts(spec: Any, around: Surroundings, iterated: bool, path: str, problems: Problems) -> dict[str, Selectors]:
    """Where each output artifact comes from."""
    found: dict[str, Selectors] = {}
    declared = around.component.output_artifacts
    for name, one in sorted(spec.artifacts.items()):
        where = within(f"{path}.dag.outputs.artifacts", name)
        found[name] = tuple((each.producer_subtask, each.output_artifact_key) for each in one.artifact_selectors)
        if not found[name]:
            problems.add(where, "requires artifactSelectors")
        if name not in declared:
            problems.add(where, "the component's outputDefinitions lack this output artifact")
            continue
        for task, key in found[name]:
            _selected(name, task, key, around, iterated, where, problems)
    for name in declared.keys() - spec.artifacts.keys():
        problems.add(f"{path}.dag.outputs.artifacts", f"lacks {name!r}, which the component declares")
    return found


def _selected(
    name: str, task: str, key: str, around: Surroundings, iterated: bool, where: str, problems: Problems
) -> None:
    wanted = around.component.output_artifacts[name]
    if not _known(task, around, where, problems):
        return
    given = around.output_artifact(task, key)
    if given is None:
        if around.tasks[task].task.component in around.components:
            problems.add(where, f"task {task!r} has no output artifact {key!r}")
        return
    kind, is_list = given
    if is_list != wanted.is_list and not (iterated and wanted.is_list):
        shown = ("one artifact", "a list of artifacts")
        problems.add(where, f"the component declares {shown[wanted.is_list]} and task {task!r} gives {shown[is_list]}")
    if around.switches["artifact-types"] == "refuse" and not types_agree(kind, wanted.type):
        titles = (wanted.type["schemaTitle"], kind["schemaTitle"])
        problems.add(where, f"the component declares {titles[0]} and task {task!r} gives {titles[1]}")


def _known(task: str, around: Surroundings, where: str, problems: Problems) -> bool:
    if task not in around.tasks:
        problems.add(where, f"there is no task {task!r} in this DAG")
        return False
    return around.tasks[task].task.component in around.components


def _rule(one: Any, where: str, problems: Problems) -> ParameterOutputRule:
    match one.WhichOneof("kind"):
        case "value_from_parameter":
            only = one.value_from_parameter
            return ParameterOutputRule(((only.producer_subtask, only.output_parameter_key),))
        case "value_from_oneof":
            several = one.value_from_oneof.parameter_selectors
            if not several:
                problems.add(where, "requires parameterSelectors")
            return ParameterOutputRule(
                tuple((each.producer_subtask, each.output_parameter_key) for each in several), True
            )
    problems.add(where, "requires valueFromParameter or valueFromOneof")
    return ParameterOutputRule(())
