"""A graph as an indented tree; arrows tell what each step reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cloudml.operations.draw.model import Graph, GraphNode, State

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

NAME_COLUMN = 48
"""The name column is not made wider than this by one long name."""

READS_SHOWN = 8


@dataclass(frozen=True)
class _Signs:
    branch: str
    last: str
    bar: str
    space: str
    reads: str


_UNICODE = _Signs("├─ ", "└─ ", "│  ", "   ", "←")
_ASCII = _Signs("|- ", "`- ", "|  ", "   ", "<-")


def text(graph: Graph, states: Mapping[str, State], unicode: bool = True) -> str:
    """The tree, one step a line: name, kind, state, what it is about, what it reads."""
    signs = _UNICODE if unicode else _ASCII
    rows = list(_rows(graph, signs))
    names = min(max((len(prefix) + len(node.name) for prefix, node in rows if node), default=0), NAME_COLUMN)
    kinds = max((len(node.kind) for _, node in rows if node), default=0)
    lines = [_clean(graph.name), *(f"  {_clean(note)}" for note in graph.notes), ""]
    for prefix, node in rows:
        if node is None:
            lines.append(prefix.rstrip())
            continue
        state = states.get(node.name)
        told = f"{state.status:<11} " if state else f"{'':<12}" if states else ""
        lines.append(
            f"{prefix + _clean(node.name):<{names}}  {node.kind:<{kinds}}  {told}{_about(node, signs)}".rstrip()
        )
    return "\n".join(lines)


def _about(node: GraphNode, signs: _Signs) -> str:
    more = len(node.reads) - READS_SHOWN
    reads = ", ".join(node.reads[:READS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    arrow = f"{signs.reads} {reads}" if reads and node.kind not in ("condition", "map") else ""
    return _clean("  ".join(part for part in (node.note, arrow) if part))


def _clean(value: str) -> str:
    return _CONTROL.sub(" ", value)


def _rows(graph: Graph, signs: _Signs) -> Iterator[tuple[str, GraphNode | None]]:
    """Prefix and node of each line, depth first; a line without a node is the title of a branch. Iterative."""
    children = graph.children()
    stack = list(reversed(_entries(children.get(None, []), "", signs)))
    while stack:
        prefix, inner, node = stack.pop()
        yield prefix, node
        if node is not None:
            stack.extend(reversed(_inside(children.get(node.name, []), inner, signs)))


_Entry = tuple[str, str, GraphNode | None]


def _entries(nodes: list[GraphNode], indent: str, signs: _Signs) -> list[_Entry]:
    ends = [index == len(nodes) - 1 for index in range(len(nodes))]
    return [
        (indent + (signs.last if end else signs.branch), indent + (signs.space if end else signs.bar), node)
        for end, node in zip(ends, nodes, strict=True)
    ]


def _inside(nodes: list[GraphNode], indent: str, signs: _Signs) -> list[_Entry]:
    """What lies in a container; the second half of a condition has a title of its own."""
    other = [node for node in nodes if node.branch == "otherwise"]
    if not other:
        return _entries(nodes, indent, signs)
    then = [node for node in nodes if node.branch != "otherwise"]
    halves: list[_Entry] = [(indent + signs.branch, indent + signs.bar, node) for node in then]
    title: _Entry = (f"{indent}{signs.last}otherwise", "", None)
    return [*halves, title, *_entries(other, indent + signs.space, signs)]
