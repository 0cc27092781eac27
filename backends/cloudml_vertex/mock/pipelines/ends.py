"""The end of a task: its last state, outputs, lineage and cache entry; then the DAG or loop around it is told."""

from __future__ import annotations

from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.pipelines import cache, lineage
from cloudml_vertex.mock.pipelines.decide import GOOD
from cloudml_vertex.mock.pipelines.definition.flow import Values
from cloudml_vertex.mock.pipelines.room import Run, stored

PRECONDITION, INVALID, CANCELLED, INTERNAL = 9, 3, 1, 13
"""Codes of google.rpc in the errors of tasks and jobs."""


def status(code: int, message: str) -> Document:
    """A google.rpc.Status document."""
    return {"code": code, "message": message}


def finish(
    run: Run, record: Document, state: str, *, outputs: Values | None = None, error: Document | None = None
) -> None:
    """The task has come to its last state. Needs the lock."""
    if outputs is not None and state in GOOD:
        record["_outputs"] = stored(outputs)
    if state != "NOT_TRIGGERED":
        lineage.ended(run, record, state)
    if state == "SUCCEEDED":
        cache.keep(run, record)
    for private in ("_retry_at", "_launch"):
        record.pop(private, None)
    run.set(record, state, error)
    run.todo.append(("ended", record["_path"], ""))


def fail(run: Run, record: Document, message: str, code: int = INVALID) -> None:
    """The task has failed for good."""
    finish(run, record, "FAILED", error=status(code, message))
