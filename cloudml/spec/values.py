"""Values that flow between steps: literals, references, comparisons, and the ports they enter and leave by."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, JsonValue, Tag, model_validator

from cloudml.spec.node import Identifier, Name, Node

Scalar: TypeAlias = bool | int | float | str
ParameterType: TypeAlias = Literal["bool", "int", "float", "str", "path", "json"]


def _finite(value: Any) -> Any:
    """Refuse NaN and infinity at whatever depth; iterative."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, float) and not math.isfinite(one):
            raise ValueError("a number must be finite: JSON has no NaN or infinity")
        if isinstance(one, (list, dict)):
            stack.extend(one.values() if isinstance(one, dict) else one)
    return value


FiniteJson = Annotated[JsonValue, AfterValidator(_finite)]
"""A JSON value whose numbers are finite."""


class LiteralValue(Node):
    """A JSON value written in the pipeline itself. Numbers are finite."""

    kind: Literal["literal"] = "literal"
    value: FiniteJson


class ParameterRef(Node):
    """The run-time value of a pipeline parameter."""

    kind: Literal["parameter"] = "parameter"
    name: Identifier


class OutputRef(Node):
    """An output of a step, or one field of it (a metric, a member of a JSON value).

    `collected` is the list of that output over all items of the map in which the step lies.
    """

    kind: Literal["output"] = "output"
    step: Name
    output: Identifier
    field: str | None = None
    collected: bool = False


class ItemRef(Node):
    """The item that this iteration of a map works on, or one field of it."""

    kind: Literal["item"] = "item"
    map: Name
    field: str | None = None


class RunRef(Node):
    """A fact of the run: its id, or the time it is scheduled for (UTC), formatted by strftime rules."""

    kind: Literal["run"] = "run"
    field: Literal["id", "time"]
    format: str | None = None


class SecretRef(Node):
    """The name of a secret. Its value never enters the document; the step's process resolves it."""

    kind: Literal["secret"] = "secret"
    name: Name


class ChampionRef(Node):
    """A metric of the model version that bears an alias now.

    `missing` says what a comparison with it yields while no version bears the alias:
    `pass` (the first model has nobody to beat) or `fail`.
    """

    kind: Literal["champion"] = "champion"
    model: Name
    metric: Identifier
    alias: Name = "champion"
    missing: Literal["pass", "fail"] = "pass"


class ModelRef(Node):
    """A registered model version, by number or by alias."""

    kind: Literal["model"] = "model"
    model: Name
    version: int | None = None
    alias: Name | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.version is None) == (self.alias is None):
            raise ValueError("name a version or an alias, and not both")
        return self


class Arithmetic(Node):
    """`left op right` over numbers."""

    kind: Literal["arithmetic"] = "arithmetic"
    op: Literal["add", "sub", "mul", "div"]
    left: Value
    right: Value


Value = Annotated[
    LiteralValue | ParameterRef | OutputRef | ItemRef | RunRef | SecretRef | ChampionRef | ModelRef | Arithmetic,
    Field(discriminator="kind"),
]


class Comparison(Node):
    """`left op right`; `in` asks whether the list on the right holds the left."""

    kind: Literal["compare"] = "compare"
    op: Literal["lt", "le", "gt", "ge", "eq", "ne", "in"]
    left: Value
    right: Value


class AllOf(Node):
    """True when every condition is."""

    kind: Literal["all"] = "all"
    conditions: Annotated[tuple[Condition, ...], Field(min_length=1)]


class AnyOf(Node):
    """True when at least one condition is."""

    kind: Literal["any"] = "any"
    conditions: Annotated[tuple[Condition, ...], Field(min_length=1)]


class Not(Node):
    """True when the condition is false."""

    kind: Literal["not"] = "not"
    condition: Condition


Condition = Annotated[Comparison | AllOf | AnyOf | Not, Field(discriminator="kind")]


def _default_kind(value: Any) -> str:
    """A default is a fact of the run when it says so, else plain JSON."""
    told = isinstance(value, dict) and value.get("kind") == "run" and "field" in value
    return "run" if told or isinstance(value, RunRef) else "json"


Default = Annotated[
    Annotated[RunRef, Tag("run")] | Annotated[FiniteJson, Tag("json")],
    Discriminator(_default_kind),
]


class Parameter(Node):
    """A value given when a run starts. Without a default it must be given."""

    name: Identifier
    type: ParameterType
    default: Default = None
    required: bool = False
    choices: tuple[Scalar, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    description: str = ""


class Port(Node):
    """A typed input or output of a step's function.

    `type` is the dotted name of the Python type (`polars.DataFrame`, `float`, `cloudml.Dataset`); `mode` says whether
    the function takes the value itself, decoded by a codec, or a handle with a `path`; `metrics` ports carry numbers
    by name in `fields`.
    """

    name: Identifier
    type: str
    mode: Literal["value", "handle", "metrics"] = "value"
    fields: tuple[Identifier, ...] = ()
    optional: bool = False
    """An input that may stay unbound: the function has a default for it."""


class Argument(Node):
    """What a step's input or parameter is bound to."""

    name: Identifier
    value: Value


def references(value: Any) -> tuple[Any, ...]:
    """Every leaf reference below a value or a condition, in order."""
    if isinstance(value, (Arithmetic, Comparison)):
        return (*references(value.left), *references(value.right))
    if isinstance(value, (AllOf, AnyOf)):
        return tuple(leaf for condition in value.conditions for leaf in references(condition))
    if isinstance(value, Not):
        return references(value.condition)
    return () if isinstance(value, LiteralValue) else (value,)
