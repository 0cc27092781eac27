"""A pipeline made ready for questions: names, scopes and types, each looked up once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from cloudml.errors import Diagnostic
from cloudml.spec import (
    Arithmetic,
    BaseStep,
    ChampionRef,
    ConditionStep,
    FinallyStep,
    GroupStep,
    ItemRef,
    LiteralValue,
    MapStep,
    ModelRef,
    OutputRef,
    Parameter,
    ParameterRef,
    Pipeline,
    Port,
    RunRef,
    SecretRef,
    outputs,
    types,
)


@dataclass(frozen=True, eq=False)
class Scope:
    """A run of steps: the pipeline's own, a branch, a body. `solid` is the scope itself, or what is around a group."""

    kind: str
    owner: str = ""
    parent: Scope | None = None
    solid: Scope = field(init=False)

    def __post_init__(self) -> None:
        transparent = self.kind == "group" and self.parent is not None
        object.__setattr__(self, "solid", self.parent.solid if transparent and self.parent else self)

    def chain(self) -> Iterator[Scope]:
        """This scope and those around it, from the inside out."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def inside(self, other: Scope) -> bool:
        """Whether what is defined in `other` is known here."""
        return any(scope.solid is other.solid for scope in self.chain())

    def within(self, kind: str) -> Scope | None:
        """The nearest scope of a kind around, this one included."""
        return next((scope for scope in self.chain() if scope.kind == kind), None)


@dataclass(frozen=True)
class Placed:
    """A step and the scope in which it stands."""

    step: BaseStep
    scope: Scope


class Index:
    """Look-ups over one pipeline; of a name used twice, the first bearer counts."""

    def __init__(self, pipeline: Pipeline, locations: Mapping[str, str] | None = None) -> None:
        self.pipeline = pipeline
        self.locations = dict(locations or {})
        self.placed = tuple(_place(pipeline))
        self.steps: dict[str, Placed] = {}
        for one in self.placed:
            self.steps.setdefault(one.step.name, one)
        self.parameters: dict[str, Parameter] = {}
        for parameter in pipeline.parameters:
            self.parameters.setdefault(parameter.name, parameter)

    @cached_property
    def ports(self) -> dict[str, dict[str, Port]]:
        """Step -> output -> port."""
        return {name: {port.name: port for port in outputs(one.step)} for name, one in self.steps.items()}

    def where(self, step: str, field: str = "") -> str:
        """The author's line if it is known, and the step; with the field if one is meant."""
        what = f"step {step}" + (f", {field}" if field else "")
        line = self.locations.get(step)
        return f"{line} ({what})" if line else what

    def finding(self, code: str, step: str, message: str, hint: str = "", *, field: str = "") -> Diagnostic:
        """An error in a step."""
        return Diagnostic(code, self.where(step, field), message, hint)

    def type_of(self, value: object, scope: Scope) -> str | None:
        """The type of a value; None for literals and for what cannot be known because something else is wrong."""
        if isinstance(value, LiteralValue):
            return None
        if isinstance(value, ParameterRef):
            parameter = self.parameters.get(value.name)
            return types.PARAMETER_TYPES[parameter.type] if parameter else None
        if isinstance(value, OutputRef):
            return self._output_type(value)
        if isinstance(value, ItemRef):
            return self._item_type(value)
        if isinstance(value, Arithmetic):
            return (
                "int"
                if value.op != "div" and all(self._whole(side, scope) for side in (value.left, value.right))
                else "float"
            )
        return _KINDS[type(value)]

    def _whole(self, value: object, scope: Scope) -> bool:
        if isinstance(value, LiteralValue):
            return isinstance(value.value, int)
        return self.type_of(value, scope) == "int"

    def _output_type(self, value: OutputRef) -> str | None:
        port = self.ports.get(value.step, {}).get(value.output)
        if port is None:
            return None
        inner = port.type
        if value.field is not None:
            inner = "float" if port.mode == "metrics" else types.element(port.type)
        return f"list[{inner}]" if value.collected else inner

    def _item_type(self, value: ItemRef) -> str | None:
        placed = self.steps.get(value.map)
        if placed is None or not isinstance(placed.step, MapStep):
            return None
        items = placed.step.items
        if isinstance(items, LiteralValue):
            found = {type(one).__name__ for one in items.value} if isinstance(items.value, list) else set()
            kind = found.pop() if len(found) == 1 else types.ANY
        else:
            kind = types.element(self.type_of(items, placed.scope) or types.ANY) if items != value else types.ANY
        return types.ANY if value.field is not None else kind


_KINDS: dict[type, str] = {RunRef: "str", SecretRef: "str", ChampionRef: "float", ModelRef: "cloudml.ModelVersion"}
"""Types of what belongs to no step."""


def _place(pipeline: Pipeline) -> Iterator[Placed]:
    """Every step with its scope, containers before what lies in them; iterative."""
    root = Scope("pipeline")
    stack: list[tuple[BaseStep, Scope]] = [(step, root) for step in reversed(pipeline.steps)]
    while stack:
        step, scope = stack.pop()
        yield Placed(step, scope)
        for body, kind in reversed(_bodies(step)):
            if body:
                inner = Scope(kind, step.name, scope)
                stack.extend((child, inner) for child in reversed(body))


def _bodies(step: BaseStep) -> tuple[tuple[tuple[BaseStep, ...], str], ...]:
    if isinstance(step, ConditionStep):
        return ((step.then, "then"), (step.otherwise, "otherwise"))
    if isinstance(step, MapStep):
        return ((step.body, "map"),)
    if isinstance(step, GroupStep):
        return ((step.body, "group"),)
    return ((step.body, "finally"),) if isinstance(step, FinallyStep) else ()


def suggest(word: str, known: Iterable[str]) -> str:
    """ "did you mean 'auc'?", or what there is, shortened."""
    names = sorted(set(known))
    near = difflib.get_close_matches(word, names[:2000], n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"there is: {shown}" if names else "there is none"
