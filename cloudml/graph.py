"""Order and reach over the steps of a pipeline, at whatever depth. Linear, and without recursion.

A step begins after the steps whose data it takes, after those in its `after`, and after the begin of the container
in which it lies. Waiting for a container means waiting for all that lies in it.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from cloudml.errors import Diagnostic, SpecError
from cloudml.spec import Pipeline
from cloudml.spec.edges import Edges, edges, find_cycle, reach


def dependencies(pipeline: Pipeline) -> dict[str, tuple[str, ...]]:
    """For each step, in the order written: the container in which it lies, then the steps that it waits for.

    A container that a step lies in must have begun; any other step named here must have ended.
    """
    graph = edges(pipeline)
    found: dict[str, tuple[str, ...]] = {}
    for i, name in enumerate(graph.names):
        around = (graph.names[graph.parents[i]],) if graph.parents[i] >= 0 else ()
        found[name] = tuple(dict.fromkeys((*around, *(graph.names[one] for one in graph.waits[i]))))
    return found


def order(pipeline: Pipeline) -> tuple[str, ...]:
    """Every step after all that it depends on; where the graph leaves it open, as written.

    Raises SpecError (CML218) with the path of a cycle.
    """
    graph = edges(pipeline)
    followers = _turned(graph.needs)
    waiting = [len(needs) for needs in graph.needs]
    ready = [moment for moment, count in enumerate(waiting) if count == 0]
    heapq.heapify(ready)
    found: list[str] = []
    passed = 0
    while ready:
        moment = heapq.heappop(ready)
        passed += 1
        if moment % 2 == 0:
            found.append(graph.names[moment // 2])
        for following in followers[moment]:
            waiting[following] -= 1
            if waiting[following] == 0:
                heapq.heappush(ready, following)
    if passed < len(waiting):
        raise SpecError([cycle_diagnostic(find_cycle(pipeline) or ())])
    return tuple(found)


def cycle_diagnostic(cycle: Sequence[str], where: str = "") -> Diagnostic:
    """What to say of steps that wait for one another."""
    path = " -> ".join((*cycle, *cycle[:1]))
    return Diagnostic("CML218", where, f"these steps wait for one another: {path}", "remove one of these dependencies")


def upstream(pipeline: Pipeline, step: str) -> tuple[str, ...]:
    """Everything that must have begun before the step is done, containers around it included; as written."""
    graph = edges(pipeline)
    own = _own(graph, step)
    return _begun(graph, reach([2 * own + 1], graph.needs), own)


def downstream(pipeline: Pipeline, step: str) -> tuple[str, ...]:
    """Everything that begins only after the step; as written. Of a container: also what lies in it."""
    graph = edges(pipeline)
    own = _own(graph, step)
    return _begun(graph, reach([2 * own], _turned(graph.needs)), own)


def _own(graph: Edges, step: str) -> int:
    try:
        return graph.names.index(step)
    except ValueError:
        raise KeyError(step) from None


def _begun(graph: Edges, moments: set[int], own: int) -> tuple[str, ...]:
    return tuple(name for i, name in enumerate(graph.names) if 2 * i in moments and i != own)


def _turned(needs: Sequence[Sequence[int]]) -> list[list[int]]:
    """The same links the other way round."""
    found: list[list[int]] = [[] for _ in needs]
    for moment, before in enumerate(needs):
        for one in before:
            found[one].append(moment)
    return found
