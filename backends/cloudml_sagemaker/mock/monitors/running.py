"""One execution of a monitoring schedule: its data, its processing job, what that found."""

from __future__ import annotations

import json
import logging
from typing import Any

from cloudml.mocks.bus import Change
from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.monitors import alerts, captured, timers, times
from cloudml_sagemaker.mock.monitors.analysis import Analysis, endpoint, extras, report_uri, request, resolve

log = logging.getLogger(__name__)

SCHEDULES = "MonitoringSchedule"
EXECUTIONS = "MonitoringExecution"
JOBS = "_MonitoringJob"
"""Processing jobs of executions: which execution each belongs to."""
STATUS = "MonitoringExecutionStatus"
SCHEDULE_STATUS = "MonitoringScheduleStatus"

VIOLATIONS = ("constraint_violations.json", "constraints_violations.json")
"""The report of violations, as the prebuilt container writes it and as the page on own containers spells it."""

ENDED = frozenset({"Completed", "CompletedWithViolations", "Failed", "Stopped"})


class EndpointGone(Exception):
    """The endpoint, or its data capture, is no more; the text says so."""


def enter(world: World, scope: Scope, schedule: Document, scheduled: float, rhythm: times.Rhythm) -> None:
    """Make the record of an execution, Pending, and begin it. Needs the lock."""
    name, config = schedule["MonitoringScheduleName"], schedule["MonitoringScheduleConfig"]
    key = f"{name}/{times.iso(scheduled)}/{world.unique(EXECUTIONS)}"
    document: Document = {
        "MonitoringScheduleName": name,
        "ScheduledTime": scheduled,
        "CreationTime": world.now(),
        "LastModifiedTime": world.now(),
        "MonitoringType": config["MonitoringType"],
        "_config": config,
        "_period": rhythm.hours,
    }
    for member, value in (
        ("EndpointName", schedule.get("EndpointName")),
        ("MonitoringJobDefinitionName", config.get("MonitoringJobDefinitionName")),
    ):
        if value:
            document[member] = value
    world.table(EXECUTIONS, scope).put(key, document)
    _change(world, scope, key, "Pending")
    begin(world, scope, key)


def begin(world: World, scope: Scope, key: str) -> None:
    """Let a worker start the execution's job."""
    world.workers.submit(lambda: _start(world, scope, key), f"monitoring execution {key}")


def _start(world: World, scope: Scope, key: str) -> None:
    with world.lock:
        document = world.table(EXECUTIONS, scope)[key]
    try:
        made = _request(world, scope, document)
        name = made["ProcessingJobName"]
        with world.lock:
            world.table(JOBS, scope).put(name, {"execution": key, "type": document["MonitoringType"]})
            arn = world.call(scope, "CreateProcessingJob", made)["ProcessingJobArn"]
            _change(world, scope, key, "InProgress", ProcessingJobArn=arn, _job=name)
    except EndpointGone as gone:
        _change(world, scope, key, "Failed", FailureReason=str(gone))
        _suspend(world, scope, document["MonitoringScheduleName"], str(gone))
    except (captured.NoData, s3.S3Error) as problem:
        _change(world, scope, key, "Failed", FailureReason=str(problem))
    except AwsError as error:
        _change(world, scope, key, "Failed", FailureReason=f"ClientError: {error.message}")
    except Exception as error:
        log.exception("monitoring execution %s failed inside the mock", key)
        _change(world, scope, key, "Failed", FailureReason=f"InternalServerError: {type(error).__name__}: {error}")


def _suspend(world: World, scope: Scope, name: str, reason: str) -> None:
    """The schedule cannot go on: no more executions until it is updated or started."""
    with world.lock:
        table = world.table(SCHEDULES, scope)
        if name in table:
            timers.disarm(world, scope, name)
            now = world.now()
            world.change(table, name, SCHEDULE_STATUS, "Failed", FailureReason=reason, LastModifiedTime=now, _due=None)


def _request(world: World, scope: Scope, document: Document) -> Document:
    """The processing job of an execution. Raises NoData, EndpointGone, S3Error, AwsError."""
    config = document["_config"]
    analysis = resolve(world, scope, config)
    schedule, scheduled = document["MonitoringScheduleName"], document["ScheduledTime"]
    told = config.get("ScheduleConfig") or {}
    window = times.window(
        scheduled,
        times.Rhythm(None, document["_period"]),
        told.get("DataAnalysisStartTime") or analysis.source.get("StartTimeOffset"),
        told.get("DataAnalysisEndTime") or analysis.source.get("EndTimeOffset"),
    )
    others = extras(world, scope, analysis)
    room = captured.room_beside(others[0])
    if not analysis.is_endpoint:
        data = captured.of_batch(world, scope, analysis, window, room)
    elif analysis.ground_truth is None:
        destination = _destination(world, scope, analysis)
        data = captured.of_endpoint(world, scope, analysis, destination, window, room)
    else:
        target = report_uri(analysis, schedule, scheduled)
        target = f"{analysis.output['S3Uri'].rstrip('/')}/merge{target[len(analysis.output['S3Uri'].rstrip('/')) :]}"
        destination = _destination(world, scope, analysis)
        data = captured.merged(world, scope, analysis, destination, window, scheduled=scheduled, target=target)
    token = world.unique("MonitoringJob")
    return request(analysis, data, others, schedule=schedule, scheduled=scheduled, window=window, token=token)


def _destination(world: World, scope: Scope, analysis: Analysis) -> str:
    name = analysis.source["EndpointName"]
    described = endpoint(world, scope, name)
    if described is None:
        raise EndpointGone(f"Endpoint {name} does not exist.")
    config = described.get("DataCaptureConfig")
    if not config:
        raise EndpointGone(f"Data capture is not enabled for endpoint {name}.")
    return str(config["DestinationS3Uri"])


def follow(world: World, change: Change) -> None:
    """On the bus: a processing job has changed; if it is an execution's, so has that."""
    with world.lock:
        known = world.table(JOBS, change.scope).get(change.name)
        if known is None:
            return
        document = world.table(EXECUTIONS, change.scope).get(known["execution"])
        if document is None or document[STATUS] in ENDED:
            return
    if change.after == "Completed":
        key = known["execution"]
        world.workers.submit(lambda: _finish(world, change.scope, key), f"monitoring execution {key}")
    elif change.after in {"Failed", "Stopped", "Stopping"}:
        reason = change.document.get("FailureReason")
        updates = {"FailureReason": reason} if reason and change.after == "Failed" else {}
        _change(world, change.scope, known["execution"], change.after, **updates)


def _finish(world: World, scope: Scope, key: str) -> None:
    """The job has completed: with violations or without."""
    with world.lock:
        document = world.table(EXECUTIONS, scope)[key]
    try:
        job = world.call(scope, "DescribeProcessingJob", {"ProcessingJobName": document["_job"]})
    except AwsError as error:  # deleted meanwhile, and its report cannot be found
        _change(world, scope, key, "Failed", FailureReason=f"ClientError: {error.message}")
        return
    found = job.get("ExitMessage", "").startswith("CompletedWithViolations") or _violated(world, scope, job)
    _change(world, scope, key, "CompletedWithViolations" if found else "Completed")


def _violated(world: World, scope: Scope, job: Document) -> bool:
    base = job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"].rstrip("/")
    for name in VIOLATIONS:
        try:
            report = json.loads(s3.read(world, scope, f"{base}/{name}"))
        except s3.S3Missing:
            continue
        except ValueError:
            log.warning("%s/%s is not JSON", base, name)
            continue
        if isinstance(report, dict) and report.get("violations"):
            return True
    return False


def _change(world: World, scope: Scope, key: str, status: str, **updates: Any) -> None:
    """The execution's status has changed, and with it what its schedule tells of the last one."""
    if "FailureReason" in updates:
        updates["FailureReason"] = updates["FailureReason"][:1024]
    with world.lock:
        table = world.table(EXECUTIONS, scope)
        document = world.change(table, key, STATUS, status, LastModifiedTime=world.now(), **updates)
        schedules = world.table(SCHEDULES, scope)
        schedule = schedules.get(document["MonitoringScheduleName"])
        if schedule is None:
            return
        last = schedule.get("LastMonitoringExecutionSummary")
        if last is None or last["CreationTime"] <= document["CreationTime"]:
            shown = {name: value for name, value in document.items() if not name.startswith("_")}
            schedule["LastMonitoringExecutionSummary"] = shown
            schedules.put(document["MonitoringScheduleName"], schedule)
        if status in ENDED:
            alerts.evaluate(world, scope, document["MonitoringScheduleName"])


def resume(world: World) -> None:
    """Go on with what a store from before holds unfinished. Needs the lock."""
    for table in world.store.tables(EXECUTIONS):
        for key, document in table.items():
            if document[STATUS] == "Pending":
                begin(world, table.scope, key)
            elif document[STATUS] not in ENDED:
                _catch_up(world, table.scope, key, document)


def _catch_up(world: World, scope: Scope, key: str, document: Document) -> None:
    """The job may have ended just before the mock did; one that goes on tells of itself."""
    job = world.table("ProcessingJob", scope).get(document["_job"])
    status = job["ProcessingJobStatus"] if job is not None else "Failed"
    if status == "Completed":
        world.workers.submit(lambda: _finish(world, scope, key), f"monitoring execution {key}")
    elif status in {"Failed", "Stopped"}:
        reason = (job or {}).get("FailureReason")
        _change(world, scope, key, status, **({"FailureReason": reason} if reason else {}))
