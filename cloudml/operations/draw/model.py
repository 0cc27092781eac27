"""The pipeline as boxes and arrows, before anybody decides how they look."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudml import spec
from cloudml.backend.records import RunRecord
from cloudml.operations.draw.words import pipeline_notes, show_value, step_kind, step_note

CONTAINERS = frozenset({"condition", "map", "group", "finally"})

_ITEM = re.compile(r"^(.+?)\[")


@dataclass(frozen=True)
class GraphNode:
    """A step. `parent` is the container it lies in, `branch` the half of a condition: "then" or "otherwise"."""

    name: str
    kind: str
    parent: str | None = None
    branch: str = ""
    note: str = ""
    reads: tuple[str, ...] = ()
    """What it reads, in words: `extract.customers`, `min_auc`."""


@dataclass(frozen=True)
class Edge:
    """Data that flows from a step to a step (`label` is the output), or only their order (no label)."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True)
class Graph:
    """A pipeline, drawn by nobody yet. Nodes in the order they were written, containers before what lies in them."""

    name: str
    notes: tuple[str, ...]
    nodes: Mapping[str, GraphNode]
    edges: tuple[Edge, ...]

    def children(self) -> dict[str | None, list[GraphNode]]:
        """The nodes that lie directly in each container; None is the pipeline itself."""
        found: dict[str | None, list[GraphNode]] = {}
        for node in self.nodes.values():
            found.setdefault(node.parent, []).append(node)
        return found


@dataclass(frozen=True)
class State:
    """How a step fared in one run."""

    status: str
    duration: float | None = None
    count: int = 1
    """Items, for a step inside a map."""


def graph_of(pipeline: spec.Pipeline) -> Graph:
    """The graph of a spec."""
    nodes: dict[str, GraphNode] = {}
    edges: dict[Edge, None] = {}
    placed = _places(pipeline)
    for step in spec.walk(pipeline.steps):
        parent, branch = placed.get(step.name, (None, ""))
        reads: dict[str, None] = {}
        for _, value in spec.arguments(step):
            for leaf in spec.references(value):
                reads[show_value(leaf)] = None
                if isinstance(leaf, spec.OutputRef):
                    edges[Edge(leaf.step, step.name, leaf.output)] = None
        edges.update((Edge(name, step.name), None) for name in step.after)
        nodes[step.name] = GraphNode(step.name, step_kind(step), parent, branch, step_note(step), tuple(reads))
    known = tuple(edge for edge in edges if edge.source in nodes and edge.target in nodes)
    return Graph(pipeline.name, pipeline_notes(pipeline), nodes, known)


def _places(pipeline: spec.Pipeline) -> dict[str, tuple[str, str]]:
    """Container and branch of every step that lies in one."""
    found: dict[str, tuple[str, str]] = {}
    for step in spec.walk(pipeline.steps):
        if isinstance(step, spec.ConditionStep):
            found.update((child.name, (step.name, "then")) for child in step.then)
            found.update((child.name, (step.name, "otherwise")) for child in step.otherwise)
        else:
            found.update((child.name, (step.name, "")) for child in spec.children(step))
    return found


_WORST = ("failed", "running", "waiting", "interrupted", "stopped", "pending", "succeeded", "cached", "skipped")


def states_of(record: RunRecord) -> dict[str, State]:
    """The state of every step; of the items of a map the one that matters most, and their time in all."""
    found: dict[str, State] = {}
    for task in record.tasks:
        name = match[1] if (match := _ITEM.match(task.id)) else task.id
        old = found.get(name)
        if old is None:
            found[name] = State(task.status, task.duration)
            continue
        worst = min(old.status, task.status, key=_WORST.index)
        spent = [value for value in (old.duration, task.duration) if value is not None]
        found[name] = State(worst, sum(spent) if spent else None, old.count + 1)
    return found


def to_dict(graph: Graph, states: Mapping[str, State]) -> dict[str, Any]:
    """JSON types."""
    nodes = [
        {
            "name": node.name,
            "kind": node.kind,
            "parent": node.parent,
            "branch": node.branch or None,
            "note": node.note,
            "reads": list(node.reads),
            **(
                {"status": states[node.name].status, "duration": states[node.name].duration}
                if node.name in states
                else {}
            ),
        }
        for node in graph.nodes.values()
    ]
    edges = [{"source": edge.source, "target": edge.target, "output": edge.label or None} for edge in graph.edges]
    return {"notes": list(graph.notes), "nodes": nodes, "edges": edges}
