"""The room's tables: pipeline jobs as the API has them, and each task of a job as a record of its own.

A task's record is its PipelineTaskDetail plus private keys: `_job`, `_path` (names and numbers from the root on),
`_parent` (path of the DAG it stands in), `_key`, `_kind` (container, importer, dag, loop), `_inputs`, `_outputs`.
"""

from __future__ import annotations

from urllib.parse import quote

from cloudml.mocks.bus import Change
from cloudml.mocks.store import Scope, Table
from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.pipelines.decide import FINAL

JOBS = "PipelineJob"
TASKS = "PipelineTask"
CACHE = "PipelineCache"
IMPORTS = "PipelineImport"

LIVE = frozenset({"PIPELINE_STATE_PENDING", "PIPELINE_STATE_RUNNING", "PIPELINE_STATE_CANCELLING"})
"""States of a job that is under way."""

OVER = frozenset({"PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED"})
"""States of a job that has ended."""


def below(path: str, key: str | int) -> str:
    """The path of what stands directly below `path`."""
    part = quote(str(key), safe="")
    return f"{path}/{part}" if path else part


def task_key(job: str, path: str) -> str:
    """The key of a task's record in its table."""
    return f"{job}/tasks/{path}"


class Index:
    """The records of each job's tasks, by path: the store has one table for the tasks of all jobs."""

    def __init__(self) -> None:
        self._jobs: dict[str, dict[str, Document]] = {}
        self._read: set[Scope] = set()

    def of(self, table: Table, job: str) -> dict[str, Document]:
        """The records of a job, oldest first. What a store from before holds is read once."""
        if table.scope not in self._read:
            self._read.add(table.scope)
            for record in table:
                self._jobs.setdefault(record["_job"], {})[record["_path"]] = record
        return self._jobs.setdefault(job, {})

    def forget(self, table: Table, job: str) -> None:
        """The job is deleted: its records go too."""
        for path in self.of(table, job):
            table.delete(task_key(job, path))
        self._jobs.pop(job, None)


def enter(world: World, scope: Scope, record: Document, state: str) -> None:
    """A task gets its record, in its first state. Needs the lock."""
    key, more = task_key(record["_job"], record["_path"]), _updates(world.stamp(), record, state, None)
    record.update(more, state=state)
    world.table(TASKS, scope).put(key, record)
    world.bus.publish(Change(TASKS, scope, key, "", state, record))


def set_state(world: World, scope: Scope, record: Document, state: str, error: Document | None = None) -> None:
    """A task comes to a state: its history, its times, the store and the bus are told. Needs the lock."""
    more = _updates(world.stamp(), record, state, error)
    world.change(world.table(TASKS, scope), task_key(record["_job"], record["_path"]), "state", state, **more)


def _updates(stamp: str, record: Document, state: str, error: Document | None) -> Document:
    status: Document = {"update_time": stamp, "state": state}
    if error is not None:
        status["error"] = error
    more: Document = {"pipeline_task_status": [*record.get("pipeline_task_status", ()), status]}
    if state == "RUNNING" and "start_time" not in record:
        more["start_time"] = stamp
    if state in FINAL:
        more["end_time"] = stamp
        if state in {"FAILED", "CANCELLED"} and error is not None:
            more["error"] = error
    return more


def keep(world: World, scope: Scope, record: Document) -> None:
    """Keep a task's record without a change of its state."""
    world.table(TASKS, scope).put(task_key(record["_job"], record["_path"]), record)


def public(document: Document) -> Document:
    """The document without what is private."""
    return {key: value for key, value in document.items() if not key.startswith("_")}


def in_full(world: World, index: Index, scope: Scope, job: Document) -> Document:
    """A job as Get answers, with the details of its tasks."""
    records = index.of(world.table(TASKS, scope), job["name"])
    details = [public(record) for record in records.values() if not record.get("_hidden")]
    return {**job, "job_detail": {**job.get("job_detail", {}), "task_details": details}}


def in_list(job: Document) -> Document:
    """A job as List answers: `job_detail` is not available in the list view (PipelineJob)."""
    return {key: value for key, value in job.items() if key != "job_detail"}
