"""Waiting for a run to end. AWS's and its SDK's own waiters know some ends only; this one ends at every status."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cloudml.backend.records import Event, Listener, RunRecord, TaskRecord
from cloudml_sagemaker.describe import Describer


@dataclass(frozen=True)
class Polling:
    """How often AWS is asked: at first every `first` seconds, then less and less, at last every `longest`."""

    first: float = 1.0
    longest: float = 15.0
    growth: float = 1.5
    sleep: Callable[[float], None] = time.sleep


def wait(
    describer: Describer,
    arn: str,
    listener: Listener | None = None,
    *,
    stay: bool = False,
    polling: Polling = Polling(),
) -> RunRecord:
    """The record of the run once it has ended, or, unless told to `stay`, waits for a person.

    `listener` hears each change of a task and of the run. Raises AwsError.
    """
    pause, told = polling.first, Told(listener)
    while True:
        record = describer.describe(arn)
        changed = told.tell(record)
        if record.status != "running" and not (stay and record.status == "waiting"):
            return record
        pause = polling.first if changed else min(pause * polling.growth, polling.longest)
        polling.sleep(pause)


class Told:
    """Which states a listener has heard of."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self._tasks: dict[str, str] = {}
        self._run = ""

    def tell(self, record: RunRecord) -> bool:
        """Tell what changed since the last time; whether anything did. The run's end comes last, its start first."""
        changes = [not self._run and self._tell_run(record, "running")]
        changes += [self._tell_task(record.id, task) for task in record.tasks]
        changes.append(self._tell_run(record, record.status))
        return any(changes)

    def _tell_run(self, record: RunRecord, status: str) -> bool:
        if status == self._run:
            return False
        self._run = status
        self._send(Event(record.id, None, status, record.reason, duration=record.duration))
        return True

    def _tell_task(self, run: str, task: TaskRecord) -> bool:
        before = self._tasks.get(task.id, "pending")
        if task.status == before:
            return False
        self._tasks[task.id] = task.status
        if before == "pending" and task.status in ("succeeded", "failed", "stopped"):
            self._send(Event(run, task.id, "running", kind=task.kind))
        self._send(Event(run, task.id, task.status, task.reason, duration=task.duration, kind=task.kind))
        return True

    def _send(self, event: Event) -> None:
        if self._listener is not None:
            self._listener(event)
