"""The documents of executions and their steps, and every change of their statuses."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from cloudml.mocks.bus import Change
from cloudml.mocks.store import Document, Scope, Table
from cloudml_sagemaker.mock.core.operations import arn_of
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.pipelines.decide import ENDED

PIPELINES = "Pipeline"
VERSIONS = "PipelineVersion"
EXECUTIONS = "PipelineExecution"
STEPS = "PipelineExecutionStep"
CACHE = "_PipelineCache"
TOKENS = "_PipelineToken"

LIVE = frozenset({"Executing", "Stopping"})
"""Statuses of an execution that goes on."""

REASON_LIMIT = 1024
"""Characters of a step's FailureReason (service model)."""


class StepIndex:
    """The step records of each execution, in order of start; made from the table once and kept beside it."""

    def __init__(self) -> None:
        self._tables: WeakKeyDictionary[Table, dict[str, dict[str, Document]]] = WeakKeyDictionary()

    def of(self, table: Table, arn: str) -> dict[str, Document]:
        """Records by step name; change it only with `put` and `forget`."""
        return self._all(table).setdefault(arn, {})

    def put(self, table: Table, record: Document) -> None:
        """Keep a record, new or changed."""
        self.of(table, record["_execution"])[record["StepName"]] = record
        table.put(key(record["_execution"], record["StepName"]), record)

    def forget(self, table: Table, arn: str, name: str) -> None:
        """Remove one record."""
        self.of(table, arn).pop(name, None)
        table.delete(key(arn, name))

    def forget_all(self, table: Table, arn: str) -> None:
        """Remove an execution's records."""
        for name in list(self.of(table, arn)):
            self.forget(table, arn, name)
        self._all(table).pop(arn, None)

    def _all(self, table: Table) -> dict[str, dict[str, Document]]:
        if table not in self._tables:
            found: dict[str, dict[str, Document]] = {}
            for record in table:
                found.setdefault(record["_execution"], {})[record["StepName"]] = record
            self._tables[table] = found
        return self._tables[table]


def key(arn: str, step: str) -> str:
    """A step record's key in its table."""
    return f"{arn}#{step}"


def version_key(pipeline: str, version: int) -> str:
    """A pipeline version's key in its table."""
    return f"{pipeline}/{version}"


def pipeline_of(arn: str) -> str:
    """The pipeline's name in an execution's ARN."""
    return arn.split(":pipeline/", 1)[-1].split("/", 1)[0]


def execution_id(arn: str) -> str:
    """The last part of an execution's ARN."""
    return arn.rpartition("/")[2]


def set_execution(world: World, scope: Scope, arn: str, status: str, **updates: Any) -> None:
    """An execution's status has changed. Needs the lock."""
    updates["LastModifiedTime"] = world.now()
    world.change(world.table(EXECUTIONS, scope), arn, "PipelineExecutionStatus", status, **updates)


def set_step(world: World, scope: Scope, index: StepIndex, record: Document, status: str, **updates: Any) -> None:
    """A step's status has changed: keep it and tell everyone. Needs the lock."""
    before = str(record.get("StepStatus", ""))
    record["StepStatus"] = status
    record.update(updates)
    if status in ENDED:
        record["EndTime"] = world.now()
    if "FailureReason" in record:
        record["FailureReason"] = str(record["FailureReason"])[:REASON_LIMIT]
    table = world.table(STEPS, scope)
    index.put(table, record)
    name = key(record["_execution"], record["StepName"])
    world.bus.publish(Change(STEPS, scope, name, before, status, dict(record), _details(scope, record)))


def _details(scope: Scope, record: Document) -> dict[str, Any]:
    """What AWS's event of a step's change tells (developer guide, "automating-sagemaker-with-eventbridge")."""
    arn = record["_execution"]
    return {
        "pipeline": arn_of(scope, f"pipeline/{pipeline_of(arn)}"),
        "execution": arn,
        "step": record["StepName"],
        "stepType": record["_type"],
        "metadata": dict(record.get("Metadata") or {}),
        "cacheHitResult": dict(record.get("CacheHitResult") or {}),
        "failureReason": record.get("FailureReason", ""),
        "startTime": record.get("StartTime"),
        "endTime": record.get("EndTime"),
    }
