"""Runs in SageMaker, behind the port's words. A run is an execution of a pipeline; it goes on without this program."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.backend.port import Models, RunOptions
from cloudml.backend.records import Explanation, Listener, RunRecord, TaskRecord
from cloudml.errors import CloudmlError, NotFound, Refused
from cloudml.plan import Resource
from cloudml_sagemaker import approvals, given, outside, selected
from cloudml_sagemaker.compile.expressions import CONTENT, FRESH
from cloudml_sagemaker.describe import RUN_STATUS, Describer, Execution, moment
from cloudml_sagemaker.executions import MONITOR, Executions
from cloudml_sagemaker.outline import outline
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.wait import Polling, wait

if TYPE_CHECKING:
    from cloudml_sagemaker.outline import Task

NEEDED = frozenset({"job_code", "model_group", "queue", "topic", "alarm", "pipeline"})
"""Kinds of resources without which a run cannot be what was compiled."""
RETRIED = frozenset({"Failed", "Stopped", "CompletedWithFailures"})
"""Statuses of executions that RetryPipelineExecution takes."""
STOP_PATIENCE = 900.0
"""Seconds that `stop` waits: SageMaker gives a job two minutes, and a machine its time to go."""


class SagemakerRuns:
    """Speaks `cloudml.backend.port.Runs`. `models` opens the registry, which approvals change."""

    def __init__(self, world: World, models: Callable[[], Models], polling: Polling = Polling()) -> None:  # noqa: B008
        self._world = world
        self._client = world.client
        self._models = models
        self._polling = polling
        self._describer = Describer(world.client)
        self._executions = Executions(world.client, world.place)

    # -- driving ------------------------------------------------------------------------------------------------

    def start(
        self,
        resources: Sequence[Resource],
        parameters: Mapping[str, Any],
        options: RunOptions = RunOptions(),  # noqa: B008 - frozen
        listener: Listener | None = None,
    ) -> RunRecord:
        pipeline = main_pipeline(resources)
        values = given.bound(pipeline.document["definition"], parameters)
        return self._start(resources, pipeline, values, options, listener)

    def _start(
        self, resources: Sequence[Resource], pipeline: Resource, values: Mapping[str, Any], options: RunOptions,
        listener: Listener | None, **more: Any,
    ) -> RunRecord:  # fmt: skip
        from cloudml.remote.applying import ensure

        definition = pipeline.document["definition"]
        given.texts(definition, values)
        values = outside.brought(self._world, definition, values)
        texts = given.texts(definition, values)
        ensure(self._world, resources, NEEDED)
        salt = outside.content(self._client, definition, texts)
        texts |= {CONTENT: salt} if salt else {}
        texts |= {} if options.cache else {FRESH: uuid.uuid4().hex}
        if options.parallel is not None:
            more["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": max(1, options.parallel)}
        started = self._client.call(
            "sagemaker",
            "StartPipelineExecution",
            PipelineName=pipeline.name,
            PipelineParameters=[{"Name": name, "Value": text} for name, text in sorted(texts.items())],
            **more,
        )
        return self._follow(started["PipelineExecutionArn"], options, listener)

    def resume(
        self,
        run: str,
        options: RunOptions = RunOptions(),  # noqa: B008 - frozen
        listener: Listener | None = None,
        resources: Sequence[Resource] | None = None,
    ) -> RunRecord:
        """See the port. SageMaker retries a run with the code that it began with; when there is other code now, what
        has not succeeded runs as a selective execution of it: a new run, whose parent is this one.
        """
        found = self._execution(run)
        if found.record.status == "succeeded":
            return found.record
        if found.raw not in RETRIED:
            approvals.expire(self._client, found)
            return self._follow(found.arn, options, listener)
        if any(one.kind == "approve" and one.status == "failed" for one in found.record.tasks):
            return self._follow(found.arn, options, listener)  # a person's No, or silence, is not asked for again
        if resources is not None and main_pipeline(resources).document["definition"] != found.definition:
            return self._go_on_anew(found, resources, options, listener)
        if any(part.type == "Fail" for parts in found.started.values() for part, _ in parts):
            message = f"{found.record.id} was ended by a fail step, and SageMaker does not retry such a run"
            raise Refused(message, hint=f"cloudml rerun {found.record.id}")
        self._client.call("sagemaker", "RetryPipelineExecution", PipelineExecutionArn=found.arn)
        return self._follow(found.arn, options, listener, since=found.modified)

    def _go_on_anew(
        self, found: Execution, resources: Sequence[Resource], options: RunOptions, listener: Listener | None
    ) -> RunRecord:
        pipeline = main_pipeline(resources)
        tasks = _outline_of(pipeline, resources)
        done = {one.id.partition("[")[0] for one in found.record.tasks if one.status in ("succeeded", "cached")}
        broken = {one.id.partition("[")[0] for one in found.record.tasks if one.status in ("failed", "stopped")}
        unskipped = {one.id for one in found.record.tasks if one.status == "skipped" and one.parent in done}
        todo = [task.name for task in tasks if task.name in broken or task.name not in done | unskipped]
        return self._select(found, pipeline, tasks, todo, resources, options, listener)

    def rerun(
        self,
        run: str,
        from_step: str | None,
        resources: Sequence[Resource],
        options: RunOptions = RunOptions(),  # noqa: B008 - frozen
        listener: Listener | None = None,
    ) -> RunRecord:
        found = self._execution(run)
        pipeline = main_pipeline(resources)
        if from_step is not None:
            tasks = _outline_of(pipeline, resources)
            return self._select(found, pipeline, tasks, [from_step], resources, options, listener)
        values = _kept(pipeline, found.record)
        about = {"PipelineExecutionDescription": selected.description(found.record.id)}
        return self._start(resources, pipeline, values, options, listener, **about)

    def _select(
        self, source: Execution, pipeline: Resource, tasks: Sequence[Task], todo: Sequence[str],
        resources: Sequence[Resource], options: RunOptions, listener: Listener | None,
    ) -> RunRecord:  # fmt: skip
        """A selective execution: `todo` and all below anew, the rest from the source."""
        definition = pipeline.document["definition"]
        steps = selected.below(definition, tasks, todo)
        config: dict[str, Any] = {"SelectedSteps": [{"StepName": name} for name in steps]}
        if len(steps) < len(definition["Steps"]):
            _check_source(source)
            config["SourcePipelineExecutionArn"] = source.arn
        about = {
            "PipelineExecutionDescription": selected.description(source.record.id),
            "SelectiveExecutionConfig": config,
        }
        anew = replace(options, cache=False)
        return self._start(resources, pipeline, _kept(pipeline, source.record), anew, listener, **about)

    def _follow(
        self, arn: str, options: RunOptions, listener: Listener | None, since: datetime | None = None
    ) -> RunRecord:
        """Watch to the end, or until it waits for a person. Interrupted by the keyboard, the run goes on alone."""

        def tend(execution: Execution) -> None:
            approvals.expire(self._client, execution)

        try:
            return wait(
                self._describer, arn, listener, stay=options.wait, polling=self._polling, tend=tend, since=since
            )
        except KeyboardInterrupt:
            record = self._describer.describe(arn)
            if record.status not in ("running", "waiting"):
                return record
            return replace(record, reason=f"it goes on in SageMaker: cloudml resume {record.id} watches it again")

    def stop(self, run: str) -> RunRecord:
        found = self._execution(run)
        if RUN_STATUS[found.raw] != "running":
            return found.record
        if found.raw == "Executing":
            self._client.call("sagemaker", "StopPipelineExecution", PipelineExecutionArn=found.arn)

        def release(execution: Execution) -> None:
            # SageMaker stops when every question is answered (API reference, StopPipelineExecution).
            for asked in approvals.questions(execution):
                try:
                    approvals.reject(self._client, asked, "the run was stopped")
                except Refused:
                    continue

        release(found)
        return wait(
            self._describer, found.arn, None, stay=True, polling=self._polling, tend=release, patience=STOP_PATIENCE
        )

    def approve(self, run: str, task: str, who: str, reason: str, approved: bool = True) -> RunRecord:
        found = self._execution(run)
        approvals.expire(self._client, found)
        asked = approvals.question(self._describer.execution(found.arn), task, who)
        if not approved:
            approvals.reject(self._client, asked, f"rejected by {who}" + (f": {reason}" if reason else ""))
        else:
            if asked.subject is not None:
                model, version = asked.subject
                self._models().decide(model, version, True, who, reason)
            approvals.accept(self._client, asked, who, reason)
        return self._describer.describe(found.arn)

    # -- observing ----------------------------------------------------------------------------------------------

    def list(self, pipeline: str | None = None, limit: int = 50) -> list[RunRecord]:
        return [self._summary(one) for one in self._executions.arns(pipeline, limit)]

    def _summary(self, row: Mapping[str, Any]) -> RunRecord:
        """Without tasks; of a run that goes on it is looked whether it waits for a person, and on moto, whose runs
        all "succeed", whether there was one.
        """
        raw = row["PipelineExecutionStatus"]
        if raw not in RUN_STATUS:
            raise CloudmlError(f"SageMaker says that the execution is {raw!r}, which this cloudml does not know")
        arn = row["PipelineExecutionArn"]
        if RUN_STATUS[raw] == "running" or self._client.simulated:
            return replace(self._describer.describe(arn), tasks=())
        return RunRecord(
            id=arn.rpartition("/")[2],
            pipeline=row["pipeline"],
            status=RUN_STATUS[raw],
            parameters={},
            created_at=moment(row["StartTime"]),
            reason=str(row.get("PipelineExecutionFailureReason", "")),
            parent=selected.parent_of(row),
        )

    def get(self, run: str) -> RunRecord:
        return self._execution(run).record

    def _execution(self, run: str) -> Execution:
        return self._describer.execution(self._executions.find(run))

    def logs(self, run: str, task: str, follow: bool = False) -> Iterator[str]:
        from cloudml_sagemaker.logs import log_lines

        found = self._execution(run)
        _known(found, task)
        return log_lines(self._client, lambda: self._describer.execution(found.arn), task, follow, self._polling)

    def why(self, run: str, task: str | None = None) -> Sequence[Explanation]:
        from cloudml_sagemaker.explain import explain

        found = self._execution(run)
        if task is not None:
            _known(found, task)
        return explain(self._world, found, task)

    def fetch(self, run: str, task: str, output: str, folder: Path) -> Path:
        from cloudml_sagemaker.fetch import fetch

        found = self._execution(run)
        return fetch(self._client, task_of(found, task), output, folder)

    def rehearse(self, run: str, task: str, resources: Sequence[Resource], folder: Path) -> TaskRecord:
        from cloudml_sagemaker.replay import rehearse

        found = self._execution(run)
        task_of(found, task)
        return rehearse(self._world, found, task, resources, folder)


def main_pipeline(resources: Sequence[Resource]) -> Resource:
    """The author's own pipeline: monitors may have others beside it. Raises Refused when there is none."""
    for one in resources:
        if one.kind == "pipeline" and not any(tag["Key"] == MONITOR for tag in one.document.get("Tags", ())):
            return one
    raise Refused("there is no pipeline among what was compiled", hint="cloudml check", code="CML533")


def task_of(found: Execution, task: str) -> TaskRecord:
    """The record of a task. Raises NotFound."""
    record = found.record.task(task)
    if record is None:
        _known(found, task)
        items = [one.id for one in found.record.tasks if one.id.startswith(f"{task}[")]
        raise NotFound(f"{task!r} lies in a map: name an item of it", hint=f"such as {', '.join(items[:5]) or 'none'}")
    return record


def _known(found: Execution, task: str) -> None:
    names = [one.name for one in found.outline]
    if task.partition("[")[0] not in names:
        raise NotFound(f"{found.record.id} has no step {task!r}", hint=f"its steps are {', '.join(names)}")


def _outline_of(pipeline: Resource, resources: Sequence[Resource]) -> tuple[Task, ...]:
    """The author's steps of what was compiled, without asking AWS."""
    documents = {one.document["prefix"]: one.document["files"]["step.json"] for one in resources
                 if one.kind == "job_code"}  # fmt: skip
    return outline(pipeline.document["definition"], lambda prefix: documents[prefix])


def _kept(pipeline: Resource, record: RunRecord) -> dict[str, Any]:
    """The parameters of an old run that there still are; a time that was the run's own stays what it was."""
    definition = pipeline.document["definition"]
    declared = {one["name"] for one in given.metadata(definition).get("parameters", ())}
    kept = {name: value for name, value in record.parameters.items() if name in declared and value not in (None, "")}
    return given.bound(definition, kept)


def _check_source(source: Execution) -> None:
    """API reference, SelectiveExecutionConfig: the source has succeeded or failed."""
    if source.raw not in ("Succeeded", "Failed", "CompletedWithFailures"):
        run = source.record.id
        message = f"{run} is {source.record.status}; SageMaker takes results only of runs that succeeded or failed"
        raise Refused(message, hint=f"cloudml resume {run}, or cloudml rerun {run} without --from")
