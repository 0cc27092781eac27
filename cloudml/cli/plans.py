"""A plan as text."""

from __future__ import annotations

from cloudml.cli.style import Style, clean, grid
from cloudml.plan import Plan

_SIGNS = {"create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red")}

FIELDS_SHOWN = 4


def plan_lines(plan: Plan, target: str, style: Style) -> list[str]:
    """One line for each change, one for all that stays."""
    rows = []
    for change in plan.changes:
        if change.action == "none":
            continue
        sign, colour = _SIGNS[change.action]
        more = len(change.fields) - FIELDS_SHOWN
        fields = ", ".join(change.fields[:FIELDS_SHOWN]) + (f" and {more} more" if more > 0 else "")
        action = style.paint(f"{sign} {change.action}", colour)
        rows.append((action, change.kind, style.paint(clean(change.name), "bold"), style.paint(clean(fields), "dim")))
    unchanged = sum(change.action == "none" for change in plan.changes)
    head = f"plan for {target}: " + (f"{len(rows)} to change" if rows else "nothing to change")
    lines = [f"{style.paint(head, 'bold')}" + (f", {unchanged} unchanged" if unchanged else "")]
    if rows:
        lines += grid(rows, indent="  ").splitlines()
    return lines + [f"  {style.paint('note', 'yellow')} {clean(note)}" for note in plan.notes]
