"""A task that runs something by itself: an importer, or a container as a CustomJob, with its attempts and its end."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from urllib.parse import quote

from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.pipelines import cache, customjobs, ends, launching, lineage, records, rerun
from cloudml_vertex.mock.pipelines.decide import FINAL, retry_delay
from cloudml_vertex.mock.pipelines.definition import executor, flow
from cloudml_vertex.mock.pipelines.definition.executor import OutputProblem
from cloudml_vertex.mock.pipelines.definition.flow import Unresolved
from cloudml_vertex.mock.pipelines.definition.model import Container, Importer
from cloudml_vertex.mock.pipelines.definition.placeholders import PlaceholderError
from cloudml_vertex.mock.pipelines.machines import BadResources
from cloudml_vertex.mock.pipelines.room import Run, values_of

log = logging.getLogger(__name__)

_SETTLED = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"}


def begin(run: Run, record: Document) -> None:
    """Start a task that is PENDING for the first time: what is taken over, what is cached, or its first attempt."""
    guarded(run, record, _begin)


def resume(run: Run, record: Document) -> None:
    """Go on with a task that was under way when the mock went down."""
    if "_retry_at" in record:
        run.room.driver.retry_at(run, record)
    elif "_launch" in record:
        look(run, record)
    elif "_custom_job" in record:
        customjobs.note(run, record)
        _wait(run, record)
    else:
        guarded(run, record, attempt if "_attempt" in record else _begin)


def again(run: Run, record: Document) -> None:
    """Make the next attempt of a task whose retry is due."""
    record.pop("_retry_at", None)
    guarded(run, record, attempt)


def heard(run: Run, record: Document, job: Document) -> None:
    """The task's CustomJob has come to a state."""
    state = job.get("state", "")
    if state == "JOB_STATE_RUNNING" and record["state"] == "PENDING":
        run.set(record, "RUNNING")
    elif state in _SETTLED:
        run.room.waiting.pop(("CustomJob", job["name"]), None)
        guarded(run, record, lambda run, record: _settled(run, record, job))


def look(run: Run, record: Document) -> None:
    """Look at what the task's launcher waits for."""
    if "_launch" in record:
        guarded(run, record, lambda run, record: _looked(run, record, launching.look(run, record)))


def cancel(run: Run, record: Document) -> None:
    """The job is being cancelled while this task is under way (PENDING, RUNNING)."""
    error = ends.status(ends.CANCELLED, "The task was cancelled.")
    if "_custom_job" not in record and "_launch" not in record:
        ends.finish(run, record, "CANCELLED", error=error)
        return
    if record["state"] in {"CANCEL_PENDING", "CANCELLING"}:
        return
    run.set(record, "CANCEL_PENDING")
    if "_launch" in record:
        launching.cancel(run, record)
        run.set(record, "CANCELLING")
        ends.finish(run, record, "CANCELLED", error=error)
    else:
        try:
            run.world.call(run.scope, "JobService.CancelCustomJob", {"name": record["_custom_job"]})
        except GoogleError as refused:
            log.info("%s was not cancelled: %s", record["_custom_job"], refused)
    if record["state"] not in FINAL:
        run.set(record, "CANCELLING")


def failed(run: Run, record: Document, error: Document) -> None:
    """An attempt has failed: the next one is made in a while, or the task has failed for good."""
    policy = run.task(record).retry
    attempts = record.get("_attempt", 1)
    if policy is None or attempts > policy.count or run.closed:
        ends.finish(run, record, "FAILED", error=error)
        return
    delay = retry_delay(attempts, first=policy.backoff, factor=policy.factor, most=policy.max)
    if "_custom_job" in record:
        detail = record["executor_detail"]["container_detail"]
        detail["failed_main_jobs"] = [*detail.get("failed_main_jobs", ()), record.pop("_custom_job")]
        detail.pop("main_job", None)
    record["_attempt"] = attempts + 1
    record["_retry_at"] = run.world.now() + delay
    run.set(record, "PENDING", error)
    run.room.driver.retry_at(run, record)


def guarded(run: Run, record: Document, action: Callable[[Run, Document], None]) -> None:
    """Whatever an action on a task raises is the attempt's failure, so that no task hangs for ever."""
    try:
        action(run, record)
    except (PlaceholderError, OutputProblem, Unresolved, BadResources) as problem:
        failed(run, record, ends.status(ends.INVALID, str(problem)))
    except GoogleError as refused:
        failed(run, record, refused.status())
    except Exception as error:
        log.exception("task %s of %s failed inside the mock", record["_path"], run.name)
        ends.fail(run, record, f"Internal error: {type(error).__name__}: {error}", ends.INTERNAL)


def _begin(run: Run, record: Document) -> None:
    component = run.component(record)
    work = run.definition.executors[component.executor or ""]
    taken = rerun.taken(run, record)
    if taken is not None:
        ends.finish(run, record, "SKIPPED", outputs=values_of(taken))
        return
    if isinstance(work, Importer):
        _import(run, record, work)
        return
    task = run.task(record)
    if task.cache or run.world.switches["cache-of-uncached-tasks"] == "kept":
        record["_cache"] = cache.key(run, record, component, work)
        found = cache.hit(run, record) if task.cache else None
        if found is not None:
            ends.finish(run, record, "SKIPPED", outputs=values_of(found["_outputs"]))
            return
    record["_attempt"] = 1
    record["_artifacts"] = {name: lineage.new_artifact_name(run) for name in component.output_artifacts}
    attempt(run, record)


def attempt(run: Run, record: Document) -> None:
    """Make an attempt of a container task."""
    work = run.definition.executors[run.component(record).executor or ""]
    assert isinstance(work, Container)
    said = customjobs.said(run, record, work, executor_input(run, record))
    look = launching.start(run, record, said)
    if look is not None:
        _looked(run, record, look)
        return
    name = customjobs.create(run, record, work, said)
    record["_custom_job"] = name
    record.setdefault("executor_detail", {}).setdefault("container_detail", {})["main_job"] = name
    run.keep(record)
    _wait(run, record)


def executor_input(run: Run, record: Document) -> Document:
    """What the task's container is told: its inputs, and where its outputs go."""
    root = f"{output_folder(run)}/{quote(record['_key'], safe='')}_{record['task_id']}"
    made: Document = executor.build(
        run.component(record), values_of(record["_inputs"]), root, record.get("_artifacts", {})
    )
    return made


def output_folder(run: Run) -> str:
    """Where all outputs of the job go: `gcs_output_directory`/PROJECT NUMBER/JOB."""
    folder = run.job["runtime_config"]["gcs_output_directory"].rstrip("/")
    return f"{folder}/{run.scope.account}/{run.id}"


def succeeded(run: Run, record: Document) -> None:
    """The container has ended well: read what it has written. Raises OutputProblem."""

    def read(path: str) -> bytes | None:
        try:
            return gcs.read(run.world, path.replace("/gcs/", "gs://", 1) if path.startswith("/gcs/") else path)
        except gcs.GcsError:
            return None

    outputs = executor.collect(run.component(record), executor_input(run, record), read)
    ends.finish(run, record, "SUCCEEDED", outputs=outputs)


def _wait(run: Run, record: Document) -> None:
    """Hear of the CustomJob; it may have ended already."""
    name = record["_custom_job"]
    run.room.waiting["CustomJob", name] = (run.name, record["_path"])
    try:
        job = run.world.call(run.scope, "JobService.GetCustomJob", {"name": name})
    except GoogleError as error:
        failed(run, record, error.status())
        return
    heard(run, record, job)


def _looked(run: Run, record: Document, look: launching.Look) -> None:
    if look.error is not None:
        failed(run, record, ends.status(ends.PRECONDITION, look.error))
    elif look.done:
        succeeded(run, record)


def _settled(run: Run, record: Document, job: Document) -> None:
    state = job["state"]
    if state == "JOB_STATE_SUCCEEDED":
        succeeded(run, record)
    elif state == "JOB_STATE_CANCELLED":
        error = job.get("error") or ends.status(ends.CANCELLED, "The CustomJob was cancelled.")
        ends.finish(run, record, "CANCELLED", error=error)
    else:
        failed(run, record, job.get("error") or ends.status(ends.PRECONDITION, f"The CustomJob ended as {state}."))


def _import(run: Run, record: Document, importer: Importer) -> None:
    """Let an artifact stand for what lies at a URI; without `reimport` one that was imported before (ImporterSpec)."""
    component = run.component(record)
    artifact = dict(flow.importer_artifact(importer, values_of(record["_inputs"])))
    text = json.dumps([artifact.get("uri"), artifact.get("type"), artifact.get("metadata")], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()
    table = run.world.table(records.IMPORTS, run.scope)
    known = table.get(key)
    if known is None or importer.reimport:
        artifact["name"] = lineage.new_artifact_name(run)
        known = table.put(key, artifact)
    outputs = {name: (dict(known),) for name in component.output_artifacts}
    ends.finish(run, record, "SUCCEEDED", outputs=flow.Values(parameters={}, artifacts=outputs))
