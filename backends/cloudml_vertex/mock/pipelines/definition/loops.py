"""The rules of iterators: `ParameterIteratorSpec` and `ArtifactIteratorSpec` of pipeline_spec.proto."""

from __future__ import annotations

from collections.abc import Mapping

from cloudml_vertex.mock.pipelines.definition.model import Component, Constant, FromInput, Iterator, Task
from cloudml_vertex.mock.pipelines.definition.problems import Problems
from cloudml_vertex.mock.pipelines.definition.values import TYPES, fitted


def check_iterator(task: Task, component: Component, typed: Mapping[str, str], path: str, problems: Problems) -> None:
    """Items must be a list that the task has, and each must fit the component's input that takes it."""
    if task.iterator is None:
        return
    where = f"{path}.{task.iterator.kind}Iterator"
    _item_input(task, task.iterator, component, where, problems)
    if task.iterator.kind == "artifact":
        _artifact_items(task, task.iterator, where, problems)
    elif isinstance(task.iterator.items, Constant):
        _raw_items(task.iterator, component, where, problems)
    else:
        _input_items(task, task.iterator.items, component, typed, where, problems)


def _item_input(task: Task, iterator: Iterator, component: Component, where: str, problems: Problems) -> None:
    name = iterator.item_input
    takes = component.parameters if iterator.kind == "parameter" else component.artifacts
    bound = task.parameters if iterator.kind == "parameter" else task.artifacts
    if name and name not in takes:
        problems.add(f"{where}.itemInput", f"component {component.name!r} has no input {iterator.kind} {name!r}")
    if name in bound:
        problems.add(f"{where}.itemInput", f"{name!r} has a source of its own in the task's inputs")


def _artifact_items(task: Task, iterator: Iterator, where: str, problems: Problems) -> None:
    assert isinstance(iterator.items, FromInput)
    if iterator.items.name and iterator.items.name not in task.artifacts:
        problems.add(f"{where}.items.inputArtifact", f"the task has no input artifact {iterator.items.name!r}")


def _raw_items(iterator: Iterator, component: Component, where: str, problems: Problems) -> None:
    assert isinstance(iterator.items, Constant)
    declared = component.parameters.get(iterator.item_input)
    for number, item in enumerate(iterator.items.value):
        if declared is None or declared.type not in TYPES or (isinstance(item, str) and "{{$" in item):
            continue
        try:
            fitted(item, declared.type)
        except ValueError as error:
            problems.add(f"{where}.items.raw[{number}]", str(error))


def _input_items(
    task: Task,
    items: FromInput,
    component: Component,
    typed: Mapping[str, str],
    where: str,
    problems: Problems,
) -> None:
    if items.name not in task.parameters:
        problems.add(f"{where}.items.inputParameter", f"the task has no input parameter {items.name!r}")
    elif typed.get(items.name) not in {"LIST", "", None}:
        problems.add(f"{where}.items.inputParameter", f"{items.name!r} is {typed[items.name]} and no LIST")
