"""From an execution of a pipeline to the neutral record of a run: the author's steps, what they made, why they failed.

AWS lists only steps that it started, and knows no "skipped": that, and what a step of the author's made of several of
AWS's amounts to, is derived here from the definition. What a job left is read once; asking again costs two calls.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudml.backend.records import RunRecord, RunStatus, TaskRecord
from cloudml.errors import CloudmlError
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.compile.expressions import FRESH, SAME
from cloudml_sagemaker.gaps import MockGap
from cloudml_sagemaker.given import metadata, typed_parameters
from cloudml_sagemaker.outline import Part, Task, outline, tops
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.results import JobResult, processing_result, training_result, tuning_result
from cloudml_sagemaker.selected import parent_of, with_source
from cloudml_sagemaker.tasks import Step, Steps, started_steps, task_records

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


@dataclass(frozen=True)
class Execution:
    """One execution as it is now. `started`: by task, the parts of it that AWS has started."""

    arn: str
    definition: Mapping[str, Any]
    outline: tuple[Task, ...]
    record: RunRecord
    started: Mapping[str, tuple[tuple[Part, Step], ...]]
    raw: str
    """AWS's word for its status."""
    modified: datetime
    anew: bool = False
    """Whether it was started so that nothing is reused: a rerun from a step, or without the cache."""


class Describer:
    """Reads executions through one client; keeps what cannot change any more."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._documents: dict[str, Mapping[str, Any]] = {}
        self._results: dict[tuple[str, str], JobResult] = {}
        self._outlines: dict[str, tuple[Task, ...]] = {}
        self._definitions: dict[str, Mapping[str, Any]] = {}
        self._names: dict[str, str] = {}
        self._given: dict[str, dict[str, str]] = {}

    def describe(self, arn: str) -> RunRecord:
        """The run as it is now. Raises AwsError, CloudmlError for a status that this version does not know."""
        return self.execution(arn).record

    def execution(self, arn: str) -> Execution:
        """The run, and what it is made of. Raises as `describe`."""
        told = self._client.call("sagemaker", "DescribePipelineExecution", PipelineExecutionArn=arn)
        raw = told["PipelineExecutionStatus"]
        if raw not in RUN_STATUS:
            raise CloudmlError(f"SageMaker says that the execution is {raw!r}, which this cloudml does not know")
        definition = self.definition(arn)
        rows, gap = self._steps_or_gap(arn)
        steps, tasks = Steps(rows), self._outline(arn, definition)
        records = task_records(tasks, steps, over=gap is not None or RUN_STATUS[raw] != "running")
        records = self._with_source(told, definition, tasks, records)
        status = "stopped" if gap is not None else _status(RUN_STATUS[raw], records)
        created = told["CreationTime"]
        ended = told["LastModifiedTime"] if RUN_STATUS[raw] != "running" else None
        about, given = metadata(definition), self._parameters(arn)
        record = RunRecord(
            id=arn.rpartition("/")[2],
            pipeline=str(about.get("pipeline") or self._pipeline(told["PipelineArn"])),
            status=status,
            parameters=typed_parameters(definition, given, created),
            created_at=moment(created),
            duration=(ended - created).total_seconds() if ended is not None else None,
            reason=gap or _reason(status, records, str(told.get("FailureReason", ""))),
            parent=parent_of(told),
            tasks=records,
        )
        started, modified = started_steps(tasks, steps), told["LastModifiedTime"]
        return Execution(arn, definition, tasks, record, started, raw, modified, given.get(FRESH, SAME) != SAME)

    def _with_source(
        self, told: Mapping[str, Any], definition: Mapping[str, Any], outlined: Sequence[Task],
        records: tuple[TaskRecord, ...],
    ) -> tuple[TaskRecord, ...]:  # fmt: skip
        """Of a selective execution: what was not selected is what it was in the source."""
        config = told.get("SelectiveExecutionConfig")
        if not config:
            return records
        source = config.get("SourcePipelineExecutionArn")
        before = self.describe(source) if source else None
        selected = {one["StepName"] for one in config["SelectedSteps"]}
        return with_source(outlined, tops(definition), selected, records, before)

    # -- what cannot change -------------------------------------------------------------------------------------

    def definition(self, arn: str) -> Mapping[str, Any]:
        """The definition with which an execution began. Raises AwsError."""
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

    def _parameters(self, arn: str) -> Mapping[str, str]:
        """The texts that the run was started with."""
        if arn not in self._given:
            listed = self._client.pages(
                "sagemaker", "ListPipelineParametersForExecution", "PipelineParameters", PipelineExecutionArn=arn
            )
            self._given[arn] = {one["Name"]: one["Value"] for one in listed}
        return self._given[arn]

    # -- what goes on -------------------------------------------------------------------------------------------

    def _steps_or_gap(self, arn: str) -> tuple[list[Step], str | None]:
        """The steps, or why there are none: a mock that cannot list them has run none, whatever status it tells."""
        try:
            return self._steps(arn), None
        except MockGap as gap:
            return [], f"nothing was run: {gap.message} ({gap.hint})"

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
            job=_job(about),
            token=about.get("Callback", {}).get("CallbackToken"),
            outcome=about.get("Condition", {}).get("Outcome"),
            answer={one["Name"]: one["Value"] for one in answer},
            result=self._result(row) if row["StepStatus"] in ENDED_STEPS else JobResult(),
        )

    def _result(self, row: Mapping[str, Any]) -> JobResult:
        """What the step's job left; nothing for a step that is no job."""
        job = _job(row.get("Metadata", {}))
        if job is None:
            return JobResult()
        if job not in self._results:
            self._results[job] = _READERS[job[0]](self._client, job[1])
        return self._results[job]


def _job(about: Mapping[str, Any]) -> tuple[str, str] | None:
    """Kind and name of a step's job."""
    found = ((kind, about.get(kind, {}).get("Arn")) for kind in _READERS)
    return next(((kind, arn.rpartition("/")[2]) for kind, arn in found if arn), None)


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
