"""From an execution of a pipeline to the neutral record of a run: the author's steps, what they made, why they failed.

AWS lists only steps that it started, and knows no "skipped": that, and what a step of the author's made of several of
AWS's amounts to, is derived here from the definition. What a job left is read once; asking again costs two calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from cloudml.backend.records import RunRecord, RunStatus, TaskRecord
from cloudml.errors import CloudmlError
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.outline import Task, outline
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.results import JobResult, processing_result, training_result, tuning_result
from cloudml_sagemaker.tasks import Step, Steps, task_records

RUN_STATUS: Mapping[str, RunStatus] = {
    "Executing": "running",
    "Stopping": "running",
    "Stopped": "stopped",
    "Failed": "failed",
    "Succeeded": "succeeded",
    "CompletedWithFailures": "failed",
}
"""PipelineExecutionStatus of the service model. A run whose on_exit block succeeded after a failure has failed."""

NAME_TAG = "cloudml:pipeline"
ENDED_STEPS = frozenset({"Succeeded", "Failed", "Stopped"})
_READERS = {"ProcessingJob": processing_result, "TrainingJob": training_result, "TuningJob": tuning_result}
_PARALLEL = 8
_TYPES: Mapping[str, Callable[[str], Any]] = {
    "Integer": int,
    "Float": float,
    "Boolean": lambda text: text.lower() == "true",
    "String": str,
}


class Describer:
    """Reads executions through one client; keeps what cannot change any more."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._documents: dict[str, Mapping[str, Any]] = {}
        self._results: dict[str, JobResult] = {}
        self._outlines: dict[str, tuple[Task, ...]] = {}
        self._definitions: dict[str, Mapping[str, Any]] = {}
        self._names: dict[str, str] = {}
        self._given: dict[str, dict[str, str]] = {}

    def describe(self, arn: str) -> RunRecord:
        """The run as it is now. Raises AwsError, CloudmlError for a status that this version does not know."""
        told = self._client.call("sagemaker", "DescribePipelineExecution", PipelineExecutionArn=arn)
        raw = told["PipelineExecutionStatus"]
        if raw not in RUN_STATUS:
            raise CloudmlError(f"SageMaker says that the execution is {raw!r}, which this cloudml does not know")
        definition = self._definition(arn)
        found = self._steps(arn)
        tasks = task_records(self._outline(arn, definition), Steps(found), over=RUN_STATUS[raw] != "running")
        status = _status(RUN_STATUS[raw], tasks)
        created = told["CreationTime"]
        ended = told["LastModifiedTime"] if RUN_STATUS[raw] != "running" else None
        return RunRecord(
            id=arn.rpartition("/")[2],
            pipeline=self._pipeline(told["PipelineArn"]),
            status=status,
            parameters=self._parameters(arn, definition),
            created_at=moment(created),
            duration=(ended - created).total_seconds() if ended is not None else None,
            reason=_reason(status, tasks, str(told.get("FailureReason", ""))),
            tasks=tasks,
        )

    # -- what cannot change -------------------------------------------------------------------------------------

    def _definition(self, arn: str) -> Mapping[str, Any]:
        if arn not in self._definitions:
            told = self._client.call("sagemaker", "DescribePipelineDefinitionForExecution", PipelineExecutionArn=arn)
            self._definitions[arn] = json.loads(told["PipelineDefinition"])
        return self._definitions[arn]

    def _outline(self, arn: str, definition: Mapping[str, Any]) -> tuple[Task, ...]:
        if arn not in self._outlines:
            self._outlines[arn] = outline(definition, self._document)
        return self._outlines[arn]

    def _document(self, prefix: str) -> Mapping[str, Any]:
        """A step document; its address is made of its content, so it is read once."""
        if prefix not in self._documents:
            self._documents[prefix] = json.loads(self._client.read(f"{prefix.rstrip('/')}/step.json"))
        return self._documents[prefix]

    def _pipeline(self, arn: str) -> str:
        """The author's name of the pipeline, from its tag; AWS's when it has none, or was deleted since."""
        if arn not in self._names:
            try:
                listed = self._client.pages("sagemaker", "ListTags", "Tags", ResourceArn=arn)
                tags = {tag["Key"]: tag["Value"] for tag in listed}
            except AwsError as error:
                if error.kind not in ("missing", "invalid"):
                    raise
                tags = {}
            self._names[arn] = str(tags.get(NAME_TAG) or arn.rpartition("/")[2])
        return self._names[arn]

    def _parameters(self, arn: str, definition: Mapping[str, Any]) -> dict[str, Any]:
        """What the run was started with, and the defaults of the rest, as the declared types."""
        if arn not in self._given:
            listed = self._client.pages(
                "sagemaker", "ListPipelineParametersForExecution", "PipelineParameters", PipelineExecutionArn=arn
            )
            self._given[arn] = {one["Name"]: one["Value"] for one in listed}
        given, found = self._given[arn], {}
        for declared in definition.get("Parameters", ()):
            name, default = declared["Name"], declared.get("DefaultValue")
            found[name] = _TYPES[declared["Type"]](given[name]) if name in given else default
        return found

    # -- what goes on -------------------------------------------------------------------------------------------

    def _steps(self, arn: str) -> list[Step]:
        rows = self._client.pages(
            "sagemaker",
            "ListPipelineExecutionSteps",
            "PipelineExecutionSteps",
            PipelineExecutionArn=arn,
            SortOrder="Ascending",
        )
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="describe") as pool:
            return list(pool.map(self._step, list(rows)))

    def _step(self, row: Mapping[str, Any]) -> Step:
        around, about = row.get("IterationContext", {}), row.get("Metadata", {})
        answer = about.get("Callback", {}).get("OutputParameters", ())
        started, ended = row.get("StartTime"), row.get("EndTime")
        source = row.get("CacheHitResult", {}).get("SourcePipelineExecutionArn")
        return Step(
            name=row["StepName"],
            status=row["StepStatus"],
            loop=around.get("ParentStepName"),
            index=around.get("Index"),
            started_at=started,
            ended_at=ended,
            attempts=int(row.get("AttemptCount", 1)),
            failure_reason=str(about.get("Fail", {}).get("ErrorMessage") or row.get("FailureReason", "")),
            cached_from=source.rpartition("/")[2] if source else None,
            outcome=about.get("Condition", {}).get("Outcome"),
            answer={one["Name"]: one["Value"] for one in answer},
            result=self._result(row) if row["StepStatus"] in ENDED_STEPS else JobResult(),
        )

    def _result(self, row: Mapping[str, Any]) -> JobResult:
        """What the step's job left; nothing for a step that is no job."""
        for member, read in _READERS.items():
            arn = row.get("Metadata", {}).get(member, {}).get("Arn")
            if arn:
                if arn not in self._results:
                    self._results[arn] = read(self._client, arn.rpartition("/")[2])
                return self._results[arn]
        return JobResult()


def moment(time: datetime) -> str:
    """UTC, ISO 8601."""
    return time.astimezone(UTC).isoformat()


def _status(status: RunStatus, tasks: Iterable[TaskRecord]) -> RunStatus:
    """A run in which nothing runs and something waits for a person is waiting."""
    found = {task.status for task in tasks}
    return "waiting" if status == "running" and "waiting" in found and "running" not in found else status


def _reason(status: RunStatus, tasks: Sequence[TaskRecord], said: str) -> str:
    """AWS says of a failed execution only that steps failed: the first that did is why."""
    if status == "waiting":
        return f"waiting for approval of {', '.join(task.id for task in tasks if task.status == 'waiting')}"
    if status != "failed":
        return said if status == "stopped" else ""
    failed = [task for task in tasks if task.status == "failed" and task.kind not in ("map", "condition")]
    failed = failed or [task for task in tasks if task.status == "failed"]
    first = min(failed, key=lambda task: task.started_at or "", default=None)
    return f"{first.id}: {first.reason}" if first is not None else said
