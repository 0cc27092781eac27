"""AWS's steps of one execution, put together to the author's tasks: states, results, and why something did not run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cloudml.backend.records import DONE, TaskRecord, TaskStatus
from cloudml_sagemaker.outline import Part, Task
from cloudml_sagemaker.results import JobResult, read_message

_RUNNING = frozenset({"Starting", "Executing", "Stopping"})
_OPPOSITE = {"then": "false", "otherwise": "true"}


@dataclass(frozen=True)
class Step:
    """A step that AWS started. `loop`, `index`: of which ForEach, and which item of it."""

    name: str
    status: str
    loop: str | None = None
    index: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempts: int = 1
    failure_reason: str = ""
    cached_from: str | None = None
    job: tuple[str, str] | None = None
    """Kind ("ProcessingJob", "TrainingJob", "TuningJob") and name of the job that it runs, or last ran."""
    token: str | None = None
    """Of a Callback: what an answer must name."""
    outcome: str | None = None
    """Of a Condition: "True" or "False"."""
    answer: Mapping[str, str] = field(default_factory=dict)
    """What was given with the answer to a Callback."""
    result: JobResult = field(default_factory=JobResult)


class Steps:
    """The started steps, found by the name in the definition and the item."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._by_name = {step.name: step for step in steps}

    def of(self, part: Part, index: int | None) -> Step | None:
        """AWS names the iterations of a step `<name>-<index>`."""
        return self._by_name.get(part.name if index is None else f"{part.name}-{index}")

    def items(self, loop: str, body: Iterable[str]) -> list[int]:
        """The items of a ForEach that were begun, in order."""
        names = set(body)
        return sorted(
            {
                step.index
                for step in self._by_name.values()
                if step.loop == loop and step.index is not None and step.name.rpartition("-")[0] in names
            }
        )


@dataclass(frozen=True)
class _World:
    steps: Steps
    over: bool
    done: dict[str, TaskRecord]

    def task(self, name: str, index: int | None) -> TaskRecord | None:
        """The record of a task that an item's task sees: that of the same item, else the one outside of the map."""
        return self.done.get(f"{name}[{index}]") or self.done.get(name)


def task_records(tasks: Sequence[Task], steps: Steps, *, over: bool) -> tuple[TaskRecord, ...]:
    """A record for each task, in the author's order; one for each item where a task lies in a map.

    `over`: the execution has ended, so that what was not started never will be.
    """
    world = _World(steps, over, {})
    found: list[TaskRecord] = []
    for task, index in _expanded(tasks, steps):
        record = _record(task, index, world)
        world.done[record.id] = record
        found.append(record)
    return tuple(found)


def started_steps(tasks: Sequence[Task], steps: Steps) -> dict[str, tuple[tuple[Part, Step], ...]]:
    """By the ids of the records: the parts of each task that AWS has started, in order."""
    return {
        _id(task, index): tuple((part, step) for part in task.parts if (step := steps.of(part, index)) is not None)
        for task, index in _expanded(tasks, steps)
    }


def _expanded(tasks: Sequence[Task], steps: Steps) -> Iterator[tuple[Task, int | None]]:
    """Each task, once for each item where it lies in a map."""
    bodies: dict[str, list[str]] = {}
    for task in tasks:
        for part in task.parts:
            if part.loop is not None:
                bodies.setdefault(part.loop, []).append(part.name)
    for task in tasks:
        indices = [None] if task.loop is None else steps.items(task.loop, bodies[task.loop])
        yield from ((task, index) for index in indices)


def _id(task: Task, index: int | None) -> str:
    return task.name if index is None else f"{task.name}[{index}]"


def _record(task: Task, index: int | None, world: _World) -> TaskRecord:
    base: dict[str, Any] = {"id": _id(task, index), "kind": task.kind, "needs": task.needs, "parent": task.parent}
    started = [(part, step) for part in task.parts if (step := world.steps.of(part, index)) is not None]
    if not started:
        status, reason = _not_started(task, index, world)
        return TaskRecord(status=status, reason=reason, **base)
    status, told = _together(task, started, "stopped" if world.over else "running")
    times: dict[str, Any] = {
        "started_at": _first(step.started_at for _, step in started),
        "duration": _duration([step for _, step in started]),
        "attempts": max(int(told.result.of(task.member).get("attempts", told.attempts)), 1),
    }
    if status in ("failed", "stopped"):
        failure = told.result.failure(task.member) or _said(told)
        return TaskRecord(status=status, reason=_line(failure) if status == "failed" else "", failure=failure,
                          **times, **base)  # fmt: skip
    if status not in DONE:
        return TaskRecord(status=status, reason=str(told.result.of(task.member).get("reason", "")), **times, **base)
    return TaskRecord(status=status, cached_from=told.cached_from, **_results(task, told), **times, **base)


def _together(task: Task, started: Sequence[tuple[Part, Step]], between: TaskStatus) -> tuple[TaskStatus, Step]:
    """What several steps amount to, and the one that tells most: the failed one, else the last.

    `between`: the state when all that was started is done, and more is to come.
    """
    for part, step in started:
        status = _status(task, step)
        if status not in DONE or part is task.parts[-1]:
            return status, step
    return between, started[-1][1]


def _status(task: Task, step: Step) -> TaskStatus:
    if step.status in _RUNNING:
        return "waiting" if task.kind == "approve" else "running"
    if step.status == "Stopped":
        return "stopped"
    document = step.result.of(task.member)
    if document.get("status") == "skipped":
        return "skipped"
    if task.member is not None and step.status == "Failed":
        return _member_status(document, step)
    if step.status == "Failed":
        return "failed"
    return "cached" if step.cached_from else "succeeded"


def _member_status(document: Mapping[str, Any], step: Step) -> TaskStatus:
    """Of a group's job that failed: each member says itself what became of it, if the result was kept."""
    if not step.result.document:
        return "failed"
    status = document.get("status")
    return "succeeded" if status == "succeeded" else "failed" if status == "failed" else "skipped"


def _not_started(task: Task, index: int | None, world: _World) -> tuple[TaskStatus, str]:
    """Skipped, once it is known that it will not run; and why."""
    if task.within is not None:
        condition, branch = task.within
        decided = world.task(condition, index)
        if decided is not None and decided.status in DONE and decided.values.get("branch") != branch:
            return "skipped", f"{condition} was {_OPPOSITE[branch]}"
        if decided is not None and decided.status in ("skipped", "failed", "stopped"):
            return "skipped", f"{condition} {_past(decided.status)}"
    if not world.over:
        return "pending", ""
    needs = (world.task(need, index) for need in task.needs)
    broken = next((need for need in needs if need is not None and need.status not in DONE), None)
    return "skipped", f"{broken.id} {_past(broken.status)}" if broken is not None else "the run ended before it"


def _past(status: str) -> str:
    return {"skipped": "was skipped", "stopped": "was stopped", "pending": "was not started"}.get(status, status)


def _results(task: Task, step: Step) -> dict[str, Any]:
    if task.kind == "condition" and step.outcome is not None:
        return {"values": {"branch": "then" if step.outcome.lower() == "true" else "otherwise"}}
    if task.kind == "approve":
        return {"values": {"approval": dict(step.answer)}} if step.answer else {}
    document = step.result.of(task.member)
    values = dict(document.get("values", {}))
    if task.kind == "condition":
        values.setdefault("branch", "then" if values.get("holds") else "otherwise")
    return {
        "values": values,
        "metrics": dict(_numbers(values, document.get("metrics", {}))),
        "outputs": step.result.artifacts(task.member),
        "reason": str(document.get("reason", "")),
    }


def _numbers(values: Mapping[str, Any], metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The fields of metrics outputs by their own names, and single numbers by their output's."""
    for name, value in values.items():
        if _is_number(value):
            yield name, value
    for fields in metrics.values():
        if isinstance(fields, Mapping):
            yield from ((name, value) for name, value in fields.items() if _is_number(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _said(step: Step) -> dict[str, Any] | None:
    return read_message(step.failure_reason) if step.failure_reason else None


def _line(failure: Mapping[str, Any] | None) -> str:
    """The failure in one line, as every backend tells it."""
    if failure is None:
        return "SageMaker gives no reason"
    name, message = str(failure.get("exception", "")).rpartition(".")[2], str(failure.get("message", ""))
    return f"{name}: {message}" if name and not message.startswith(name) else message


def _first(times: Iterable[datetime | None]) -> str | None:
    known = [time for time in times if time is not None]
    return min(known).astimezone(UTC).isoformat() if known else None


def _duration(steps: Sequence[Step]) -> float | None:
    """Seconds from the first start to the last end, once all have ended."""
    starts = [step.started_at for step in steps if step.started_at is not None]
    ends = [step.ended_at for step in steps if step.ended_at is not None]
    return (max(ends) - min(starts)).total_seconds() if starts and len(ends) == len(steps) else None
