"""What the tasks of a DAG refer to: components, inputs, outputs of siblings; that it exists and that types agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cloudml_vertex.mock.pipelines.definition.cel import CelError
from cloudml_vertex.mock.pipelines.definition.conditions import condition
from cloudml_vertex.mock.pipelines.definition.loops import check_iterator
from cloudml_vertex.mock.pipelines.definition.model import (
    COMPLETED,
    ArtifactInput,
    ArtifactType,
    Component,
    Constant,
    FinalStatus,
    FromInput,
    FromTask,
    Source,
    Task,
)
from cloudml_vertex.mock.pipelines.definition.parameters import Switches
from cloudml_vertex.mock.pipelines.definition.placeholders import PlaceholderError, references
from cloudml_vertex.mock.pipelines.definition.problems import Problems, within
from cloudml_vertex.mock.pipelines.definition.tasks import Written
from cloudml_vertex.mock.pipelines.definition.values import TYPES, Value, fitted

ANY_ARTIFACT = "system.Artifact"


@dataclass(frozen=True)
class Surroundings:
    """Where a DAG stands: its own component, its tasks, and all components."""

    component: Component
    tasks: Mapping[str, Written]
    components: Mapping[str, Component]
    switches: Switches

    def output_type(self, task: str, key: str) -> str | None:
        """The type of a sibling's output parameter as seen from outside: a list when the sibling is a loop."""
        produced = self.components.get(self.tasks[task].task.component)
        declared = produced.output_parameters.get(key) if produced is not None else None
        if declared is None:
            return None
        return "LIST" if self.tasks[task].task.iterator is not None else declared.type

    def output_artifact(self, task: str, key: str) -> tuple[ArtifactType, bool] | None:
        """The type of a sibling's output artifact, and whether it is a list."""
        produced = self.components.get(self.tasks[task].task.component)
        declared = produced.output_artifacts.get(key) if produced is not None else None
        if declared is None:
            return None
        return declared.type, declared.is_list or self.tasks[task].task.iterator is not None


def checked(written: Written, around: Surroundings, problems: Problems) -> Task:
    """A task with its condition, everything about it checked."""
    task = written.task
    component = around.components.get(task.component)
    _order(written, around, problems)
    if component is None:
        if task.component:
            problems.add(f"{written.path}.componentRef.name", f"there is no component {task.component!r}")
        return task
    typed = _parameters(written, component, around, problems)
    _artifacts(written, component, around, problems)
    check_iterator(task, component, typed, written.path, problems)
    _required(written, component, problems)
    _undeclared(written, component, problems)
    if not written.condition:
        return task
    try:
        found = condition(
            written.condition,
            {**{name: one.type for name, one in component.parameters.items()}, **typed},
            {**component.artifacts, **task.artifacts},
            declared=around.switches["condition-types"] == "declared",
            cross_numbers=around.switches["condition-numbers"] == "cross-type",
        )
    except CelError as error:
        problems.add(f"{written.path}.triggerPolicy.condition", f"{written.condition!r}: {error}")
        return task
    return replace(task, condition=found)


def types_agree(given: ArtifactType, wanted: ArtifactType) -> bool:
    """Whether an artifact may be passed: the same schema, or system.Artifact on either side."""
    titles = (given.get("schemaTitle"), wanted.get("schemaTitle"))
    if ANY_ARTIFACT in titles or None in titles:
        return True
    return titles[0] == titles[1]


def _order(written: Written, around: Surroundings, problems: Problems) -> None:
    task = written.task
    for name in task.dependent:
        if name == task.key or name not in around.tasks:
            what = "the task itself" if name == task.key else f"no task of this DAG: {name!r}"
            problems.add(f"{written.path}.dependentTasks", f"names {what}")
    if around.switches["missing-dependent-tasks"] == "refuse":
        for name in task.upstream:
            if name not in task.dependent:
                problems.add(f"{written.path}.dependentTasks", f"lacks {name!r}, of which the task takes an output")


def _parameters(written: Written, component: Component, around: Surroundings, problems: Problems) -> dict[str, str]:
    """Check the task's parameters; the types that are known of them."""
    typed: dict[str, str] = {}
    for name, source in written.task.parameters.items():
        where = within(f"{written.path}.inputs.parameters", name)
        wanted = component.parameters[name].type if name in component.parameters else None
        given = _source_type(source, written, around, where, problems)
        if isinstance(source, Constant):
            _constant(source, wanted, where, problems)
            _placeholders(source.value, written, component, where, problems)
        elif given is not None and wanted is not None and source.selector is None:
            _same(given, wanted, where, around, problems)
        if wanted is not None or (given is not None and source.selector is None):
            typed[name] = str(wanted or given)
        elif name not in component.parameters:
            typed[name] = ""
    return typed


def _same(given: str, wanted: str, where: str, around: Surroundings, problems: Problems) -> None:
    widened = (given, wanted) == ("NUMBER_INTEGER", "NUMBER_DOUBLE")
    if given != wanted and not (widened and around.switches["parameter-types"] == "integer-as-double"):
        problems.add(where, f"the component takes {wanted} and is given {given}")


def _source_type(source: Source, written: Written, around: Surroundings, where: str, problems: Problems) -> str | None:
    """The type of what a parameter comes from; None when it is unknown or missing."""
    match source:
        case FromInput(name):
            declared = around.component.parameters.get(name)
            if declared is None:
                problems.add(where, f"the component around has no input parameter {name!r}")
            return declared.type if declared is not None else None
        case FromTask(task, key):
            if not _sibling(task, written, around, where, problems):
                return None
            kind = around.output_type(task, key)
            if kind is None:
                problems.add(where, f"task {task!r} has no output parameter {key!r}")
            return kind
        case FinalStatus(task):
            _sibling(task, written, around, where, problems)
            if written.task.strategy != COMPLETED:
                problems.add(where, f"taskFinalStatus requires the trigger strategy {COMPLETED}")
            return "TASK_FINAL_STATUS"
        case Constant():
            return None


def _sibling(task: str, written: Written, around: Surroundings, where: str, problems: Problems) -> bool:
    if task == written.task.key:
        problems.add(where, "a task cannot take an output of its own")
    elif task not in around.tasks:
        problems.add(
            where, f"there is no task {task!r} in this DAG; what crosses DAGs is passed by their inputs and outputs"
        )
    else:
        return True
    return False


def _constant(source: Constant, wanted: str | None, where: str, problems: Problems) -> None:
    if wanted not in TYPES or source.value is None or source.selector is not None:
        return
    try:
        fitted(source.value, wanted)
    except ValueError as error:
        problems.add(f"{where}.runtimeValue.constant", str(error))


def _texts(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)


def _placeholders(value: Value, written: Written, component: Component, where: str, problems: Problems) -> None:
    known = {*written.task.parameters, *component.parameters}
    try:
        for found in references(_texts(value)):
            if found.form == "input" and found.key not in known:
                problems.add(f"{where}.runtimeValue.constant", f"{found.text}: the task has no such input parameter")
    except PlaceholderError as error:
        problems.add(f"{where}.runtimeValue.constant", str(error))


def _artifacts(written: Written, component: Component, around: Surroundings, problems: Problems) -> None:
    for name, source in written.task.artifacts.items():
        where = within(f"{written.path}.inputs.artifacts", name)
        wanted = component.artifacts.get(name)
        given = _artifact_source(source, written, around, where, problems)
        iterated = written.task.iterator is not None and written.task.iterator.items == FromInput(name)
        if wanted is None:
            if not iterated:
                problems.add(where, f"component {component.name!r} has no input artifact {name!r}")
        elif given is not None:
            _same_artifact(given, wanted, where, around, problems)


def _same_artifact(
    given: tuple[ArtifactType, bool], wanted: ArtifactInput, where: str, around: Surroundings, problems: Problems
) -> None:
    kind, is_list = given
    if is_list != wanted.is_list:
        shown = ("one artifact", "a list of artifacts")
        problems.add(where, f"the component takes {shown[wanted.is_list]} and is given {shown[is_list]}")
    if around.switches["artifact-types"] == "refuse" and not types_agree(kind, wanted.type):
        problems.add(where, f"the component takes {wanted.type['schemaTitle']} and is given {kind['schemaTitle']}")


def _artifact_source(
    source: Source, written: Written, around: Surroundings, where: str, problems: Problems
) -> tuple[ArtifactType, bool] | None:
    if isinstance(source, FromInput):
        declared = around.component.artifacts.get(source.name)
        if declared is None:
            problems.add(where, f"the component around has no input artifact {source.name!r}")
            return None
        return declared.type, declared.is_list
    if not isinstance(source, FromTask) or not _sibling(source.task, written, around, where, problems):
        return None
    found = around.output_artifact(source.task, source.key)
    if found is None and around.tasks[source.task].task.component in around.components:
        problems.add(where, f"task {source.task!r} has no output artifact {source.key!r}")
    return found


def _required(written: Written, component: Component, problems: Problems) -> None:
    task = written.task
    item = task.iterator.item_input if task.iterator is not None else None
    for name, declared in component.parameters.items():
        given = name in task.parameters or name == item
        if not given and not declared.has_default and not declared.optional:
            problems.add(
                f"{written.path}.inputs.parameters", f"lacks {name!r}, which component {component.name!r} requires"
            )
    for name, artifact in component.artifacts.items():
        if name not in task.artifacts and name != item and not artifact.optional:
            problems.add(
                f"{written.path}.inputs.artifacts", f"lacks {name!r}, which component {component.name!r} requires"
            )


def _undeclared(written: Written, component: Component, problems: Problems) -> None:
    """A parameter that the component lacks may be there for constants and conditions to refer to, else it is wrong."""
    task = written.task
    constants = [source.value for source in task.parameters.values() if isinstance(source, Constant)]
    try:
        asked = {found.key for found in references(_texts(constants)) if found.form == "input"}
    except PlaceholderError:
        return  # reported with the constant itself
    if task.iterator is not None:
        asked.add(task.iterator.items.name if isinstance(task.iterator.items, FromInput) else "")
    for name in task.parameters:
        if name not in component.parameters and name not in asked and name not in written.condition:
            where = within(f"{written.path}.inputs.parameters", name)
            problems.add(where, f"component {component.name!r} has no input parameter {name!r}")
