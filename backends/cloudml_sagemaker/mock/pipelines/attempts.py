"""A step begins, is tried again, goes on after a restart, ends: every change of its record goes through here."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TypeVar

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.core.world import iso
from cloudml_sagemaker.mock.pipelines import cache, records, retries
from cloudml_sagemaker.mock.pipelines.decide import child
from cloudml_sagemaker.mock.pipelines.definition import Resolver, Unresolved
from cloudml_sagemaker.mock.pipelines.kinds import KINDS, properties
from cloudml_sagemaker.mock.pipelines.kinds.base import Attempt, Progress, StepFailed
from cloudml_sagemaker.mock.pipelines.kinds.jobs import JobKind
from cloudml_sagemaker.mock.pipelines.kinds.loops import over
from cloudml_sagemaker.mock.pipelines.room import Run

P = TypeVar("P", Progress, Progress | None)

log = logging.getLogger(__name__)

ITEM_LIMIT = 12_800
"""Characters of a ForEach item in the step list (service model)."""


def begin(run: Run, name: str) -> None:
    """Start a step that has no record yet. Needs the lock, as everything here."""
    origin, index = run.origin(name)
    step = run.definition.every[origin]
    record: Document = {
        "StepName": name,
        "StartTime": run.world.now(),
        "AttemptCount": 1,
        "Metadata": {},
        "_try": run.world.unique("attempt", run.arn),
        "_execution": run.arn,
        "_step": origin,
        "_type": step.type,
    }
    if step.display_name:
        record["StepDisplayName"] = step.display_name
    if step.description:
        record["StepDescription"] = step.description
    if index is not None and step.body_of is not None:
        item = run.steps[step.body_of]["_items"][index]
        text = item if isinstance(item, str) else json.dumps(item)
        record["IterationContext"] = {"ParentStepName": step.body_of, "Index": index, "Item": text[:ITEM_LIMIT]}
    run.set(record, "Starting")
    _proceed(attempt_of(run, record), _cached_or_begun)


def again(run: Run, record: Document) -> None:
    """Make the next attempt of a step whose retry is due."""
    record.pop("_retry_at", None)
    record["_try"] = run.world.unique("attempt", run.arn)
    _proceed(attempt_of(run, record), KINDS[record["_type"]].begin)


def resume(run: Run, record: Document) -> None:
    """Go on with a step that was under way when the mock was killed."""
    if "_retry_at" in record:
        run.room.driver.retry_at(run.scope, run.arn, record)
        return
    _proceed(attempt_of(run, record), KINDS[record["_type"]].resume)


def finish_loop(run: Run, name: str, status: str) -> None:
    """End a ForEach whose children have ended."""
    _proceed(attempt_of(run, run.steps[name]), lambda attempt: over(attempt, status))


def stop(run: Run, record: Document) -> None:
    """The execution is being stopped while this step is under way."""
    if "_retry_at" in record:
        record.pop("_retry_at")
        run.set(record, "Stopped")
        return
    progress = KINDS[record["_type"]].stop(run, record)
    if progress is not None:
        settle(run, record, progress)


def settle(run: Run, record: Document, progress: Progress) -> None:
    """Bring the record to where the attempt has come; a failure that may be tried again waits for its next attempt."""
    record.update(progress.updates)
    if progress.status == "Failed" and _retry(run, record, progress):
        return
    if progress.status == "Failed":
        record["FailureReason"] = progress.reason
    else:
        record.pop("FailureReason", None)
    if progress.status == "Succeeded":
        cache.keep(run, record)
    if record["StepStatus"] == progress.status:
        run.keep(record)
    else:
        run.set(record, progress.status)


def _retry(run: Run, record: Document, progress: Progress) -> bool:
    if run.record["PipelineExecutionStatus"] != "Executing":
        return False
    wait = retries.delay(run.step(record["StepName"]), record, progress.exception, run.world.now())
    if wait is None:
        return False
    for private in ("_job", "_name"):
        record.pop(private, None)
    record["AttemptCount"] += 1
    record["_retry_at"] = run.world.now() + wait
    run.set(record, "Starting")
    run.room.driver.retry_at(run.scope, run.arn, record)
    return True


def outcome(record: Document, action: Callable[[], P]) -> P | Progress:
    """What an action on a step comes to; whatever it raises is the step's failure, so that no step hangs for ever."""
    try:
        return action()
    except StepFailed as failure:
        return Progress("Failed", failure.reason, failure.exception)
    except Exception as error:
        log.exception("step %s failed inside the mock", record["StepName"])
        return Progress("Failed", f"InternalServerError: {type(error).__name__}: {error}")


def _proceed(attempt: Attempt, action: Callable[[Attempt], Progress]) -> None:
    settle(attempt.run, attempt.record, outcome(attempt.record, lambda: action(attempt)))


def _cached_or_begun(attempt: Attempt) -> Progress:
    record, kind = attempt.record, KINDS[attempt.record["_type"]]
    if isinstance(kind, JobKind):
        kind.choose_name(attempt)
    key = cache.key(attempt)
    if key is not None:
        record["_cache"] = key
        found = cache.hit(attempt, key)
        if found is not None:
            return Progress("Succeeded", updates=found)
    return kind.begin(attempt)


def attempt_of(run: Run, record: Document) -> Attempt:
    """The attempt that a record stands for, with what its expressions read."""
    step = run.definition.every[record["_step"]]
    siblings: tuple[str, ...] = ()
    more: Document = {}
    if step.body_of is not None:
        context = record["IterationContext"]
        loop = run.definition.every[step.body_of].loop
        siblings = loop.body if loop is not None else ()
        more["item"] = run.steps[step.body_of]["_items"][context["Index"]]

    def read(name: str) -> Document:
        full = child(name, record["IterationContext"]["Index"]) if name in siblings else name
        if full not in run.steps:
            raise Unresolved(f"the step {full} was not run")
        return properties(run, run.steps[full])

    resolver = Resolver(
        definition=run.definition,
        parameters=run.record["_parameters"],
        execution=_Variables(run, record),
        step=read,
        s3_text=lambda uri: _text(run, uri),
        **more,
    )
    return Attempt(run, step, record, resolver)


def _text(run: Run, uri: str) -> str:
    try:
        return s3.read(run.world, run.scope, uri).decode()
    except s3.S3Missing:
        raise Unresolved(f"there is no object {uri}") from None
    except UnicodeDecodeError:
        raise Unresolved(f"{uri} is not a text file") from None


class _Variables(dict[str, str]):
    """`Execution.*`; the names of the step's own job come from its record."""

    def __init__(self, run: Run, record: Document) -> None:
        super().__init__(
            PipelineName=records.pipeline_of(run.arn),
            PipelineArn=run.record["PipelineArn"],
            PipelineExecutionId=records.execution_id(run.arn),
            PipelineExecutionArn=run.arn,
            StartDateTime=iso(run.record["CreationTime"]),
            CurrentDateTime=iso(run.world.now()),
        )
        self._record = record

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (name in _JOB_NAMES and "_name" in self._record)

    def __missing__(self, name: str) -> str:
        if name in _JOB_NAMES and "_name" in self._record:
            return str(self._record["_name"])
        raise KeyError(name)


_JOB_NAMES = frozenset({"TrainingJobName", "ProcessingJobName"})
