"""How nodes hang together: contexts in contexts, nodes in contexts, events, and the graphs that are asked of them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from cloudml_vertex.mock.core import filters, labels, names
from cloudml_vertex.mock.core.errors import failed_precondition, invalid
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.metadata.nodes import ARTIFACT, CONTEXT, EXECUTION, Kind, plain_filter, public

Document = dict[str, Any]
PARENTS = 10
"""Parents of one context (Context.parent_contexts)."""
LARGEST = 1000
"""Nodes or events of one subgraph (docstrings of the Query requests)."""
_EDGES = {"event": 1, "artifact": 2}


@rpc("MetadataService.AddContextChildren")
def add_children(call: Call) -> Document:
    """Known children are skipped; a cycle and an 11th parent are INVALID_ARGUMENT (MetadataServiceClient)."""
    parent = _named(call, CONTEXT, "context")
    children = _listed(call, CONTEXT, "child_contexts")
    for child in children:
        parents = child.get("parent_contexts", [])
        if parent["name"] in parents:
            continue
        if child["name"] in _ancestors(call, parent["name"]):
            raise invalid(f"Adding '{child['name']}' to '{parent['name']}' would create a cycle.")
        if len(parents) >= PARENTS:
            raise invalid(f"The context '{child['name']}' has {PARENTS} parents already.")
    for child in children:
        if parent["name"] not in child.get("parent_contexts", []):
            child["parent_contexts"] = [*child.get("parent_contexts", []), parent["name"]]
            _put_child(call, child)
    return {}


@rpc("MetadataService.RemoveContextChildren")
def remove_children(call: Call) -> Document:
    """Contexts that are no children are skipped."""
    parent = _named(call, CONTEXT, "context")
    for child in _listed(call, CONTEXT, "child_contexts"):
        if parent["name"] in child.get("parent_contexts", []):
            child["parent_contexts"] = [name for name in child["parent_contexts"] if name != parent["name"]]
            _put_child(call, child)
    return {}


def _put_child(call: Call, child: Document) -> None:
    # Its etag stays: the SDK makes a run, adds it to its experiment, and updates it with the etag it was made with.
    CONTEXT.table(call.world, call.scope).put(child["name"], child)


@rpc("MetadataService.AddContextArtifactsAndExecutions")
def add_members(call: Call) -> Document:
    """Members are skipped when they are such already."""
    context = _named(call, CONTEXT, "context")
    found = [(kind, row) for kind, key in _MEMBERS for row in _listed(call, kind, key)]
    for kind, row in found:
        if context["name"] not in row.get("_contexts", []):
            row["_contexts"] = [*row.get("_contexts", []), context["name"]]
            kind.table(call.world, call.scope).put(row["name"], row)
    return {}


_MEMBERS = ((ARTIFACT, "artifacts"), (EXECUTION, "executions"))


@rpc("MetadataService.AddExecutionEvents")
def add_events(call: Call) -> Document:
    """An event between the execution and an artifact that have one already is skipped."""
    execution = _named(call, EXECUTION, "execution")
    events = execution.get("_events", [])
    known = {event["artifact"] for event in events}
    for given in call.params.get("events", ()):
        name = names.canonical(call.world, str(given.get("artifact", "")))
        ARTIFACT.need(call.world, call.scope, name)
        if given.get("type_") not in {"INPUT", "OUTPUT"}:
            raise invalid("events.type: it must be INPUT or OUTPUT.")
        labels.check(given.get("labels"), "events.labels")
        if name not in known:
            known.add(name)
            event = {
                "artifact": name,
                "execution": execution["name"],
                "event_time": call.stamp,
                "type_": given["type_"],
            }
            events = [*events, {**event, **({"labels": given["labels"]} if given.get("labels") else {})}]
    execution["_events"] = events
    EXECUTION.table(call.world, call.scope).put(execution["name"], execution)
    return {}


@rpc("MetadataService.QueryExecutionInputsAndOutputs")
def query_execution(call: Call) -> Document:
    """The execution, its artifacts, and the events between them."""
    execution = _named(call, EXECUTION, "execution")
    events = execution.get("_events", [])
    return _graph(call, {event["artifact"] for event in events}, {execution["name"]}, events)


@rpc("MetadataService.QueryContextLineageSubgraph")
def query_context(call: Call) -> Document:
    """What belongs to the context, and the events inside."""
    context = _named(call, CONTEXT, "context")["name"]
    artifacts, executions = (
        {name for name, row in kind.table(call.world, call.scope).items() if context in row.get("_contexts", [])}
        for kind, _ in _MEMBERS
    )
    events = [event for event in _events(call) if event["execution"] in executions and event["artifact"] in artifacts]
    return _graph(call, artifacts, executions, events)


@rpc("MetadataService.QueryArtifactLineageSubgraph")
def query_artifact(call: Call) -> Document:
    """What the artifact was made of and what was made of it, up to `max_hops` (0: everything) away."""
    start = _named(call, ARTIFACT, "artifact")["name"]
    hops = int(call.params.get("max_hops", 0))
    if hops < 0:
        raise invalid(f"max_hops: {hops} is negative.")
    wanted = filters.wanted(plain_filter(call), ARTIFACT.filters(call))
    edges = _events(call)
    near: dict[str, set[str]] = defaultdict(set)
    for event in edges:
        near[event["artifact"]].add(event["execution"])
        near[event["execution"]].add(event["artifact"])
    limit = hops * _EDGES[call.world.switches["lineage-hop"]] or len(near)
    table = ARTIFACT.table(call.world, call.scope)
    seen, front = {start}, {start}
    for _ in range(limit):
        front = {other for name in front for other in near[name]} - seen
        front = {name for name in front if name not in table or wanted(table[name])}
        if not front:
            break
        seen |= front
    artifacts = {name for name in seen if name in table}
    inside = [event for event in edges if event["artifact"] in seen and event["execution"] in seen]
    return _graph(call, artifacts, seen - artifacts, inside)


def _events(call: Call) -> list[Document]:
    rows = EXECUTION.table(call.world, call.scope)
    return [event for row in rows for event in row.get("_events", [])]


def _graph(call: Call, artifacts: set[str], executions: set[str], events: list[Document]) -> Document:
    if max(len(artifacts), len(executions), len(events)) > LARGEST:
        raise failed_precondition(f"The subgraph has more than {LARGEST} artifacts, executions or events.")
    found: Document = {}
    for kind, chosen in ((ARTIFACT, artifacts), (EXECUTION, executions)):
        rows = kind.table(call.world, call.scope).items()
        found[kind.collection] = [public(row) for name, row in rows if name in chosen]
    return {**found, "events": events}


def _named(call: Call, kind: Kind, field: str) -> Document:
    return kind.need(call.world, call.scope, names.canonical(call.world, str(call.params.get(field, ""))))


def _listed(call: Call, kind: Kind, field: str) -> list[Document]:
    given = [names.canonical(call.world, name) for name in call.params.get(field, ())]
    return [kind.need(call.world, call.scope, name) for name in dict.fromkeys(given)]


def _ancestors(call: Call, name: str) -> set[str]:
    """The context itself and all above it."""
    table = CONTEXT.table(call.world, call.scope)
    seen: set[str] = set()
    front = [name]
    while front:
        one = front.pop()
        if one not in seen and one in table:
            seen.add(one)
            front += table[one].get("parent_contexts", [])
    return seen
