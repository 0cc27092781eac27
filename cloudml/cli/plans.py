"""A plan as text."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from cloudml.cli import output
from cloudml.cli.style import Style, clean, grid, style_of, when
from cloudml.plan import Change, Plan

_SIGNS = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "replace": ("±", "red"),
    "delete": ("-", "red"),
}

FIELDS_SHOWN = 4
DEFERRED = "made by the run"


def plan_lines(plan: Plan, target: str, style: Style) -> list[str]:
    """One line for each change with what is to be known of it below, one for all that stays; then cost and notes."""
    told = [change for change in plan.changes if change.action != "none" or change.problem]
    acting = sum(change.acts for change in plan.changes)
    later = sum(change.deferred for change in plan.changes)
    unchanged = sum(change.action == "none" for change in plan.changes)
    head = f"plan for {target}: " + (f"{acting} to change" if acting else "nothing to change")
    counts = (f", {unchanged} unchanged" if unchanged else "") + (f", {later} {DEFERRED}" if later else "")
    lines = [f"{style.paint(head, 'bold')}{counts}"]
    table = grid([_row(change, style) for change in told], indent="  ").splitlines() if told else []
    for change, line in zip(told, table, strict=True):
        lines += [line, *(f"      {text}" for text in _details(change, style))]
    lines += [f"  {style.paint('cost', 'cyan')} {line}" for line in cost_lines(plan.facts.get("cost"))]
    return lines + [f"  {style.paint('note', 'yellow')} {clean(note)}" for note in plan.notes]


def _row(change: Change, style: Style) -> tuple[str, str, str, str]:
    sign, colour = _SIGNS.get(change.action, ("!", "yellow"))
    if not style.unicode and sign == "±":
        sign = "-/+"
    fields = DEFERRED if change.deferred else _fields(change.fields)
    action = style.paint(f"{sign} {change.action}", colour)
    return action, change.kind, style.paint(clean(change.name), "bold"), style.paint(clean(fields), "dim")


def _fields(fields: Sequence[str]) -> str:
    more = len(fields) - FIELDS_SHOWN
    return ", ".join(fields[:FIELDS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _details(change: Change, style: Style) -> Iterator[str]:
    if change.drift:
        by = f" by {change.changed_by}" if change.changed_by else ""
        at = f" at {when(change.changed_at)}" if change.changed_at else ""
        drift = clean(f"changed outside of cloudml{by}{at}: {_fields(change.drift)}")
        yield style.paint(drift, "yellow")
    if change.lost:
        yield style.paint(clean(f"cannot be undone: {change.lost}"), "red")
    if change.problem:
        yield style.paint(clean(change.problem), "yellow")


def cost_lines(cost: Any) -> Iterator[str]:
    """The range for a run and for a month, and how old the prices are. `cost` as `Cost.to_dict` gives it."""
    if not isinstance(cost, dict):
        return
    ranges = [(unit, *cost[unit]) for unit in ("run", "month") if any(one["unit"] == unit for one in cost["items"])]
    told = ", ".join(f"{_money(low, high)} {cost['currency']} a {unit}" for unit, low, high in ranges)
    if told:
        yield clean(f"{told}, estimated from prices of {cost['as_of']}")


def _money(low: float, high: float) -> str:
    shown = [f"{amount:.2f}" if amount >= 0.01 or not amount else f"{amount:.4f}" for amount in (low, high)]
    return shown[0] if shown[0] == shown[1] else f"{shown[0]} to {shown[1]}"


def agree(plan: Plan, *, yes: bool, as_json: bool, told: bool) -> None:
    """Ask before what cannot be undone; a program must say --yes. `told`: whether the plan is on the screen already."""
    if yes or not plan.irreversible:
        return
    losses = [f"{change.kind} {change.name}: {change.lost}" for change in plan.irreversible]
    if as_json or not sys.stdin.isatty():
        raise click.UsageError(f"this cannot be undone: {'; '.join(losses)}. Say --yes if you mean it")
    if not told:
        style = style_of(sys.stdout)
        output.write("\n".join(style.paint(clean(f"cannot be undone: {loss}"), "red") for loss in losses))
    click.confirm("Go on?", abort=True)
