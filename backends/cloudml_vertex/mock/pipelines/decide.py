"""Which tasks of one DAG start next: a pure function of the DAG's plan and of how its tasks stand.

Only what a change can have set free is looked at, so that a DAG of n tasks costs O(n) over its whole run. The rules are
those of `PipelineTaskSpec.TriggerPolicy` in the published proto, and of `PipelineFailurePolicy`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

GOOD = frozenset({"SUCCEEDED", "SKIPPED"})
"""States of a task whose outputs can be used: SKIPPED is a cache hit."""

FINAL = GOOD | {"FAILED", "CANCELLED", "NOT_TRIGGERED"}
"""States that do not change any more."""

COMPLETED = "ALL_UPSTREAM_TASKS_COMPLETED"


@dataclass(frozen=True)
class Node:
    """One task as far as order goes: what it waits for, and whether it waits for an end of any kind."""

    key: str
    upstream: tuple[str, ...] = ()
    strategy: str = ""


class Plan:
    """What follows from a DAG alone. `nodes` come in topological order."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = {node.key: node for node in nodes}
        self.order = {key: number for number, key in enumerate(self.nodes)}
        self.downstream: dict[str, list[str]] = {key: [] for key in self.nodes}
        for node in self.nodes.values():
            for up in node.upstream:
                self.downstream[up].append(node.key)


@dataclass(frozen=True)
class Decision:
    """`start`: the tasks to start, `never`: those that can never start any more; both in topological order."""

    start: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


def decide(
    plan: Plan, states: Mapping[str, str], changed: Iterable[str] | None, *, halted: bool = False, closed: bool = False
) -> Decision:
    """What follows when the tasks `changed` have come to their states (None: look at every task).

    `states` has the tasks that were started or ruled out. `halted`: a task failed under the policy "fail fast", only
    tasks that wait for completion still start. `closed`: the job is being cancelled, nothing starts.
    """
    never: dict[str, str] = {}
    keys = plan.nodes if changed is None else [down for key in changed for down in plan.downstream[key]]
    heap = sorted({plan.order[key] for key in keys})
    queued = set(heap)
    names = tuple(plan.nodes)
    start: list[str] = []
    while heap:
        key = names[heapq.heappop(heap)]
        if key in states or key in never:
            continue
        found = _verdict(plan.nodes[key], states, never, halted, closed)
        if found == "start":
            start.append(key)
        elif found == "never":
            never[key] = "NOT_TRIGGERED"
            for down in plan.downstream[key]:
                if plan.order[down] not in queued:
                    queued.add(plan.order[down])
                    heapq.heappush(heap, plan.order[down])
    return Decision(tuple(start), tuple(never))


def _verdict(node: Node, states: Mapping[str, str], never: Mapping[str, str], halted: bool, closed: bool) -> str:
    if closed:
        return "never"
    ups = [never.get(up) or states.get(up, "") for up in node.upstream]
    if node.strategy == COMPLETED:
        return "start" if all(state in FINAL for state in ups) else "wait"
    if halted or any(state in FINAL and state not in GOOD for state in ups):
        return "never"
    return "start" if all(state in GOOD for state in ups) else "wait"


def ended(states: Iterable[str]) -> str:
    """The state of a DAG or a loop whose tasks have all ended: FAILED when one failed, else CANCELLED when one was.

    Tasks that were not triggered do not make it fail.
    """
    found = set(states)
    return next((state for state in ("FAILED", "CANCELLED") if state in found), "SUCCEEDED")


def retry_delay(attempt: int, *, first: float, factor: float, most: float) -> float:
    """Seconds before attempt number `attempt` + 1, by `PipelineTaskSpec.RetryPolicy`: exponential, up to `most`."""
    try:
        return min(first * factor ** (attempt - 1), most)
    except OverflowError:
        return most
