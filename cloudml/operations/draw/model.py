"""The pipeline as boxes and arrows, before anybody decides how they look."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudml import spec
from cloudml.backend.records import RunRecord

CONTAINERS = frozenset({"condition", "map", "group", "finally"})

_ITEM = re.compile(r"^(.+?)\[")


@dataclass(frozen=True)
class GraphNode:
    """A step. `parent` is the container it lies in, `branch` says in which half of a condition ("then", "otherwise")."""

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
        kind = _kind(step)
        nodes[step.name] = GraphNode(step.name, kind, parent, branch, _note(step), tuple(reads))
    known = tuple(edge for edge in edges if edge.source in nodes and edge.target in nodes)
    return Graph(pipeline.name, tuple(_pipeline_notes(pipeline)), nodes, known)


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


def _kind(step: spec.BaseStep) -> str:
    if isinstance(step, spec.ProcessingStep):
        return step.purpose
    return str(getattr(step, "kind", ""))


def _note(step: spec.BaseStep) -> str:
    """What is worth saying of a step in a few words."""
    if isinstance(step, spec.ConditionStep):
        return show_condition(step.condition)
    if isinstance(step, spec.TuningStep):
        return f"{step.trials} trials, {step.direction} {step.objective}"
    if isinstance(step, spec.MapStep):
        return f"each of {show_value(step.items)}"
    if isinstance(step, spec.RegisterStep):
        return f"model {step.model_name}"
    if isinstance(step, spec.DeployStep):
        return f"endpoint {step.endpoint}" + (f", alias {step.alias}" if step.alias else "")
    if isinstance(step, spec.NotifyStep):
        return ", ".join(step.alerts)
    return step.message if isinstance(step, (spec.FailStep, spec.ApproveStep)) else ""


def _pipeline_notes(pipeline: spec.Pipeline) -> list[str]:
    notes = [f"{item.name}: {item.type}" + ("" if item.required else f" = {_default(item)}") for item in pipeline.parameters]
    if isinstance(pipeline.schedule, spec.Cron):
        notes.append(f"schedule {pipeline.schedule.expression} {pipeline.schedule.timezone}")
    elif pipeline.schedule is not None:
        notes.append(f"schedule every {pipeline.schedule.interval:g} s")
    return notes


def _default(parameter: spec.Parameter) -> str:
    return show_value(parameter.default) if isinstance(parameter.default, spec.RunRef) else repr(parameter.default)


def show_value(value: Any) -> str:
    """A value or reference in words."""
    if isinstance(value, spec.OutputRef):
        implied = value.output == "output" or (value.output == "metrics" and value.field)
        parts = [value.step, "" if implied else value.output, value.field or ""]
        return ".".join(part for part in parts if part) + ("[*]" if value.collected else "")
    if isinstance(value, spec.Arithmetic):
        sign = {"add": "+", "sub": "-", "mul": "*", "div": "/"}[value.op]
        return f"{show_value(value.left)} {sign} {show_value(value.right)}"
    if isinstance(value, spec.ChampionRef):
        return f"{value.alias}({value.model}).{value.metric}"
    if isinstance(value, spec.ModelRef):
        return f"{value.model}/{value.version or value.alias}"
    if isinstance(value, spec.ItemRef):
        return f"{value.map}.item" + (f".{value.field}" if value.field else "")
    if isinstance(value, spec.RunRef):
        return f"run.{value.field}"
    if isinstance(value, spec.SecretRef):
        return f"secret({value.name})"
    return value.name if isinstance(value, spec.ParameterRef) else repr(getattr(value, "value", value))


_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "in": "in"}


def show_condition(condition: Any) -> str:
    """A condition in words."""
    if isinstance(condition, spec.Comparison):
        return f"{show_value(condition.left)} {_SIGNS[condition.op]} {show_value(condition.right)}"
    if isinstance(condition, spec.Not):
        return f"not ({show_condition(condition.condition)})"
    word = " and " if isinstance(condition, spec.AllOf) else " or "
    parts = [show_condition(part) for part in condition.conditions]
    return word.join(f"({part})" if " or " in part or " and " in part else part for part in parts)


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
            **({"status": states[node.name].status, "duration": states[node.name].duration} if node.name in states else {}),
        }
        for node in graph.nodes.values()
    ]
    edges = [{"source": edge.source, "target": edge.target, "output": edge.label or None} for edge in graph.edges]
    return {"notes": list(graph.notes), "nodes": nodes, "edges": edges}
