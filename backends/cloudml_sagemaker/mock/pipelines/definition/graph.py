"""Who waits for whom: references, DependsOn and branches made one graph, and what may not be in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from cloudml_sagemaker.mock.pipelines.definition import properties
from cloudml_sagemaker.mock.pipelines.definition.expressions import Reference, references
from cloudml_sagemaker.mock.pipelines.definition.model import Definition, Dependency, Step
from cloudml_sagemaker.mock.pipelines.definition.problems import Problems, shown

_NESTED = {"Condition": ("IfSteps", "ElseSteps"), "ForEach": ("ForEachBody", "Selector")}
"""Members of Arguments that belong to other steps, or to a time after the step."""

_NO_VALUES = frozenset({"Name", "Type", "DependsOn", "Arguments"})


def connect(definition: Definition, problems: Problems) -> Definition:
    """The definition with `upstream` and `references` of each step, all of which are checked."""
    reads: dict[str, set[str]] = {}
    waits: dict[str, set[str]] = {}
    for step in definition.every.values():
        reads[step.name] = _read_by(definition, step, problems)
        named = {dependency.step for dependency in _valid(definition, step, problems)}
        waits[step.name] = reads[step.name] | named
    for name, wanted in waits.items():
        for other in wanted - {name}:
            _check_place(definition, definition.every[name], definition.every[other], problems)
    _lift(definition, waits)
    for step in definition.every.values():
        if step.branch is not None:
            waits[step.name].add(step.branch.condition)
    if cycle := _cycle(waits):
        problems.add("", f"the steps depend on each other in a cycle: {' -> '.join(cycle)}")
    every = {
        name: replace(step, upstream=frozenset(waits[name]), references=frozenset(reads[name] & waits[name]))
        for name, step in definition.every.items()
    }
    return replace(definition, every=every, steps=tuple(every[step.name] for step in definition.steps))


def _read_by(definition: Definition, step: Step, problems: Problems) -> set[str]:
    found = set()
    for reference in _references(step, problems):
        if wrong := properties.problem(definition, step, reference):
            problems.add(reference.where, wrong)
        elif reference.root == "Steps":
            found.add(reference.name)
    if step.loop is not None and step.loop.pick is not None:
        _check_selector(definition, step, problems)
    return found


def _references(step: Step, problems: Problems) -> list[Reference]:
    own = {name: value for name, value in step.arguments.items() if name not in _NESTED.get(step.type, ())}
    beside = {name: value for name, value in step.raw.items() if name not in _NO_VALUES}
    where = f"Step {step.name}: "
    found = list(references(own, f"{where}Arguments", problems))
    for name, value in beside.items():
        found.extend(references(value, f"{where}{name}", problems))
    return found


def _check_selector(definition: Definition, step: Step, problems: Problems) -> None:
    assert step.loop is not None
    where = f"Step {step.name}: Selector.Field"
    found = list(references(step.loop.field, where, problems))
    if len(found) != 1 or found[0].root != "IterationOutput" or found[0].name not in step.loop.body:
        problems.add(where, "must be a Get of IterationOutput.<body step>.<property>")
        return
    target = definition.every[found[0].name]
    if wrong := properties.of_step(definition, target, found[0].path[1:], found[0].text):
        problems.add(where, wrong)


def _valid(definition: Definition, step: Step, problems: Problems) -> Iterable[Dependency]:
    for dependency in step.depends_on:
        target, where = definition.every.get(dependency.step), f"Step {step.name}: DependsOn"
        if target is None:
            problems.add(where, f"step {shown(dependency.step)!r} does not exist")
        elif target.type == "Fail":
            problems.add(where, f"no step can depend on the Fail step {target.name!r}")
        elif target.type == "Condition" and problems.choices["depends-on-condition"] == "refuse":
            problems.add(where, f"no step can depend on the Condition step {target.name!r}")
        else:
            yield dependency


def _check_place(definition: Definition, step: Step, target: Step, problems: Problems) -> None:
    """A body's steps are known inside it only; a branch's, by choice of the switch "rejoin", too."""
    where = f"Step {step.name}"
    if target.body_of is not None and target.body_of != step.body_of:
        problems.add(
            where,
            f"step {target.name!r} stands in the body of ForEach step {target.body_of!r}; outside of it only "
            f"Steps.{target.body_of}.IterationOutputs[<i>] and .Selected are known",
        )
    elif problems.choices["rejoin"] == "refuse" and not set(_places(definition, target)) <= set(
        _places(definition, step)
    ):
        problems.add(where, f"step {target.name!r} stands in a branch; only steps of that branch can depend on it")


def _places(definition: Definition, step: Step) -> list[tuple[str, bool]]:
    """The branches in which a step stands, the innermost first."""
    found = []
    current: Step | None = step
    while current is not None:
        if current.branch is not None:
            found.append((current.branch.condition, current.branch.taken))
            current = definition.every.get(current.branch.condition)
        else:
            current = definition.every.get(current.body_of) if current.body_of else None
    return found


def _lift(definition: Definition, waits: dict[str, set[str]]) -> None:
    """What a ForEach body needs from outside, the ForEach step waits for; inside, siblings only are waited for."""
    for step in definition.every.values():
        if step.body_of is not None:
            inside = {other for other in waits[step.name] if definition.every[other].body_of == step.body_of}
            waits[step.body_of] |= waits[step.name] - inside
            waits[step.name] = inside


def _cycle(waits: dict[str, set[str]]) -> list[str]:
    """One cycle, its first step again at the end; empty when there is none."""
    left = {name: set(wanted) for name, wanted in waits.items()}
    waiting: dict[str, list[str]] = {name: [] for name in left}
    for name, wanted in left.items():
        for other in wanted:
            waiting[other].append(name)
    ready = [name for name, wanted in left.items() if not wanted]
    while ready:
        name = ready.pop()
        del left[name]
        for later in waiting[name]:
            left[later].discard(name)
            if not left[later]:
                ready.append(later)
    if not left:
        return []
    # Whoever is left waits for someone who is left: going upstream must come back to where it was.
    way = [min(left)]
    while way[-1] not in way[:-1]:
        way.append(min(left[way[-1]]))
    return way[way.index(way[-1]) :][::-1]


def between(definition: Definition, selected: Collection[str]) -> frozenset[str]:
    """Steps on a path from one selected step to another that are not selected: a selective execution must have none.

    Source: SDK, SelectiveExecutionConfig ("all steps in all paths between two selected steps should be included").
    """
    below = _closure(selected, {name: [step.name for step in definition.downstream(name)] for name in definition.every})
    above = _closure(selected, {name: step.upstream for name, step in definition.every.items()})
    return (below & above) - frozenset(selected)


def sources(definition: Definition, selected: Collection[str]) -> frozenset[str]:
    """Steps outside of the selection for which a selected one waits: their results come from the source execution."""
    needed = {name for chosen in selected for name in definition.every[chosen].upstream}
    return frozenset(needed - set(selected))


def _closure(start: Iterable[str], edges: dict[str, Collection[str]]) -> frozenset[str]:
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        for name in edges[waiting.pop()]:
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return frozenset(seen)
