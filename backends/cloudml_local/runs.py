"""Runs on this machine, behind the port's words: start, resume, rerun, stop."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.backend.parameters import bind_parameters
from cloudml.backend.port import RunOptions
from cloudml.backend.records import Explanation, Listener, RunRecord, TaskRecord
from cloudml.errors import NotFound, Refused, StateError
from cloudml.plan import Resource
from cloudml_local.state.journal import Journal, RunRow
from cloudml_local.state.locks import RunLock, holder
from cloudml_local.state.store import Store, store_error

if TYPE_CHECKING:
    from cloudml_local.registry import Registry

STOP_PATIENCE = 30.0
"""Seconds that `stop` waits for a driver to wind down."""


class LocalRuns:
    """Speaks `cloudml.backend.port.Runs`."""

    def __init__(self, state: Path, journal: Journal, store: Store, registry: Registry, parallel: int | None) -> None:
        self._state = state
        self._journal = journal
        self._store = store
        self._registry = registry
        self._parallel = parallel

    # -- driving ------------------------------------------------------------------------------------------------

    def start(
        self,
        resources: Sequence[Resource],
        parameters: Mapping[str, Any],
        options: RunOptions = RunOptions(),  # noqa: B008 - frozen
        listener: Listener | None = None,
    ) -> RunRecord:
        pipeline = _pipeline_of(resources)
        values = bind_parameters(pipeline.document["parameters"], parameters)
        run = self._journal.create_run(pipeline.name, pipeline.document, pipeline.digest, values)
        return self._drive(run, options, listener)

    def resume(
        self,
        run: str,
        options: RunOptions = RunOptions(),  # noqa: B008 - frozen
        listener: Listener | None = None,
        resources: Sequence[Resource] | None = None,
    ) -> RunRecord:
        row = self._journal.run(run)
        if row.status == "succeeded":
            return self.get(row.id)
        if resources is not None:
            pipeline = _pipeline_of(resources)
            if pipeline.name == row.pipeline:
                self._journal.set_document(row.id, pipeline.document, pipeline.digest)
        return self._drive(row.id, options, listener)

    def rerun(
        self,
        run: str,
        from_step: str | None,
        resources: Sequence[Resource],
        options: RunOptions = RunOptions(),  # noqa: B008 - frozen
        listener: Listener | None = None,
    ) -> RunRecord:
        row = self._journal.run(run)
        pipeline = _pipeline_of(resources)
        fresh = _downstream(pipeline.document, from_step) if from_step is not None else []
        declared = {parameter["name"] for parameter in pipeline.document["parameters"]}
        kept = {name: value for name, value in row.parameters.items() if name in declared}
        values = bind_parameters(pipeline.document["parameters"], kept)
        made = self._journal.create_run(
            pipeline.name, pipeline.document, pipeline.digest, values, parent=row.id, fresh=fresh
        )
        return self._drive(made, options, listener)

    def _drive(self, run: str, options: RunOptions, listener: Listener | None) -> RunRecord:
        from cloudml_local.engine.driver import Driver
        from cloudml_local.engine.kinds import dispatch

        folder = self._state / "runs" / run
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise store_error(error, folder) from error
        lock = RunLock(folder / "lock")
        if not lock.acquire():
            pid = holder(folder / "lock")
            raise Refused(f"{run} is running already, driven by process {pid}", hint=f"cloudml stop {run}")
        try:
            row = self._journal.run(run)
            self._journal.set_status(run, "running")
            self._journal.close_open_tasks(run, "interrupted")
            if options.parallel is None and self._parallel is not None:
                options = RunOptions(self._parallel, options.wait, options.cache)
            driver = Driver(row, self._state, self._journal, self._store, self._registry, options, dispatch, listener)
            driver.recall(self._journal.tasks(run))
            driver.drive()
        finally:
            lock.release()
        return self.get(run)

    def stop(self, run: str) -> RunRecord:
        row = self._journal.run(run)
        lock = self._state / "runs" / row.id / "lock"
        pid = holder(lock)
        if pid is None:
            if row.status in ("running", "waiting"):
                self._journal.close_open_tasks(row.id, "stopped")
                self._journal.set_status(row.id, "stopped", "stopped on request")
            return self.get(row.id)
        if pid > 0:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_PATIENCE
        while holder(lock) is not None:
            if time.monotonic() > deadline:
                raise StateError(
                    f"{row.id} did not stop within {STOP_PATIENCE:g} s", hint=f"its driver is process {pid}"
                )
            time.sleep(0.05)
        return self.get(row.id)

    def approve(self, run: str, task: str, who: str, reason: str, approved: bool = True) -> RunRecord:
        from cloudml_local.engine.kinds import approval_subject

        row = self._journal.run(run)
        found = self._journal.task(row.id, task)
        if found is None or found["kind"] != "approve" or found["status"] not in ("waiting", "stopped", "interrupted"):
            waiting = [name for name, one in self._journal.tasks(row.id).items() if one["status"] == "waiting"]
            hint = f"it waits for {', '.join(waiting)}" if waiting else f"{row.id} waits for nobody"
            raise Refused(f"{row.id} does not wait for an approval of {task!r}", hint=hint)
        allowed = _task_of(row.document, task)["reads"]["approvers"]
        if allowed and who not in allowed:
            raise Refused(f"{who!r} may not approve {task!r}", hint=f"its approvers are {', '.join(allowed)}")
        self._journal.decide(approval_subject(row.id, task), "approved" if approved else "rejected", who, reason)
        return self.get(row.id)

    # -- observing ----------------------------------------------------------------------------------------------

    def list(self, pipeline: str | None = None, limit: int = 50) -> list[RunRecord]:
        from cloudml_local.observe import list_runs

        return list_runs(self._journal, self._state, pipeline, limit)

    def get(self, run: str) -> RunRecord:
        from cloudml_local.observe import run_record

        return run_record(self._journal, self._store, self._state, self._journal.run(run))

    def rehearse(self, run: str, task: str, resources: Sequence[Resource], folder: Path) -> TaskRecord:
        from cloudml_local.rehearsal import rehearse

        row = self._journal.run(run)
        return rehearse(self._journal, self._store, self._registry, row, _pipeline_of(resources).document, task, folder)

    def fetch(self, run: str, task: str, output: str, folder: Path) -> Path:
        from cloudml_local.fetching import fetch

        row = self._journal.run(run)
        self._known(row, task)
        return fetch(self._journal, self._store, row.id, task, output, folder)

    def logs(self, run: str, task: str, follow: bool = False) -> Iterator[str]:
        from cloudml_local.observe import log_lines

        row = self._journal.run(run)
        self._known(row, task)
        return log_lines(self._journal, self._state, row, task, follow)

    def why(self, run: str, task: str | None = None) -> Sequence[Explanation]:
        from cloudml_local.explain import explain

        row = self._journal.run(run)
        if task is not None:
            self._known(row, task)
        return explain(self._journal, self._state, row, task)

    def _known(self, row: RunRow, task: str) -> None:
        step = task.partition("[")[0]
        names = [one["id"] for one in row.document["tasks"]]
        if step not in names:
            raise NotFound(f"{row.id} has no step {task!r}", hint=f"its steps are {', '.join(names)}")


def _pipeline_of(resources: Sequence[Resource]) -> Resource:
    return next(resource for resource in resources if resource.kind == "pipeline")


def _task_of(document: dict[str, Any], task: str) -> dict[str, Any]:
    step = task.partition("[")[0]
    found: dict[str, Any] = next(one for one in document["tasks"] if one["id"] == step)
    return found


def _downstream(document: dict[str, Any], step: str) -> list[str]:
    """The step and everything that waits for it, directly or not; the bodies of containers included."""
    tasks = {task["id"]: task for task in document["tasks"]}
    if step not in tasks:
        raise NotFound(f"the pipeline has no step {step!r}", hint=f"its steps are {', '.join(tasks)}")
    followers: dict[str, list[str]] = {}
    for task in tasks.values():
        for need in task["needs"]:
            followers.setdefault(need, []).append(task["id"])
    found: dict[str, None] = {}
    stack = [step]
    while stack:
        name = stack.pop()
        if name not in found:
            found[name] = None
            stack.extend(followers.get(name, ()))
    return list(found)
