"""The colours of a drawing: light and dark, by kind of step and by state."""

from __future__ import annotations

from collections.abc import Iterable

KINDS: dict[str, tuple[str, str]] = {
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

STATES: dict[str, tuple[str, str, str]] = {
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

_SHAPES = """
text{font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
.title{font-size:19px;font-weight:650}.note{font-size:11.5px}.name{font-size:13px;font-weight:600}.kind{font-size:11px}
.body{stroke-width:1.2}.frame>.body{stroke-dasharray:5 4}.half{fill:none;stroke-dasharray:2 4}
.edge{fill:none;stroke-width:1.4}.edge:hover{stroke-width:2.6}
.s-skipped,.s-pending{opacity:.7}.s-failed>.body,.s-running>.body{stroke-width:2}
"""

_PALETTES: tuple[dict[str, str], ...] = (
    {
        "page": "#ffffff",
        "body": "#f8fafc",
        "frame": "#f1f5f9",
        "line": "#cbd5e1",
        "ink": "#0f172a",
        "soft": "#64748b",
        "edge": "#94a3b8",
    },
    {
        "page": "#0f172a",
        "body": "#1e293b",
        "frame": "#152036",
        "line": "#3b4a63",
        "ink": "#f1f5f9",
        "soft": "#94a3b8",
        "edge": "#64748b",
    },
)
"""Light and dark. Written out as plain rules, without CSS variables, which many viewers of SVG do not know."""

_COLOURED = (
    (".page", "fill", "page"),
    (".body", "fill", "body"),
    (".body,.half", "stroke", "line"),
    (".frame>.body", "fill", "frame"),
    (".title,.name", "fill", "ink"),
    (".note,.kind", "fill", "soft"),
    (".edge", "stroke", "edge"),
    (".tip", "fill", "edge"),
)


def _colours(index: int, kinds: Iterable[str], found: Iterable[str]) -> str:
    """The rules of one palette; a state comes after the kinds and so overrules them."""
    palette = _PALETTES[index]
    rules = [f"{where}{{{what}:{palette[name]}}}" for where, what, name in _COLOURED]
    own = [(f"k-{kind}", KINDS.get(kind, KINDS["notify"])[index]) for kind in kinds]
    own += [(f"s-{status}", str(STATES[status][index])) for status in found]
    for name, colour in own:
        rules.append(f".{name} .bar,.{name} .dot,.{name} .sign{{fill:{colour}}}.frame.{name}>.body{{stroke:{colour}}}")
    rules += [f".s-{status}>.body{{stroke:{STATES[status][index]}}}" for status in found]
    return "".join(rules)


def css(kinds: list[str], states: list[str]) -> str:
    """The style sheet of a drawing with these kinds and states, and no others."""
    dark = _colours(1, kinds, states)
    return f"{_SHAPES}{_colours(0, kinds, states)}@media (prefers-color-scheme:dark){{{dark}}}"
