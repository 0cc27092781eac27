"""What waits for what, over all steps at whatever depth. Linear in steps and references, without recursion.

Each step has two moments, its begin and its end. A step begins after the ends of the steps whose data it takes and
of those in its `after`; what lies in a container begins after the container's begin; a container ends after all
that lies in it. A step without children begins and ends, as far as order goes, at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloudml.spec.pipeline import Pipeline
from cloudml.spec.steps import BaseStep, FinallyStep, arguments, children
from cloudml.spec.values import OutputRef, references


@dataclass(frozen=True)
class Edges:
    """Moments by number: `2 * i` is the begin of step i, `2 * i + 1` its end. `needs[m]` come before moment m."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    waits: tuple[tuple[int, ...], ...]
    """For each step, the steps that it waits for itself."""
    needs: tuple[tuple[int, ...], ...]


def edges(pipeline: Pipeline) -> Edges:
    """The moments of every step. References to steps that do not exist are passed over; validation names them."""
    steps, parents = _flatten(pipeline)
    index: dict[str, int] = {}
    for position, step in enumerate(steps):
        index.setdefault(step.name, position)
    top = [i for i, parent in enumerate(parents) if parent < 0 and not isinstance(steps[i], FinallyStep)]
    waits = tuple(
        tuple(top) if isinstance(step, FinallyStep) and parents[i] < 0 else _waits(step, i, index)
        for i, step in enumerate(steps)
    )
    needs: list[list[int]] = [[] for _ in range(2 * len(steps))]
    for i, parent in enumerate(parents):
        needs[2 * i].extend(2 * one + 1 for one in waits[i])
        needs[2 * i + 1].append(2 * i)
        if parent >= 0:
            needs[2 * i].append(2 * parent)
            needs[2 * parent + 1].append(2 * i + 1)
    return Edges(tuple(step.name for step in steps), parents, waits, tuple(tuple(one) for one in needs))


def _flatten(pipeline: Pipeline) -> tuple[list[BaseStep], tuple[int, ...]]:
    steps: list[BaseStep] = []
    parents: list[int] = []
    stack: list[tuple[BaseStep, int]] = [(step, -1) for step in reversed(pipeline.steps)]
    while stack:
        step, parent = stack.pop()
        position = len(steps)
        steps.append(step)
        parents.append(parent)
        stack.extend((child, position) for child in reversed(children(step)))
    return steps, tuple(parents)


def _waits(step: BaseStep, own: int, index: dict[str, int]) -> tuple[int, ...]:
    names = [leaf.step for _, value in arguments(step) for leaf in references(value) if isinstance(leaf, OutputRef)]
    found = (index.get(name) for name in (*names, *step.after))
    return tuple(dict.fromkeys(one for one in found if one is not None and one != own)) + (
        (own,) if step.name in (*names, *step.after) and index[step.name] == own else ()
    )


def find_cycle(pipeline: Pipeline) -> tuple[str, ...] | None:
    """The names along one circle of waiting, in the order in which each waits for the next; None when there is none."""
    graph = edges(pipeline)
    circle = _circle(graph.needs)
    if circle is None:
        return None
    return tuple(dict.fromkeys(graph.names[moment // 2] for moment in circle))


def _circle(needs: Sequence[Sequence[int]]) -> list[int] | None:
    """Depth-first search with an explicit path."""
    unseen, open_, done = 0, 1, 2
    state = [unseen] * len(needs)
    for start in range(len(needs)):
        if state[start] != unseen:
            continue
        path = [start]
        rest = [iter(needs[start])]
        state[start] = open_
        while path:
            following = next(rest[-1], None)
            if following is None:
                state[path.pop()] = done
                rest.pop()
            elif state[following] == open_:
                return path[path.index(following) :]
            elif state[following] == unseen:
                state[following] = open_
                path.append(following)
                rest.append(iter(needs[following]))
    return None


def reach(starts: Iterable[int], links: Sequence[Sequence[int]]) -> set[int]:
    """All moments that can be come to from `starts`, those included."""
    seen = set(starts)
    stack = list(seen)
    while stack:
        for following in links[stack.pop()]:
            if following not in seen:
                seen.add(following)
                stack.append(following)
    return seen
