"""A graph as one SVG file that needs nothing else: no fonts, no scripts, no network; light and dark by the reader's setting."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import escape as _escape

from cloudml.operations.draw.layout import MARGIN, Arrow, Box, Drawing, layout
from cloudml.operations.draw.model import CONTAINERS, Graph, GraphNode, State

CHARACTER = 8.1
"""Width of a character of the step's name, in pixels; system fonts differ little enough."""

LONGEST = 40
"""Characters of a name or note that are shown; all of it is in the title."""

HEIGHT = 46.0
HEADER = 56.0

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

_KINDS = {
    "processing": ("#2563eb", "#60a5fa"),
    "evaluation": ("#0891b2", "#22d3ee"),
    "training": ("#7c3aed", "#a78bfa"),
    "tuning": ("#7c3aed", "#a78bfa"),
    "batch_prediction": ("#0d9488", "#2dd4bf"),
    "condition": ("#b45309", "#fbbf24"),
    "map": ("#475569", "#94a3b8"),
    "group": ("#475569", "#94a3b8"),
    "finally": ("#475569", "#94a3b8"),
    "register": ("#15803d", "#4ade80"),
    "approve": ("#be185d", "#f472b6"),
    "deploy": ("#15803d", "#4ade80"),
    "verify": ("#0891b2", "#22d3ee"),
    "monitor": ("#0d9488", "#2dd4bf"),
    "notify": ("#64748b", "#94a3b8"),
    "fail": ("#b91c1c", "#f87171"),
}

_STATES = {
    "succeeded": ("#15803d", "#4ade80", "✓"),
    "cached": ("#0e7490", "#22d3ee", "✓"),
    "failed": ("#b91c1c", "#f87171", "✗"),
    "running": ("#b45309", "#fbbf24", "●"),
    "waiting": ("#a21caf", "#e879f9", "◷"),
    "stopped": ("#b45309", "#fbbf24", "■"),
    "interrupted": ("#b45309", "#fbbf24", "■"),
    "skipped": ("#94a3b8", "#64748b", "−"),
    "pending": ("#94a3b8", "#64748b", "○"),
}


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
        f"<style>{_css(drawing, states)}</style>",
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
        told += [f"{state.duration:.1f} s"] if state.duration is not None and state.status != "cached" else []
    elif node.note and node.kind != "condition":
        told.append(_cut(node.note))
    return " · ".join(told)


def _measure(node: GraphNode, states: Mapping[str, State]) -> tuple[float, float]:
    note = len(_cut(node.note, 70)) * 6.0 if node.kind in CONTAINERS else 0.0
    widest = max(len(_cut(node.name)) * CHARACTER, len(_second_line(node, states)) * 6.2, note)
    return widest + 34, HEIGHT


def _box(box: Box, states: Mapping[str, State]) -> str:
    node = box.node
    if node is None:
        return (
            f'<g class="half"><rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="6"/>'
            f'<text class="kind" x="{box.x + 10:.1f}" y="{box.y + 15:.1f}">{escape(box.title)}</text></g>'
        )
    state = states.get(node.name)
    classes = f"k-{node.kind}" + (f" s-{state.status}" if state else "")
    container = node.kind in CONTAINERS
    about = "\n".join(part for part in (f"{node.name} ({node.kind})", node.note, *(f"← {name}" for name in node.reads)) if part)
    second = _cut(node.note, 70) if container and node.note else _second_line(node, states)
    sign = f"{_STATES[state.status][2]} " if state and state.status in _STATES else ""
    bar = "" if container else (
        f'<rect class="bar" x="{box.x:.1f}" y="{box.y:.1f}" width="5" height="{box.height:.1f}" rx="2.5"/>'
    )
    return (
        f'<g class="{"frame" if container else "step"} {escape(classes)}"><title>{escape(about)}</title>'
        f'<rect class="body" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="7"/>{bar}'
        f'<text class="name" x="{box.x + 16:.1f}" y="{box.y + 20:.1f}"><tspan class="sign">{sign}</tspan>{escape(_cut(node.name))}</text>'
        f'<text class="kind" x="{box.x + 16:.1f}" y="{box.y + 36:.1f}">{escape(second)}</text></g>'
    )


def _arrow(arrow: Arrow) -> str:
    (x, y), *rest = arrow.points
    path = [f"M{x:.1f} {y:.1f}"]
    straight = False
    for next_x, next_y in rest:
        middle = (y + next_y) / 2
        path.append(
            f"V{next_y:.1f}" if straight else f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {next_y:.1f}"
        )
        x, y, straight = next_x, next_y, not straight
    return f'<path class="edge" d="{"".join(path)}" marker-end="url(#tip)"><title>{escape(chr(10).join(arrow.labels))}</title></path>'


def _used(drawing: Drawing, states: Mapping[str, State]) -> tuple[list[str], list[str]]:
    nodes = [box.node for box in drawing.boxes if box.node is not None]
    kinds = list(dict.fromkeys(node.kind for node in nodes))
    found = list(dict.fromkeys(states[node.name].status for node in nodes if node.name in states))
    return kinds, [status for status in _STATES if status in found]


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


_SHAPES = """
text{font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
.title{font-size:19px;font-weight:650}.note{font-size:11.5px}.name{font-size:13px;font-weight:600}.kind{font-size:11px}
.body{stroke-width:1.2}.frame>.body{stroke-dasharray:5 4}.half>rect{fill:none;stroke-dasharray:2 4}
.edge{fill:none;stroke-width:1.4}.edge:hover{stroke-width:2.6}
.s-skipped,.s-pending{opacity:.7}.s-failed>.body,.s-running>.body{stroke-width:2}
"""

_PALETTES: tuple[dict[str, str], ...] = (
    {"page": "#ffffff", "body": "#f8fafc", "frame": "#f1f5f9", "line": "#cbd5e1", "ink": "#0f172a", "soft": "#64748b", "edge": "#94a3b8"},
    {"page": "#0f172a", "body": "#1e293b", "frame": "#152036", "line": "#3b4a63", "ink": "#f1f5f9", "soft": "#94a3b8", "edge": "#64748b"},
)  # fmt: skip
"""Light and dark. Written out as plain rules, without CSS variables, which many viewers of SVG do not know."""

_COLOURED = (
    (".page", "fill", "page"),
    (".body", "fill", "body"),
    (".body,.half>rect", "stroke", "line"),
    (".frame>.body", "fill", "frame"),
    (".title,.name", "fill", "ink"),
    (".note,.kind", "fill", "soft"),
    (".edge", "stroke", "edge"),
    (".tip", "fill", "edge"),
)


def _colours(index: int, kinds: list[str], found: list[str]) -> str:
    """The rules of one palette; a state comes after the kinds and so overrules them."""
    palette = _PALETTES[index]
    rules = [f"{where}{{{what}:{palette[name]}}}" for where, what, name in _COLOURED]
    own = [(f"k-{kind}", _KINDS.get(kind, _KINDS["notify"])[index]) for kind in kinds]
    own += [(f"s-{status}", _STATES[status][index]) for status in found]
    for name, colour in own:
        rules.append(f".{name} .bar,.{name} .dot,.{name} .sign{{fill:{colour}}}.frame.{name}>.body{{stroke:{colour}}}")
    rules += [f".s-{status}>.body{{stroke:{_STATES[status][index]}}}" for status in found]
    return "".join(rules)


def _css(drawing: Drawing, states: Mapping[str, State]) -> str:
    """Only the colours that this drawing uses."""
    kinds, found = _used(drawing, states)
    light, dark = _colours(0, kinds, found), _colours(1, kinds, found)
    return f"{_SHAPES}{light}@media (prefers-color-scheme:dark){{{dark}}}"
