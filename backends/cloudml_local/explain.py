"""`why`: for each task of a run, why it was computed, reused, skipped or failed, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloudml.backend.records import Explanation
from cloudml_local.engine.attempts import tail
from cloudml_local.engine.key import differences
from cloudml_local.observe import indices, log_paths
from cloudml_local.state.journal import Journal, RunRow

_CACHED_KINDS = ("processing", "training", "tuning", "batch_prediction", "verify")


def explain(journal: Journal, state: Path, row: RunRow, task: str | None) -> list[Explanation]:
    """One explanation a task that has begun or ended; of one task, or of all in the author's order."""
    stored = journal.tasks(row.id)
    order = {template["id"]: index for index, template in enumerate(row.document["tasks"])}
    names = sorted(stored, key=lambda name: (order.get(name.partition("[")[0], len(order)), indices(name)))
    if task is not None:
        names = [name for name in names if name == task or name.startswith(f"{task}[")]
        if not names:
            return [Explanation(row.id, task, "has not started", (f"the run is {row.status}",))]
    templates = {template["id"]: template for template in row.document["tasks"]}
    return [_one(journal, state, row, templates[name.partition("[")[0]], stored[name]) for name in names]


def _one(journal: Journal, state: Path, row: RunRow, template: dict[str, Any], stored: dict[str, Any]) -> Explanation:
    status, name = stored["status"], stored["id"]
    if status == "failed":
        return _failed(state, row, stored)
    if status == "cached":
        source = stored["cached_from"]
        where = f" from {source}" if source else ""
        reasons = _hit(stored) if source else (stored["reason"],)
        return Explanation(row.id, name, f"reused{where}", reasons)
    if status == "skipped":
        return Explanation(row.id, name, "skipped", (stored["reason"],))
    if status in ("stopped", "interrupted", "running", "waiting"):
        return Explanation(
            row.id, name, status, (stored["reason"],) if stored["reason"] else (), hint=_resume(row, status)
        )
    if stored["kind"] not in _CACHED_KINDS:
        return Explanation(row.id, name, "done", (stored["reason"],) if stored["reason"] else ())
    return Explanation(row.id, name, "computed", tuple(_miss(journal, row, template, stored)))


def _hit(stored: dict[str, Any]) -> tuple[str, ...]:
    parts = stored["parts"] or {}
    return (
        f"code unchanged: {', '.join(sorted(parts.get('code', {}))) or 'no file'}",
        f"inputs unchanged: {', '.join(sorted(parts.get('inputs', {}))) or 'none'}",
        f"arguments unchanged: {', '.join(sorted(parts.get('arguments', {}))) or 'none'}",
        f"made by {stored['cached_from']}",
    )


def _miss(journal: Journal, row: RunRow, template: dict[str, Any], stored: dict[str, Any]) -> list[str]:
    if template["id"] in row.fresh:
        return [f"asked for: this is a rerun of {row.parent} from an earlier step"]
    policy = template["reads"].get("cache")
    if policy is not None and not policy["enabled"]:
        return ["the step has cache=False: it is computed every time"]
    earlier = journal.earlier_task(row.pipeline, row.seq, stored["id"])
    if earlier is None:
        return ["never computed before in this project"]
    run, task = earlier
    words = differences(task["parts"], stored["parts"] or {})
    if words:
        return [f"{word} (since {run})" for word in words]
    if policy is not None and policy["ttl"] is not None:
        return [
            f"nothing changed since {run}, but its result was older than {policy['ttl']:g} s, or its files are gone"
        ]
    return [f"nothing changed since {run}, but its result was not kept, or the cache was switched off"]


def _failed(state: Path, row: RunRow, stored: dict[str, Any]) -> Explanation:
    failure = stored["failure"] or {}
    reasons = [stored["reason"]]
    if failure.get("where"):
        reasons.append(f"at {failure['where']}")
    if failure.get("traceback"):
        reasons += failure["traceback"].rstrip().splitlines()
    logs = log_paths(state, row.id, stored["id"])
    lines = tuple(tail(logs[-1])) if logs else ()
    return Explanation(row.id, stored["id"], "failed", tuple(reasons), lines, _resume(row, "failed"))


def _resume(row: RunRow, status: str) -> str:
    if status == "running":
        return f"cloudml logs {row.id} STEP --follow"
    if status == "waiting":
        return f"cloudml approve {row.id}/STEP --reason …"
    return f"when the cause is mended: cloudml resume {row.id}"
