"""What a pipeline means, written from the documentation of the steps and from nothing of the engine.

A step runs when every condition around it took its branch and all that it reads has been made. A map runs its body
once an item, and fails with any of its items. A step whose need failed or was skipped is skipped. A finally block runs
when all else has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudml import spec

Compute = Callable[[str, str, dict[str, Any]], dict[str, Any] | None]
"""(task id, function, arguments) -> outputs, or None when the step fails."""


class Reference:
    """Interprets one pipeline; `states` and `made` hold what came of it."""

    def __init__(self, pipeline: spec.Pipeline, parameters: dict[str, Any], compute: Compute) -> None:
        self.parameters, self.compute = parameters, compute
        self.maps = {
            step.name: [one.name for one in _maps(pipeline.steps, step.name)] for step in spec.walk(pipeline.steps)
        }
        self.states: dict[str, str] = {}
        self.made: dict[str, dict[str, Any]] = {}
        self.counts: dict[str, int] = {}
        self.block(pipeline.steps, (), {}, True)

    def block(self, steps: Any, at: tuple[int, ...], items: dict[str, Any], runs: bool) -> None:
        for step in steps:
            if isinstance(step, (spec.GroupStep, spec.FinallyStep)):
                self.block(step.body, at, items, runs)
            else:
                self.step(step, at, items, runs and all(self.done(leaf, at) for leaf in self.leaves(step)))

    def step(self, step: Any, at: tuple[int, ...], items: dict[str, Any], runs: bool) -> None:
        name = self.name(step.name, at)
        self.states[name] = "succeeded" if runs else "skipped"
        if isinstance(step, spec.ConditionStep):
            holds = runs and self.holds(step.condition, at, items)
            self.block(step.then, at, items, runs and holds)
            self.block(step.otherwise, at, items, runs and not holds)
        elif isinstance(step, spec.MapStep):
            if runs:
                self.map(step, at, items)
        elif runs:
            job = step.job if isinstance(step, spec.TuningStep) else step
            arguments = {one.name: self.value(one.value, at, items) for one in job.arguments}
            found = self.compute(name, "tune" if job is not step else job.function.name, arguments)
            self.states[name] = "failed" if found is None else "succeeded"
            self.made[name] = found or {}

    def map(self, step: Any, at: tuple[int, ...], items: dict[str, Any]) -> None:
        name = self.name(step.name, at)
        values = self.value(step.items, at, items)
        self.counts[name] = len(values)
        before = set(self.states)
        for index, item in enumerate(values):
            self.block(step.body, (*at, index), {**items, step.name: item}, True)
        if any(self.states[one] == "failed" for one in set(self.states) - before):
            self.states[name] = "failed"

    def name(self, step: str, at: tuple[int, ...]) -> str:
        return step + "".join(f"[{index}]" for index in at[: len(self.maps[step])])

    def leaves(self, step: Any) -> list[Any]:
        found = [leaf for _, value in spec.arguments(step) for leaf in spec.references(value)]
        return [leaf for leaf in found if isinstance(leaf, spec.OutputRef)]

    def done(self, leaf: Any, at: tuple[int, ...]) -> bool:
        """What is collected needs its whole map, anything else the step itself."""
        waits_for = self.maps[leaf.step][len(at)] if leaf.collected else leaf.step
        return self.states[self.name(waits_for, at)] == "succeeded"

    def value(self, value: Any, at: tuple[int, ...], items: dict[str, Any]) -> Any:
        if isinstance(value, spec.LiteralValue):
            return value.value
        if isinstance(value, spec.ParameterRef):
            return self.parameters[value.name]
        if isinstance(value, spec.ItemRef):
            return items[value.map]
        if value.collected:
            count = self.counts[self.name(self.maps[value.step][len(at)], at)]
            return [self.made[self.name(value.step, (*at, index))][value.output] for index in range(count)]
        found = self.made[self.name(value.step, at)][value.output]
        return found if value.field is None else found[value.field]

    def holds(self, condition: Any, at: tuple[int, ...], items: dict[str, Any]) -> bool:
        if isinstance(condition, spec.Not):
            return not self.holds(condition.condition, at, items)
        if isinstance(condition, (spec.AllOf, spec.AnyOf)):
            each = [self.holds(one, at, items) for one in condition.conditions]
            return all(each) if isinstance(condition, spec.AllOf) else any(each)
        left, right = self.value(condition.left, at, items), self.value(condition.right, at, items)
        return bool({"lt": left < right, "le": left <= right, "gt": left > right, "ge": left >= right,
                     "eq": left == right, "ne": left != right}[condition.op])  # fmt: skip


def _maps(steps: Any, name: str) -> list[Any]:
    """The maps around a step, from the outside in."""
    for step in steps:
        if any(one.name == name for one in spec.walk((step,))):
            inner = [] if step.name == name else _maps(spec.children(step), name)
            return [step, *inner] if isinstance(step, spec.MapStep) and step.name != name else inner
    return []
