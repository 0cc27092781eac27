"""The tree of a run as lines of text: for the live view, for `show`, and after a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from cloudml.cli.runview import ACTIVE, RunView, TaskView, status_counts
from cloudml.cli.style import Style, cells, clean, duration, metrics_text, one_line, pad

SHOWN_ITEMS = 8
"""Of a container with more items than this, only the ones that matter now are shown, and one line for the rest."""

UNTIMED = frozenset({"cached", "skipped", "pending"})

MATTERS = ACTIVE | {"failed", "stopped", "interrupted"}


@dataclass(frozen=True)
class _Row:
    prefix: str
    task: TaskView | None
    note: str = ""


def header(view: RunView, style: Style) -> str:
    """`churn-12  running  on local  12.3s`."""
    if not view.run:
        return style.paint(f"preparing for {view.target}  {duration(view.elapsed())}", "dim")
    parts = [style.paint(clean(view.run), "bold"), style.status(view.status, view.status)]
    if view.target:
        parts.append(style.paint(f"on {view.target}", "dim"))
    parts.append(style.paint(duration(view.elapsed()), "dim"))
    return "  ".join(parts)


def tree_lines(
    view: RunView, style: Style, *, width: int = 0, height: int = 0, frame: int | None = None, every: bool = False
) -> list[str]:
    """The header, then one line a step.

    `width` cuts lines (0: never); when the tree is higher than `height` (0: no limit) only steps that run, wait or
    failed are shown, with a line that counts all. `every` shows each item of a map. `frame` turns the spinners.
    """
    children = view.children()
    rows = list(_rows(children, None, "", style, every))
    lines = [header(view, style)]
    if height and len(rows) + 1 > height:
        shown = [task for task in list(view.tasks.values()) if task.status in MATTERS and task.id not in children]
        rows = [_Row("", task) for task in shown[: max(1, height - 3)]]
        hidden = len(shown) - len(rows)
        lines.append("  " + _summary(view, style) + (f"  ({hidden} more active)" if hidden else ""))
    named = max((cells(row.prefix) + cells(row.task.id) for row in rows if row.task is not None), default=0)
    kinds = max((len(row.task.kind) for row in rows if row.task is not None), default=0)
    now = time.monotonic()
    for row in rows:
        if row.task is not None and row.task.kind == "map" and row.task.id in children:
            row.task.progress = _done(children[row.task.id])
        lines.append(_line(row, style, min(named, 56), kinds, now, frame))
    return [_cut(line, width, style) for line in lines] if width else lines


def _done(items: list[TaskView]) -> tuple[int, int]:
    """How many items of a map have ended."""
    return sum(item.status not in ("pending", "running", "waiting") for item in items), len(items)


def _summary(view: RunView, style: Style) -> str:
    counts = view.counts()
    total = len(view.tasks)
    done = total - sum(counts.get(status, 0) for status in ("pending", "running", "waiting"))
    told = ", ".join(style.status(f"{count} {status}", status) for status, count in counts.items())
    return f"{style.bar(done, total)} {done}/{total}  {told}"


def _rows(
    children: dict[str | None, list[TaskView]], parent: str | None, indent: str, style: Style, every: bool
) -> Iterator[_Row]:
    items = children.get(parent, [])
    shown, note = items, ""
    if parent is not None and len(items) > SHOWN_ITEMS and not every:
        shown = [task for task in items if task.status in MATTERS][:SHOWN_ITEMS]
        rest = [task for task in items if task not in shown]
        counts = {status: sum(task.status == status for task in rest) for status in {task.status for task in rest}}
        note = status_counts(sorted(counts.items())) + (" more" if shown else "")
    branch, last, bar, space = ("├─ ", "└─ ", "│  ", "   ") if style.unicode else ("|- ", "`- ", "|  ", "   ")
    for index, task in enumerate(shown):
        ends = index == len(shown) - 1 and not note
        yield _Row(indent + (last if ends else branch), task)
        yield from _rows(children, task.id, indent + (space if ends else bar), style, every)
    if note:
        yield _Row(indent + last, None, note)


def _line(row: _Row, style: Style, named: int, kinds: int, now: float, frame: int | None) -> str:
    prefix = style.paint(row.prefix, "dim")
    if row.task is None:
        return f"{prefix}{style.paint(row.note, 'dim')}"
    task = row.task
    sign = style.status(style.sign(task.status, frame), task.status)
    quiet = task.status in ("pending", "skipped")
    name = style.paint(clean(task.id), "dim") if quiet else clean(task.id)
    left = f"{prefix}{sign} {pad(name, named - cells(row.prefix))}  {style.paint(pad(task.kind, kinds), 'dim')}"
    return f"{left}  {style.status(pad(task.status, 11), task.status)} {_right(task, style, now)}".rstrip()


def _right(task: TaskView, style: Style, now: float) -> str:
    parts = [pad(duration(task.elapsed(now)) if task.status not in UNTIMED else "", 7, right=True)]
    if task.progress is not None and task.status == "running":
        done, total = task.progress
        parts.append(f"{style.bar(done, total)} {done}/{total}")
    if task.metrics and task.status in ("succeeded", "cached"):
        parts.append(metrics_text(task.metrics))
    if task.detail and task.status not in ("succeeded", "cached", "pending"):
        text = one_line(task.detail)
        parts.append(style.status(text, task.status) if task.status == "failed" else style.paint(text, "dim"))
    return "  ".join(parts)


def _cut(line: str, width: int, style: Style) -> str:
    """At most `width` columns, colours kept whole."""
    if cells(line) <= width:
        return line
    kept: list[str] = []
    used, index = 0, 0
    while index < len(line) and used < width - 1:
        if line[index] == "\x1b":
            end = line.index("m", index) + 1
            kept.append(line[index:end])
            index = end
            continue
        used += cells(line[index])
        kept.append(line[index])
        index += 1
    ellipsis = "…" if style.unicode else "~"
    return "".join(kept) + ellipsis + ("\x1b[0m" if style.colour else "")
