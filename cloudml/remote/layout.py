"""Where each step of a pipeline lies, seen from a cloud: which steps share a job, which conditions need guards.

A cloud's pipelines join nothing after a branch: a step that waits for a step in a branch that is not taken never
starts. There a condition is decided by a job, the steps of its branches stand beside it, and each of them looks at the
decision (a guard) before it works.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloudml import spec
from cloudml.graph import dependencies

_SHARED = (spec.ProcessingStep, spec.TrainingStep, spec.ConditionStep, spec.FailStep)
"""What can run one after another in one job."""


@dataclass(frozen=True)
class Position:
    """Where a step lies. `map`: the innermost map around it; `job`: the group in whose job it runs.

    `guard`: the guarded condition around it and the branch it stands in; `final`: in a finally block.
    """

    step: spec.BaseStep
    parents: tuple[spec.BaseStep, ...] = ()
    branches: tuple[bool, ...] = ()
    """For each parent that is a condition: whether the step lies in its `then`; False for other parents."""
    map: spec.MapStep | None = None
    job: spec.GroupStep | None = None
    guard: tuple[str, bool] | None = None
    final: bool = False


@dataclass(frozen=True)
class Layout:
    """Every step's place; which conditions are guarded; which outputs are collected, as (step, output)."""

    positions: dict[str, Position]
    guarded: frozenset[str]
    collected: tuple[tuple[str, str], ...]
    needs: dict[str, tuple[str, ...]]
    waited: frozenset[str]
    """Steps that some `after` names."""
    finals: tuple[spec.FinallyStep, ...]


def lay_out(pipeline: spec.Pipeline) -> Layout:
    """The layout of a pipeline. Iterative and linear."""
    walked = tuple(spec.walk(pipeline.steps))
    waited = frozenset(name for step in walked for name in step.after)
    guarded = _guarded(pipeline, waited)
    positions = {place.step.name: place for place in _positions(pipeline, guarded)}
    leaves = (leaf for step in walked for _, value in spec.arguments(step) for leaf in spec.references(value))
    collected = dict.fromkeys(
        (leaf.step, leaf.output) for leaf in leaves if isinstance(leaf, spec.OutputRef) and leaf.collected
    )
    finals = tuple(step for step in pipeline.steps if isinstance(step, spec.FinallyStep))
    return Layout(positions, guarded, tuple(collected), dependencies(pipeline), waited, finals)


def shares_a_job(group: spec.GroupStep) -> bool:
    """Whether all in a group are functions and conditions, which one job can run; other groups are dissolved."""
    inside = list(spec.walk(group.body))
    special = any(_is_special(step) for step in inside)
    images = {step.image for step in inside if isinstance(step, spec.JobStep)}
    return not special and len(images) <= 1 and any(isinstance(step, spec.JobStep) for step in inside)


def _is_special(step: spec.BaseStep) -> bool:
    if isinstance(step, spec.TrainingStep):
        return step.checkpoint or step.spot is not None or step.distribution is not None or bool(step.native)
    return not isinstance(step, _SHARED) or (isinstance(step, spec.JobStep) and bool(step.native))


def _guarded(pipeline: spec.Pipeline, waited: frozenset[str]) -> frozenset[str]:
    """Conditions that something waits for, that lie in a map or in another guarded one, or beside a finally block."""
    with_exit = any(isinstance(step, spec.FinallyStep) for step in pipeline.steps)
    found: set[str] = set()
    stack: list[tuple[spec.BaseStep, bool]] = [(step, with_exit) for step in pipeline.steps]
    while stack:
        step, inside = stack.pop()
        if isinstance(step, spec.GroupStep) and shares_a_job(step):
            continue
        inside = inside or step.name in waited
        if isinstance(step, spec.ConditionStep) and inside:
            found.add(step.name)
        stack += [(child, inside or isinstance(step, spec.MapStep)) for child in spec.children(step)]
    return frozenset(found)


def _positions(pipeline: spec.Pipeline, guarded: frozenset[str]) -> Iterator[Position]:
    stack = [Position(step) for step in reversed(pipeline.steps)]
    while stack:
        place = stack.pop()
        yield place
        stack.extend(reversed([_inside(place, child, taken, guarded) for child, taken in _children(place.step)]))


def _children(step: spec.BaseStep) -> Sequence[tuple[spec.BaseStep, bool]]:
    if isinstance(step, spec.ConditionStep):
        return [(child, True) for child in step.then] + [(child, False) for child in step.otherwise]
    return [(child, False) for child in spec.children(step)]


def _inside(place: Position, child: spec.BaseStep, taken: bool, guarded: frozenset[str]) -> Position:
    around = place.step
    shares = isinstance(around, spec.GroupStep) and place.job is None and shares_a_job(around)
    guard = place.guard
    if isinstance(around, spec.MapStep):
        guard = None  # a map that is skipped goes over nothing: its body needs no guard of its own
    if around.name in guarded:
        guard = (around.name, taken)
    return Position(
        step=child,
        parents=(*place.parents, around),
        branches=(*place.branches, taken),
        map=around if isinstance(around, spec.MapStep) else place.map,
        job=around if shares and isinstance(around, spec.GroupStep) else place.job,
        guard=guard,
        final=place.final or isinstance(around, spec.FinallyStep),
    )
