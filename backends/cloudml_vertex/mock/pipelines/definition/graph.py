"""The order of tasks in a DAG, and what goes round in circles."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from cloudml_vertex.mock.pipelines.definition.problems import Problems


def order(waits: Mapping[str, Iterable[str]], path: str, problems: Problems) -> tuple[str, ...]:
    """The tasks, each after all that it waits for, else by name. A cycle is noted; what is in it comes last."""
    left = {key: {up for up in ups if up in waits and up != key} for key, ups in waits.items()}
    down: dict[str, list[str]] = {key: [] for key in waits}
    for key, ups in left.items():
        for up in ups:
            down[up].append(key)
    ready = sorted(key for key, ups in left.items() if not ups)
    found: list[str] = []
    while ready:
        key = heapq.heappop(ready)
        found.append(key)
        for one in down[key]:
            left[one].discard(key)
            if not left[one]:
                heapq.heappush(ready, one)
    if len(found) < len(waits):
        rest = {key: left[key] for key in waits if key not in set(found)}
        problems.add(path, f"the tasks wait for one another in a circle: {' -> '.join(circle(rest))}")
        found.extend(sorted(rest))
    return tuple(found)


def circle(waits: Mapping[str, Iterable[str]]) -> list[str]:
    """One circle among nodes of which each waits for another one."""
    node = min(waits)
    seen: list[str] = []
    while node not in seen:
        seen.append(node)
        node = min(one for one in waits[node] if one in waits)
    return [*seen[seen.index(node) :], node]


def recursive(uses: Mapping[str, Iterable[str]]) -> set[str]:
    """The nodes from which a way leads back to themselves."""
    left = {key: {one for one in of if one in uses} for key, of in uses.items()}
    while True:
        leaves = {key for key, of in left.items() if not of}
        if not leaves:
            break
        left = {key: of - leaves for key, of in left.items() if key not in leaves}
    return {key for key in left if _reaches(key, key, left)}


def _reaches(start: str, goal: str, uses: Mapping[str, Iterable[str]]) -> bool:
    seen: set[str] = set()
    todo = list(uses[start])
    while todo:
        node = todo.pop()
        if node == goal:
            return True
        if node not in seen:
            seen.add(node)
            todo.extend(uses[node])
    return False
