"""Moves jobs on: one thread for all of them, woken by ends of jobs and operations, by timers and by requests."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from cloudml.mocks.bus import Change
from cloudml.mocks.clock import Work
from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.pipelines import ends, engine, leaves, records
from cloudml_vertex.mock.pipelines.decide import FINAL
from cloudml_vertex.mock.pipelines.room import Room, Run

log = logging.getLogger(__name__)

Task = Callable[[], None]


class Driver:
    """Its thread does everything that starts or ends tasks, so that no two of them meet in one job."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._world = room.world
        self._queue: queue.SimpleQueue[tuple[Task | None, Work | None]] = queue.SimpleQueue()
        room.driver = self
        self._world.at_close.append(self._end)
        threading.Thread(target=self._run, name="mock-pipelines", daemon=True).start()

    def submit(self, task: Task) -> None:
        """Do it on the driver's thread, soon. A held clock waits for it."""
        self._queue.put((task, self._world.clock.begin()))

    def begin(self, scope: Scope, name: str) -> None:
        """Start a job that is PENDING."""
        self.submit(partial(self._with, scope, name, engine.open_job))

    def cancel(self, scope: Scope, name: str) -> None:
        """Cancel what is under way in a job that has come to CANCELLING."""
        self.submit(partial(self._with, scope, name, engine.cancel))

    def changed(self, change: Change) -> None:
        """Something has changed that a task may wait for: subscriber of the bus."""
        with self._world.lock:
            found = self._room.waiting.get((change.kind, change.name))
        if found is not None:
            self.submit(partial(self._heard, change, *found))

    def retry_at(self, run: Run, record: Document) -> None:
        """Make a task's next attempt at its `_retry_at`."""
        when, due = record["_retry_at"], record["_retry_at"]
        again = partial(self._task, run.name, record["_path"], partial(_retry, due))
        self._at(when, partial(self._anywhere, run.scope, again), f"retry of {record['task_name']}")

    def look_in(self, run: Run, record: Document, seconds: float) -> None:
        """Look at what a launcher waits for so many seconds from now, unless there was news before."""
        number = record["_launch"]["looks"] = record["_launch"].get("looks", 0) + 1
        again = partial(self._task, run.name, record["_path"], partial(_look, number))
        when = self._world.now() + seconds
        self._at(when, partial(self._anywhere, run.scope, again), f"launcher of {record['task_name']}")

    def ended(self, run: Run) -> None:
        """A job has ended: forget what was in memory, and let the next one that is QUEUED begin. Needs the lock."""
        self._forget(run.scope, run.name)

    def _forget(self, scope: Scope, name: str) -> None:
        self._room.runs.pop(name, None)
        for waiting in [key for key, (job, _) in self._room.waiting.items() if job == name]:
            del self._room.waiting[waiting]
        self.admit(scope)

    def admit(self, scope: Scope) -> None:
        """Let jobs that are QUEUED begin, as far as the switch "pipelines-at-once" allows. Needs the lock."""
        limit = self._world.switches["pipelines-at-once"]
        if limit == "no-limit":
            return
        table = self._world.table(records.JOBS, scope)
        room = int(limit) - sum(1 for job in table if job["state"] in records.LIVE)
        queued = [job["name"] for job in table if job["state"] == "PIPELINE_STATE_QUEUED"]
        for name in queued[: max(0, room)]:
            self._world.change(table, name, "state", "PIPELINE_STATE_PENDING", update_time=self._world.stamp())
            self.begin(scope, name)

    def resume(self) -> None:
        """Go on with what the store holds unfinished."""
        for table in self._world.store.tables(records.JOBS):
            for name, job in table.items():
                if job["state"] in records.LIVE:
                    action = engine.open_job if job["state"] == "PIPELINE_STATE_PENDING" else _resumed
                    self.submit(partial(self._with, table.scope, name, action))
            self.submit(partial(self._admitted, table.scope))

    def _end(self) -> None:
        self._queue.put((None, None))

    def _run(self) -> None:
        while True:
            task, work = self._queue.get()
            if task is None:
                return
            try:
                if not self._world.closing.is_set():
                    task()
            except Exception:
                log.exception("the pipelines' driver failed")
            finally:
                if work is not None:
                    work.end()

    def _at(self, when: float, task: Task, name: str) -> None:
        self._world.clock.call_at(datetime.fromtimestamp(when, UTC), partial(self.submit, task), name)

    def _anywhere(self, scope: Scope, task: Callable[[Scope], None]) -> None:
        task(scope)

    def _admitted(self, scope: Scope) -> None:
        with self._world.lock:
            self.admit(scope)

    def _with(self, scope: Scope, name: str, action: Callable[[Run], None]) -> None:
        """Do something with a live job, then all that follows from it."""
        with self._world.lock:
            try:
                run = self._room.run(scope, name)
                if run is None or self._world.closing.is_set():
                    return
                action(run)
            except Exception as error:
                log.exception("the job %s failed inside the mock", name)
                self._fail(scope, name, f"Internal error: {type(error).__name__}: {error}")
                return
        self._drain(scope, name)

    def _fail(self, scope: Scope, name: str, message: str) -> None:
        """A job that cannot go on, through a fault of the mock."""
        stamp, failure = self._world.stamp(), ends.status(ends.INTERNAL, message)
        more = {"end_time": stamp, "update_time": stamp, "error": failure}
        self._world.change(self._world.table(records.JOBS, scope), name, "state", "PIPELINE_STATE_FAILED", **more)
        self._forget(scope, name)

    def _drain(self, scope: Scope, name: str) -> None:
        """Between two steps the lock is free: requests do not wait for a wide pipeline to start."""
        while True:
            with self._world.lock:
                run = self._room.run(scope, name)
                try:
                    if run is None or self._world.closing.is_set() or not engine.step(run):
                        return
                except Exception as error:
                    log.exception("the job %s failed inside the mock", name)
                    self._fail(scope, name, f"Internal error: {type(error).__name__}: {error}")
                    return

    def _task(self, name: str, path: str, action: Callable[[Run, Document], None], scope: Scope) -> None:
        """Do something with a task that has not ended."""

        def act(run: Run) -> None:
            record = run.tasks.get(path)
            if record is not None and record["state"] not in FINAL:
                action(run, record)

        self._with(scope, name, act)

    def _heard(self, change: Change, name: str, path: str) -> None:
        """News of what a task waits for."""

        def hear(run: Run, record: Document) -> None:
            if "_launch" in record:
                leaves.look(run, record)
            elif record.get("_custom_job") == change.name:
                leaves.heard(run, record, change.document)

        # A launcher may act in another project or location than its pipeline.
        scope = self._room.runs[name].scope if name in self._room.runs else change.scope
        self._task(name, path, hear, scope)


def _retry(due: float, run: Run, record: Document) -> None:
    if record.get("_retry_at") == due:
        leaves.again(run, record)


def _look(number: int, run: Run, record: Document) -> None:
    if record.get("_launch", {}).get("looks") == number:
        leaves.look(run, record)


def _resumed(run: Run) -> None:
    engine.rebuild(run)
    if run.closed:
        engine.cancel(run)
