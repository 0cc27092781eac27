"""What is known of a run at this moment: seeded from its record, moved on by events. The state behind every display."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from cloudml.backend.records import Event, RunRecord, TaskRecord

ACTIVE = frozenset({"running", "waiting"})


@dataclass
class TaskView:
    """One step or map item as it is shown."""

    id: str
    kind: str = ""
    status: str = "pending"
    parent: str | None = None
    duration: float | None = None
    started: float | None = None
    """Monotonic seconds, when it began under our eyes."""
    progress: tuple[int, int] | None = None
    detail: str = ""
    metrics: dict[str, float] = field(default_factory=dict)

    def elapsed(self, now: float) -> float | None:
        """Seconds: of the whole step when it ended, so far while it runs."""
        if self.status == "running" and self.started is not None:
            return now - self.started
        return self.duration


class RunView:
    """The steps of one run, in order, with their states."""

    def __init__(self, target: str = "") -> None:
        self.target = target
        self.run = ""
        self.pipeline = ""
        self.status = "running"
        self.began = time.monotonic()
        self.duration: float | None = None
        self.tasks: dict[str, TaskView] = {}

    def seed(self, record: RunRecord) -> None:
        """Take a record: its tasks in its order, with what is known of each."""
        self.run, self.pipeline = record.id, record.pipeline
        self.status = record.status
        self.duration = None if record.status == "running" else record.duration  # of a resumed run: of its first part
        self.tasks = {task.id: self._seeded(task) for task in record.tasks}

    def _seeded(self, task: TaskRecord) -> TaskView:
        view = self.tasks.get(task.id) or TaskView(task.id)
        view.kind, view.parent, view.metrics = task.kind, task.parent, task.metrics
        view.status, view.duration = task.status, task.duration
        view.detail = task.reason
        view.progress = task.progress or view.progress
        if task.status == "running" and view.started is None:
            view.started = time.monotonic()
        return view

    def update(self, event: Event) -> bool:
        """Move on by one event. True when it names a step that is not known yet."""
        self.run = event.run
        if event.task is None:
            self.status = event.status
            self.duration = event.duration
            return False
        unknown = event.task not in self.tasks
        task = self.tasks.setdefault(event.task, TaskView(event.task))
        if event.status == "running" and task.status != "running":
            task.started = time.monotonic()
        task.status = event.status
        task.kind = event.kind or task.kind
        task.progress = event.progress or task.progress
        task.detail = event.detail or ("" if event.status == "running" else task.detail)
        if event.duration is not None:
            task.duration = event.duration
        return unknown

    def elapsed(self) -> float:
        """Seconds of the whole run, so far."""
        return self.duration if self.duration is not None else time.monotonic() - self.began

    def counts(self) -> dict[str, int]:
        """How many steps are in each state, the most telling state first."""
        order = ("failed", "running", "waiting", "succeeded", "cached", "skipped", "stopped", "interrupted", "pending")
        found = dict.fromkeys(order, 0)
        for task in list(self.tasks.values()):
            found[task.status] = found.get(task.status, 0) + 1
        return {status: count for status, count in found.items() if count}

    def children(self) -> dict[str | None, list[TaskView]]:
        """The steps by the container they lie in; those of unknown containers lie at the top."""
        found: dict[str | None, list[TaskView]] = {}
        for task in list(self.tasks.values()):
            found.setdefault(self._container(task), []).append(task)
        return found

    def _container(self, task: TaskView) -> str | None:
        """The parent's id; inside a map that is the parent's own item, where it has one: `group[3]` for `score[3]`."""
        if task.parent is None:
            return None
        indices = re.findall(r"\[\d+\]", task.id)
        names = (task.parent + "".join(indices[:count]) for count in range(len(indices), -1, -1))
        return next((name for name in names if name in self.tasks and name != task.id), None)


def view_of(record: RunRecord, target: str = "") -> RunView:
    """The view of a run that is only looked at."""
    view = RunView(target)
    view.seed(record)
    return view


def status_counts(statuses: Iterable[tuple[str, int]]) -> str:
    """`3 succeeded, 1 failed`."""
    return ", ".join(f"{count} {status}" for status, count in statuses)
