"""The long form of a run, of one of its steps, and of a model version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloudml.backend.records import ArtifactRecord, ModelVersion, RunRecord, TaskRecord
from cloudml.cli.runview import view_of
from cloudml.cli.style import Style, clean, duration, grid, metrics_text, number, one_line, size, when
from cloudml.cli.tree import tree_lines


def _section(title: str, body: str, style: Style) -> list[str]:
    return ["", style.paint(title, "bold"), body] if body else []


def pairs(values: Mapping[str, Any], style: Style, indent: str = "  ") -> str:
    """Names and values, one a line."""
    rows = [(style.paint(clean(name), "dim"), one_line(_shown(value), 400)) for name, value in values.items()]
    return grid(rows, indent=indent) if rows else ""


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def short(digest: str) -> str:
    """A digest that a person can compare."""
    kind, _, value = digest.rpartition(":")
    return f"{kind}:{value[:12]}" if kind else value[:12]


def _artifact_row(artifact: ArtifactRecord, style: Style) -> tuple[str, ...]:
    return (
        artifact.name,
        artifact.type,
        size(artifact.size),
        style.paint(short(artifact.digest), "dim"),
        clean(artifact.path),
    )


def run_detail(record: RunRecord, versions: list[ModelVersion], style: Style, target: str, every: bool = False) -> str:
    """The tree of a run, its parameters, artifacts and models."""
    lines = tree_lines(view_of(record, target), style, every=every)
    facts = {"created": when(record.created_at)}
    facts |= {"reason": record.reason} if record.reason else {}
    facts |= {"rerun of": record.parent} if record.parent else {}
    lines += ["", pairs(facts, style)]
    lines += _section("Parameters", pairs(record.parameters, style), style)
    rows = [
        (clean(task.id), *_artifact_row(artifact, style)[:4], clean(task.cached_from or ""))
        for task in record.tasks
        for artifact in task.outputs
    ]
    table = grid(rows, ("STEP", "OUTPUT", "TYPE", "SIZE", "DIGEST", "REUSED FROM"), style, "  ") if rows else ""
    lines += _section("Artifacts", table, style)
    lines += _section("Models", versions_table(versions, style, "  ") if versions else "", style)
    return "\n".join(lines)


def step_detail(record: RunRecord, step: str, style: Style) -> str:
    """Everything about one step: state, what it read, what it made, why it failed."""
    task = record.task(step)
    assert task is not None
    head = f"{style.status(style.sign(task.status), task.status)} {style.paint(clean(task.id), 'bold')}"
    facts: dict[str, Any] = {
        "run": record.id,
        "kind": task.kind,
        "status": task.status,
        "started": when(task.started_at),
        "took": duration(task.duration),
        "attempts": task.attempts or "",
        "inside": task.parent or "",
        "reused from": task.cached_from or "",
        "reason": task.reason,
    }
    lines = [head, pairs({name: value for name, value in facts.items() if value != ""}, style)]
    lines += _section("Reads from", _inputs(record, task, style), style)
    rows = [_artifact_row(artifact, style) for artifact in task.outputs]
    lines += _section(
        "Artifacts", grid(rows, ("OUTPUT", "TYPE", "SIZE", "DIGEST", "PATH"), style, "  ") if rows else "", style
    )
    lines += _section("Metrics", pairs({name: number(value) for name, value in task.metrics.items()}, style), style)
    lines += _section("Values", pairs(task.values, style), style)
    if task.failure:
        trace = clean(str(task.failure.get("traceback", ""))).rstrip()
        about = {name: task.failure[name] for name in ("exception", "message", "where") if task.failure.get(name)}
        lines += _section("Failure", pairs(about, style), style)
        lines += _section("Traceback", "\n".join(f"  {line}" for line in trace.splitlines()), style)
    return "\n".join(lines)


def _inputs(record: RunRecord, task: TaskRecord, style: Style) -> str:
    sources = [source for name in task.needs if (source := record.task(name)) is not None]
    rows = [
        (clean(source.id), style.status(source.status, source.status), ", ".join(item.name for item in source.outputs))
        for source in sources
    ]
    return grid(rows, indent="  ") if rows else ""


def versions_table(versions: list[ModelVersion], style: Style, indent: str = "") -> str:
    """Model versions, one a line."""
    rows = []
    for version in versions:
        colour = {"approved": "green", "pending": "magenta", "rejected": "red"}[version.approval]
        rows.append(
            (
                style.paint(f"{version.model}/{version.version}", "bold"),
                style.paint(version.approval, colour),
                style.paint(", ".join(version.aliases), "cyan"),
                metrics_text(version.metrics),
                f"{version.run}/{version.step}",
                when(version.created_at),
            )
        )
    return grid(rows, ("VERSION", "APPROVAL", "ALIASES", "METRICS", "MADE BY", "CREATED"), style, indent)


def version_detail(version: ModelVersion, style: Style) -> str:
    """Everything about one model version, with its lineage and who decided what."""
    facts = {
        "approval": version.approval,
        "aliases": ", ".join(version.aliases),
        "summary": version.summary,
        "created": when(version.created_at),
        "path": version.path,
    }
    lines = [style.paint(f"{version.model}/{version.version}", "bold")]
    lines.append(pairs({name: value for name, value in facts.items() if value}, style))
    lines += _section("Metrics", pairs({name: number(value) for name, value in version.metrics.items()}, style), style)
    lines += _section("Parameters", pairs(version.parameters, style), style)
    lineage = {"run": version.run, "step": version.step, "code": version.code, "model": version.digest}
    data = {f"data {name}": digest for name, digest in version.data.items()}
    lines += _section("Lineage", pairs({**lineage, **data}, style), style)
    decided = [tuple(clean(str(entry.get(name, ""))) for name in _DECISION) for entry in version.decisions]
    lines += _section("Decisions", grid(decided, indent="  ") if decided else "", style)
    return "\n".join(lines)


_DECISION = ("at", "who", "action", "reason")
