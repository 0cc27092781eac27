"""Selective execution: which steps of a definition a rerun computes, and whose results the rest keeps.

API reference, SelectiveExecutionConfig; developer guide, "Selective execution of pipeline steps": at most 50 steps,
everything between two selected ones selected too, the others taken from an execution that succeeded or failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cloudml.backend.records import DONE, RunRecord, TaskRecord
from cloudml.errors import NotFound, Refused
from cloudml_sagemaker.compile.expressions import every, steps_read
from cloudml_sagemaker.outline import Task, tops

MOST = 50
_RERUN = "a rerun of "
_PARENT = re.compile(rf"{_RERUN}(\S+)")


def description(run: str) -> str:
    """What an execution says of itself, so that its parent is known."""
    return f"{_RERUN}{run}"


def parent_of(told: Mapping[str, Any]) -> str | None:
    """The run that an execution repeats, of DescribePipelineExecution's answer."""
    found = _PARENT.match(str(told.get("PipelineExecutionDescription", "")))
    if found is not None:
        return found[1]
    source = (told.get("SelectiveExecutionConfig") or {}).get("SourcePipelineExecutionArn", "")
    return source.rpartition("/")[2] or None


def below(definition: Mapping[str, Any], outline: Sequence[Task], from_tasks: Iterable[str]) -> list[str]:
    """The outermost steps that compute those tasks, and all that wait for them; in the definition's order.

    Raises NotFound for a task that is not there, Refused when they are more than SageMaker selects.
    """
    tasks = {task.name: task for task in outline}
    top = tops(definition)
    found: set[str] = set()
    for name in from_tasks:
        task = tasks.get(name.partition("[")[0])
        if task is None:
            raise NotFound(f"the pipeline has no step {name!r}", hint=f"its steps are {', '.join(tasks)}")
        found.update(top[part.name] for part in task.parts)
    followers = _followers(definition, top)
    stack = list(found)
    while stack:
        new = followers.get(stack.pop(), set()) - found
        found |= new
        stack += new
    if len(found) > MOST:
        message = f"{len(found)} steps would be computed anew, and SageMaker selects {MOST} at most"
        raise Refused(message, hint="leave --from out: what has not changed is reused where it may be")
    return [step["Name"] for step in definition["Steps"] if step["Name"] in found]


def _followers(definition: Mapping[str, Any], top: Mapping[str, str]) -> dict[str, set[str]]:
    """By outermost step: the outermost steps that wait for it, or for anything in it."""
    found: dict[str, set[str]] = {}
    for step in definition["Steps"]:
        for inner in every([step]):
            waits = steps_read({key: value for key, value in inner.items() if key != "DependsOn"})
            waits |= {one if isinstance(one, str) else one["Step"] for one in inner.get("DependsOn", ())}
            for name in waits:
                if top.get(name, step["Name"]) != step["Name"]:
                    found.setdefault(top[name], set()).add(step["Name"])
    return found


def with_source(
    outline: Sequence[Task],
    top: Mapping[str, str],
    selected: set[str],
    records: Sequence[TaskRecord],
    source: RunRecord | None,
) -> tuple[TaskRecord, ...]:
    """The records of a selective execution: of tasks that were not selected, those of the source as reused ones."""
    own, before = _by_task(records), _by_task(source.tasks if source is not None else ())
    found: list[TaskRecord] = []
    for task in outline:
        chosen = any(top[part.name] in selected for part in task.parts)
        if chosen or source is None:
            found += own.get(task.name, [])
        else:
            found += [_reused(one, source.id) for one in before.get(task.name, own.get(task.name, []))]
    return tuple(found)


def _by_task(records: Iterable[TaskRecord]) -> dict[str, list[TaskRecord]]:
    found: dict[str, list[TaskRecord]] = {}
    for record in records:
        found.setdefault(record.id.partition("[")[0], []).append(record)
    return found


def _reused(record: TaskRecord, run: str) -> TaskRecord:
    if record.status in DONE:
        return replace(record, status="cached", cached_from=record.cached_from or run)
    reason = record.reason if record.status == "skipped" else f"it is not part of this rerun of {run}"
    return replace(record, status="skipped", reason=reason, failure=None)
