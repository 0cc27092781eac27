"""A graph as one SVG file that needs nothing else: no fonts, no scripts, no network; light or dark as the reader's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import escape as _escape

from cloudml.operations.draw.layout import MARGIN, Arrow, Box, Drawing, layout
from cloudml.operations.draw.model import CONTAINERS, Graph, GraphNode, State
from cloudml.operations.draw.palette import STATES, css

CHARACTER = 8.1
"""Width of a character of the step's name, in pixels; system fonts differ little enough."""

LONGEST = 40
"""Characters of a name or note that are shown; all of it is in the title."""

HEIGHT = 46.0
HEADER = 56.0

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path class="tip" d="M0 .5 8 4 0 7.5z"/></marker></defs>'
)


def escape(value: str) -> str:
    """Text that cannot leave its place in the document."""
    return _escape(_ILLEGAL.sub("\ufffd", value), {'"': "&quot;", "'": "&#39;"})


def svg(graph: Graph, states: Mapping[str, State]) -> str:
    """The document."""
    drawing = layout(graph, lambda node: _measure(node, states))
    title = graph.name
    subtitle = " · ".join(graph.notes)
    width = max(drawing.width, CHARACTER * max(len(title) * 1.4, min(len(subtitle), 120)) + 2 * MARGIN)
    legend = _legend(drawing, states, width, drawing.height + HEADER)
    shift = (width - drawing.width) / 2
    parts = [
        _opening(graph.name, width, legend[1]),
        f"<style>{css(*_used(drawing, states))}</style>",
        _TIP,
        '<rect class="page" width="100%" height="100%"/>',
        f'<text class="title" x="{MARGIN}" y="28">{escape(title)}</text>',
        f'<text class="note" x="{MARGIN}" y="46">{escape(_cut(subtitle, 120))}</text>',
        f'<g transform="translate({shift:.1f} {HEADER})">',
        *(_box(box, states) for box in drawing.boxes),
        *(_arrow(arrow) for arrow in drawing.arrows),
        "</g>",
        *legend[0],
        "</svg>",
    ]
    return "\n".join(parts)


def _opening(name: str, width: float, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="pipeline {escape(name)}">'
    )


def _cut(value: str, limit: int = LONGEST) -> str:
    return value if len(value) <= limit else value[: limit - 1] + "…"


def _second_line(node: GraphNode, states: Mapping[str, State]) -> str:
    state = states.get(node.name)
    told = [node.kind.replace("_", " ")]
    if state is not None:
        told.append(state.status + (f" ×{state.count}" if state.count > 1 else ""))
        told += (
            [f"{state.duration:.1f} s"]
            if state.duration is not None and state.status not in ("cached", "skipped")
            else []
        )
    elif node.note and node.kind != "condition":
        told.append(_cut(node.note))
    return " · ".join(told)


def _measure(node: GraphNode, states: Mapping[str, State]) -> tuple[float, float]:
    note = len(_cut(node.note, 70)) * 6.0 if node.kind in CONTAINERS else 0.0
    widest = max(len(_cut(node.name)) * CHARACTER, len(_second_line(node, states)) * 6.2, note)
    return widest + 34, HEIGHT


def _rect(box: Box, css_class: str, width: float, radius: float) -> str:
    at = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{width:.1f}" height="{box.height:.1f}" rx="{radius}"'
    return f'<rect class="{css_class}" {at}/>'


def _words(box: Box, css_class: str, right: float, down: float, content: str) -> str:
    return f'<text class="{css_class}" x="{box.x + right:.1f}" y="{box.y + down:.1f}">{content}</text>'


def _box(box: Box, states: Mapping[str, State]) -> str:
    node = box.node
    if node is None:
        return f"<g>{_rect(box, 'half', box.width, 6)}{_words(box, 'kind', 10, 15, escape(box.title))}</g>"
    state = states.get(node.name)
    container = node.kind in CONTAINERS
    classes = f"{'frame' if container else 'step'} k-{node.kind}" + (f" s-{state.status}" if state else "")
    about = (f"{node.name} ({node.kind})", node.note, *(f"← {name}" for name in node.reads))
    sign = f"{STATES[state.status][2]} " if state and state.status in STATES else ""
    name = f'<tspan class="sign">{sign}</tspan>{escape(_cut(node.name))}'
    second = _cut(node.note, 70) if container and node.note else _second_line(node, states)
    parts = (
        f"<title>{escape(chr(10).join(part for part in about if part))}</title>",
        _rect(box, "body", box.width, 7),
        "" if container else _rect(box, "bar", 5, 2.5),
        _words(box, "name", 16, 20, name),
        _words(box, "kind", 16, 36, escape(second)),
    )
    return f'<g class="{escape(classes)}">{"".join(parts)}</g>'


def _arrow(arrow: Arrow) -> str:
    """A curve from layer to layer; straight down where it passes boxes."""
    (x, y), *rest = arrow.points
    path = [f"M{x:.1f} {y:.1f}"]
    straight = False
    for right, down in rest:
        middle = (y + down) / 2
        curve = f"C{x:.1f} {middle:.1f} {right:.1f} {middle:.1f} {right:.1f} {down:.1f}"
        path.append(f"V{down:.1f}" if straight else curve)
        x, y, straight = right, down, not straight
    title = f"<title>{escape(chr(10).join(arrow.labels))}</title>"
    return f'<path class="edge" d="{"".join(path)}" marker-end="url(#tip)">{title}</path>'


def _used(drawing: Drawing, states: Mapping[str, State]) -> tuple[list[str], list[str]]:
    nodes = [box.node for box in drawing.boxes if box.node is not None]
    kinds = list(dict.fromkeys(node.kind for node in nodes))
    found = list(dict.fromkeys(states[node.name].status for node in nodes if node.name in states))
    return kinds, [status for status in STATES if status in found]


def _legend(drawing: Drawing, states: Mapping[str, State], width: float, y: float) -> tuple[list[str], float]:
    """Words with a dot of their colour, and where the document ends."""
    kinds, found = _used(drawing, states)
    entries = [(f"s-{name}", name) for name in found] or [(f"k-{name}", name.replace("_", " ")) for name in kinds]
    x, parts = MARGIN, []
    for name, shown in entries:
        taken = len(shown) * 6.4 + 30
        if x + taken > width and x > MARGIN:
            x, y = MARGIN, y + 20
        parts.append(
            f'<g class="{escape(name)}"><circle class="dot" cx="{x + 5:.1f}" cy="{y + 6:.1f}" r="4.5"/>'
            f'<text class="kind" x="{x + 15:.1f}" y="{y + 10:.1f}">{escape(shown)}</text></g>'
        )
        x += taken
    return parts, y + 28
