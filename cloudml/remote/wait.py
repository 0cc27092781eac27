"""Waiting for a run to end, whatever cloud it runs in. This wait ends at every status, and tells what changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from cloudml.backend.records import Event, Listener, RunRecord, TaskRecord
from cloudml.errors import CloudmlError

__all__ = ["Polling", "Told", "Watched", "wait"]


@dataclass(frozen=True)
class Polling:
    """How often the cloud is asked: at first every `first` seconds, then less and less, at last every `longest`.

    `appears`: seconds that something new may take until the cloud shows it.
    """

    first: float = 0.25
    longest: float = 15.0
    growth: float = 1.4
    appears: float = 30.0
    sleep: Callable[[float], None] = time.sleep


class Watched(Protocol):
    """A run as a backend sees it: its record, and when the cloud last changed it."""

    @property
    def record(self) -> RunRecord: ...

    @property
    def modified(self) -> datetime: ...


Seen = TypeVar("Seen", bound=Watched)


def wait(
    look: Callable[[bool], Seen | None],
    run: str,
    listener: Listener | None = None,
    *,
    stay: bool = False,
    polling: Polling = Polling(),
    tend: Callable[[Seen], None] | None = None,
    since: datetime | None = None,
    patience: float | None = None,
) -> RunRecord:
    """The record of `run` once it has ended, or, unless told to `stay`, waits for a person.

    `look` tells the state now; it is given whether the run is so new that the cloud may not show it yet, and answers
    None if it does not. `listener` hears each change of a task and of the run; `tend` sees each state at which the wait
    goes on. `since`: the last change before something was asked of the run; a state of that time is an old one. Raises
    CloudmlError when it takes longer than `patience` seconds, and whatever `look` raises.
    """
    pause, told, began = polling.first, Told(listener), time.monotonic()
    while True:
        waited = time.monotonic() - began
        new = waited < polling.appears
        found = look(new)
        old = found is None or (since is not None and found.modified <= since and new)
        changed = False
        if found is not None and not old:
            changed = told.tell(found.record)
            if found.record.status != "running" and not (stay and found.record.status == "waiting"):
                return found.record
            if tend is not None:
                tend(found)
        if patience is not None and waited > patience:
            raise CloudmlError(f"{run} has not ended within {patience:g} s", hint="look again later")
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
