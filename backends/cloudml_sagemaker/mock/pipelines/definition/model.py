"""A pipeline definition as it was understood: plain frozen values, nothing resolved yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

Document = dict[str, Any]
Scalar = str | int | float | bool


@dataclass(frozen=True)
class Parameter:
    """One declared parameter. `type`: String, Integer, Float or Boolean; `default` None: a start must give it."""

    name: str
    type: str
    default: Scalar | None = None
    choices: tuple[Scalar, ...] = ()


@dataclass(frozen=True)
class Dependency:
    """One entry of DependsOn. `trigger`: Completed (the plain form), Failed, Stopped or Any."""

    step: str
    trigger: str = "Completed"


@dataclass(frozen=True)
class CachePolicy:
    """A step's CacheConfig; `expire_after` None: a hit never grows too old."""

    enabled: bool
    expire_after: timedelta | None = None


@dataclass(frozen=True)
class RetryPolicy:
    """When and how a failed step is tried again: `attempts` or `expire_after_minutes`, the other is None."""

    exceptions: tuple[str, ...]
    interval_seconds: float = 1
    backoff_rate: float = 2.0
    attempts: int | None = None
    expire_after_minutes: float | None = None


@dataclass(frozen=True)
class PropertyFile:
    """A JSON file in a processing output that Std:JsonGet may read."""

    output: str
    path: str


@dataclass(frozen=True)
class Branch:
    """Where a step stands: in the IfSteps (`taken` True) or the ElseSteps (False) of a Condition step."""

    condition: str
    taken: bool


@dataclass(frozen=True)
class Loop:
    """A ForEach step's own arguments.

    `items`: an unresolved list, or an expression for the text of a JSON list; `pick`: MaxBy or MinBy over `field` (an
    unresolved `IterationOutput...` reference), None without a Selector; `body`: names of its steps, in order.
    """

    items: Any
    max_concurrency: int
    body: tuple[str, ...]
    pick: str | None = None
    field: Any = None


@dataclass(frozen=True)
class Step:
    """One step. `raw` is the step's own JSON object, where members of one kind stand (FunctionArn, CheckType...).

    `upstream`: every step that must have ended before: data references, DependsOn, of a Condition those of its
    conditions, of a branch step its Condition, of a ForEach those that its body needs from outside.
    """

    name: str
    type: str
    arguments: Document
    raw: Document = field(repr=False, compare=False)
    display_name: str | None = None
    description: str | None = None
    depends_on: tuple[Dependency, ...] = ()
    cache: CachePolicy | None = None
    retries: tuple[RetryPolicy, ...] = ()
    property_files: dict[str, PropertyFile] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    branch: Branch | None = None
    body_of: str | None = None
    upstream: frozenset[str] = frozenset()
    references: frozenset[str] = frozenset()
    """The steps of `upstream` that are read (Get, JsonGet)."""
    conditions: tuple[Document, ...] = ()
    if_steps: tuple[str, ...] = ()
    else_steps: tuple[str, ...] = ()
    loop: Loop | None = None

    @property
    def children(self) -> tuple[str, ...]:
        """The steps that stand inside this one."""
        return self.if_steps + self.else_steps + (self.loop.body if self.loop else ())


@dataclass(frozen=True)
class Definition:
    """A whole definition. `steps`: the top level in order; `every`: those inside Conditions and ForEach bodies too."""

    parameters: dict[str, Parameter]
    steps: tuple[Step, ...]
    every: dict[str, Step]
    experiment: Document | None = None
    mlflow: Document | None = None
    raw: Document = field(default_factory=dict, repr=False)

    def downstream(self, name: str) -> Iterator[Step]:
        """The steps that wait for `name` directly."""
        return (step for step in self.every.values() if name in step.upstream)
