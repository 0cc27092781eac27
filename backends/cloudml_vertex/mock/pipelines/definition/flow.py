"""How values move: into a task, into its iterations, out of a DAG, out of a loop. Pure functions of the definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cloudml_vertex.mock.pipelines.definition.conditions import ConditionError
from cloudml_vertex.mock.pipelines.definition.model import (
    Component,
    Constant,
    Definition,
    FinalStatus,
    FromInput,
    FromTask,
    Importer,
    ParameterOutputRule,
    Source,
    Task,
)
from cloudml_vertex.mock.pipelines.definition.placeholders import within_inputs
from cloudml_vertex.mock.pipelines.definition.values import Artifact, Value, Values, fitted

__all__ = [
    "Unresolved",
    "Values",
    "collected",
    "dag_outputs",
    "importer_artifact",
    "iterations",
    "task_inputs",
]


class Unresolved(Exception):
    """A value that a task needs is not there, or does not fit; the text says which."""


_ABSENT: Any = object()


def task_inputs(
    definition: Definition,
    task: Task,
    given: Values,
    produced: Mapping[str, Values],
    final_status: Callable[[str], Mapping[str, Any]],
) -> Values:
    """A task's inputs: from `given` (the inputs of the DAG around), outputs of its siblings, constants and defaults.

    Raises Unresolved for a required one without a value, or a value of the wrong type.
    """
    component = definition.components[task.component]
    raw = {name: _parameter(source, given, produced, final_status) for name, source in task.parameters.items()}
    known = {name: value for name, value in raw.items() if value is not _ABSENT}
    for name, source in task.parameters.items():
        if isinstance(source, Constant):
            known[name] = within_inputs(known[name], {key: one for key, one in known.items() if key != name})
    item = task.iterator.item_input if task.iterator is not None else None
    return Values(
        parameters=_typed(component, task, known, item),
        artifacts=_artifacts(component, task, given, produced, item),
    )


def iterations(definition: Definition, task: Task, inputs: Values) -> tuple[Values, ...]:
    """The inputs of each iteration, in the order of the items. Raises Unresolved for items that are no list."""
    iterator = task.iterator
    if iterator is None:
        return (inputs,)
    component = definition.components[task.component]
    if iterator.kind == "artifact":
        assert isinstance(iterator.items, FromInput)
        listed = inputs.artifacts.get(iterator.items.name, ())
        return tuple(Values(inputs.parameters, {**inputs.artifacts, iterator.item_input: (one,)}) for one in listed)
    items = _items(task, iterator.items, inputs)
    kind = component.parameters[iterator.item_input].type
    return tuple(
        Values(
            {**inputs.parameters, iterator.item_input: _fit(task, iterator.item_input, item, kind)}, inputs.artifacts
        )
        for item in items
    )


def dag_outputs(definition: Definition, component: Component, inputs: Values, produced: Mapping[str, Values]) -> Values:
    """What a DAG gives. Raises Unresolved when a producer is missing; of `oneof` the first that is there counts."""
    dag = component.dag
    if dag is None:
        return Values()
    return Values(
        parameters={name: _output(name, rule, produced) for name, rule in dag.parameters.items()},
        artifacts={name: _selected(name, selectors, produced) for name, selectors in dag.artifacts.items()},
    )


def collected(definition: Definition, component: Component, outputs: Sequence[Values]) -> Values:
    """What a loop gives, of the outputs of its iterations: lists of parameters, artifacts one after another."""
    return Values(
        parameters={name: [_member(one, name) for one in outputs] for name in component.output_parameters},
        artifacts={
            name: tuple(artifact for one in outputs for artifact in one.artifacts.get(name, ()))
            for name in component.output_artifacts
        },
    )


def importer_artifact(importer: Importer, inputs: Values) -> dict[str, Any]:
    """The artifact that an importer gives, without its name. Raises Unresolved."""
    if isinstance(importer.uri, FromInput):
        if importer.uri.name not in inputs.parameters:
            raise Unresolved(f"the importer's input {importer.uri.name!r} has no value")
        uri = inputs.parameters[importer.uri.name]
    else:
        uri = importer.uri.value
    return {
        "name": "",
        "type": dict(importer.type),
        "uri": within_inputs(uri, inputs.parameters),
        "metadata": within_inputs(dict(importer.metadata), inputs.parameters),
    }


def _parameter(
    source: Source, given: Values, produced: Mapping[str, Values], final_status: Callable[[str], Mapping[str, Any]]
) -> Value:
    match source:
        case Constant(value):
            found: Value = value
        case FromInput(name):
            found = given.parameters.get(name, _ABSENT)
        case FromTask(task, key):
            found = produced[task].parameters.get(key, _ABSENT) if task in produced else _ABSENT
        case FinalStatus(task):
            found = dict(final_status(task))
    if source.selector is None or found is _ABSENT:
        return found
    try:
        return source.selector.of(found)
    except ConditionError as error:
        raise Unresolved(str(error)) from None


def _typed(component: Component, task: Task, known: Mapping[str, Value], item: str | None) -> dict[str, Value]:
    """The parameters with defaults, typed; those that only constants refer to stay as they are."""
    found = {name: value for name, value in known.items() if name not in component.parameters}
    for name, declared in component.parameters.items():
        if name in known and known[name] is not None:
            found[name] = _fit(task, name, known[name], declared.type)
        elif declared.has_default:
            found[name] = declared.default
        elif not declared.optional and name != item:
            raise Unresolved(
                f"task {task.key!r}: the input parameter {name!r} has no value{_why(task.parameters.get(name))}"
            )
    return found


def _artifacts(
    component: Component, task: Task, given: Values, produced: Mapping[str, Values], item: str | None
) -> dict[str, tuple[Artifact, ...]]:
    found: dict[str, tuple[Artifact, ...]] = {}
    for name, source in task.artifacts.items():
        listed: tuple[Artifact, ...] | None = None
        if isinstance(source, FromInput):
            listed = given.artifacts.get(source.name)
        elif isinstance(source, FromTask) and source.task in produced:
            listed = produced[source.task].artifacts.get(source.key)
        if listed is not None:
            found[name] = tuple(listed)
    for name, declared in component.artifacts.items():
        if name not in found and not declared.optional and name != item:
            raise Unresolved(
                f"task {task.key!r}: the input artifact {name!r} is missing{_why(task.artifacts.get(name))}"
            )
    return found


def _why(source: Source | None) -> str:
    return f": task {source.task!r} has not given {source.key!r}" if isinstance(source, FromTask) else ""


def _fit(task: Task, name: str, value: Value, kind: str) -> Value:
    try:
        return fitted(value, kind)
    except ValueError as error:
        raise Unresolved(f"task {task.key!r}: input parameter {name!r}: {error}") from None


def _items(task: Task, items: Constant | FromInput, inputs: Values) -> list[Value]:
    if isinstance(items, Constant):
        found = within_inputs(items.value, inputs.parameters)
    else:
        found = inputs.parameters.get(items.name)
    if not isinstance(found, list):
        raise Unresolved(f"task {task.key!r}: the items of the loop are no list")
    return found


def _output(name: str, rule: ParameterOutputRule, produced: Mapping[str, Values]) -> Value:
    for task, key in rule.selectors:
        if task in produced and key in produced[task].parameters:
            return produced[task].parameters[key]
    raise Unresolved(f"the output parameter {name!r} has no value: {_asked(rule.selectors)} did not give it")


def _selected(name: str, selectors: Sequence[tuple[str, str]], produced: Mapping[str, Values]) -> tuple[Artifact, ...]:
    """All selected artifacts; branches that did not run give none (that is how a oneof of artifacts is written)."""
    found = [
        produced[task].artifacts[key] for task, key in selectors if task in produced and key in produced[task].artifacts
    ]
    if not found:
        raise Unresolved(f"the output artifact {name!r} is missing: {_asked(selectors)} did not give it")
    return tuple(artifact for listed in found for artifact in listed)


def _asked(selectors: Sequence[tuple[str, str]]) -> str:
    return " and ".join(f"task {task!r} (output {key!r})" for task, key in selectors)


def _member(outputs: Values, name: str) -> Value:
    if name not in outputs.parameters:
        raise Unresolved(f"an iteration has not given the output parameter {name!r}")
    return outputs.parameters[name]
