"""Monitoring schedules: create, update, describe, list, start, stop, delete; and the timer of each."""

from __future__ import annotations

import hashlib

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core import roles, tags
from cloudml_sagemaker.mock.core.errors import in_use, not_found, validation
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.jobs import rules
from cloudml_sagemaker.mock.monitors import alerts, running, timers, times
from cloudml_sagemaker.mock.monitors.analysis import Analysis, endpoint, resolve
from cloudml_sagemaker.mock.monitors.definitions import (
    DATA_QUALITY,
    KINDS,
    MERGED,
    check_output,
    check_source,
    existing,
)
from cloudml_sagemaker.mock.monitors.running import SCHEDULE_STATUS as STATUS
from cloudml_sagemaker.mock.monitors.running import SCHEDULES

LONGEST_DELAY = 20 * 60
"""Seconds (developer guide, "The cron expression for monitoring schedule")."""

_DEFINITIONS = ("MonitoringJobDefinition", "MonitoringJobDefinitionName")


@operation("CreateMonitoringSchedule", executes="runs the analysis container on captured data, by the mock's clock")
def create_monitoring_schedule(call: Call) -> Parameters:
    """Check, keep as Pending, and set the first time."""
    name = call.params["MonitoringScheduleName"]
    table = call.table(SCHEDULES)
    arn = call.arn(f"monitoring-schedule/{name.lower()}")
    if name in table:
        raise in_use(f"Monitoring Schedule with name {name} already exists ({arn}).")
    config = _config(call)
    analysis = _check(call, config)
    tags.attach(call, arn)
    document: Document = {
        "MonitoringScheduleArn": arn,
        "MonitoringScheduleName": name,
        "MonitoringScheduleConfig": config,
        "MonitoringType": config["MonitoringType"],
        "CreationTime": call.now,
        "LastModifiedTime": call.now,
        **_endpoint(analysis),
    }
    table.put(name, document)
    call.world.change(table, name, STATUS, "Pending")
    alerts.enter(call, name)
    _begin(call, name)
    return {"MonitoringScheduleArn": arn}


@operation("UpdateMonitoringSchedule", executes="runs by the new configuration from now on")
def update_monitoring_schedule(call: Call) -> Parameters:
    """Another configuration, and times from now on."""
    document = found(call)
    name, config = document["MonitoringScheduleName"], _config(call)
    analysis = _check(call, config)
    document.pop("EndpointName", None)
    document.pop("FailureReason", None)
    document.update(
        MonitoringScheduleConfig=config,
        MonitoringType=config["MonitoringType"],
        LastModifiedTime=call.now,
        **_endpoint(analysis),
    )
    call.world.change(call.table(SCHEDULES), name, STATUS, "Pending")
    _begin(call, name)
    return {"MonitoringScheduleArn": document["MonitoringScheduleArn"]}


@operation("DescribeMonitoringSchedule")
def describe_monitoring_schedule(call: Call) -> Parameters:
    """The document with the last execution."""
    return found(call)


@operation("StartMonitoringSchedule", executes="sets the schedule's timer again")
def start_monitoring_schedule(call: Call) -> None:
    """Go on; a schedule that runs is left as it is."""
    document = found(call)
    if document[STATUS] in {"Stopped", "Failed"}:
        document.pop("FailureReason", None)
        document["LastModifiedTime"] = call.now
        _begin(call, document["MonitoringScheduleName"])


@operation("StopMonitoringSchedule", executes="takes the schedule's timer away; a running execution goes on")
def stop_monitoring_schedule(call: Call) -> None:
    """No more executions."""
    document = found(call)
    name = document["MonitoringScheduleName"]
    timers.disarm(call.world, call.scope, name)
    if document[STATUS] != "Stopped":
        call.world.change(call.table(SCHEDULES), name, STATUS, "Stopped", LastModifiedTime=call.now, _due=None)


@operation("DeleteMonitoringSchedule", executes="takes the schedule's timer away; the executions stay listed")
def delete_monitoring_schedule(call: Call) -> None:
    """Stop and forget it; its history stays (API reference)."""
    document = found(call)
    name = document["MonitoringScheduleName"]
    timers.disarm(call.world, call.scope, name)
    tags.detach(call, document["MonitoringScheduleArn"])
    alerts.remove(call, name)
    call.table(SCHEDULES).delete(name)


@operation("ListMonitoringSchedules")
def list_monitoring_schedules(call: Call) -> Parameters:
    """By endpoint, definition, type, status, name and times."""
    wanted = {
        "EndpointName": call.params.get("EndpointName"),
        "MonitoringJobDefinitionName": call.params.get("MonitoringJobDefinitionName"),
        "MonitoringType": call.params.get("MonitoringTypeEquals"),
    }
    rows = [_summary(row) for row in call.table(SCHEDULES)]
    rows = [row for row in rows if all(value is None or row.get(key) == value for key, value in wanted.items())]
    return listed(call, rows, "MonitoringScheduleSummaries", name="MonitoringScheduleName", status=STATUS)


def _summary(row: Document) -> Document:
    definition = row["MonitoringScheduleConfig"].get("MonitoringJobDefinitionName")
    return {**row, **({"MonitoringJobDefinitionName": definition} if definition else {})}


def found(call: Call) -> Document:
    """The schedule of the request. Raises ResourceNotFound."""
    name = call.params["MonitoringScheduleName"]
    document = call.table(SCHEDULES).get(name)
    if document is None:
        raise not_found(f"Monitoring Schedule with name {name} does not exist.")
    return document


def _config(call: Call) -> Document:
    """The request's configuration with its MonitoringType. Raises ValidationException."""
    config: Document = dict(call.params["MonitoringScheduleConfig"])
    if rules.only_one(config, _DEFINITIONS, "MonitoringScheduleConfig") == "MonitoringJobDefinitionName":
        if "MonitoringType" not in config:
            raise validation("MonitoringType is required with a MonitoringJobDefinitionName.")
        existing(call, KINDS[config["MonitoringType"]], config["MonitoringJobDefinitionName"])
    else:
        config.setdefault("MonitoringType", DATA_QUALITY)
        given = config["MonitoringJobDefinition"]
        check_source(given["MonitoringInputs"][0], "MonitoringInputs")
        check_output(given["MonitoringOutputConfig"], "MonitoringOutputConfig")
        if config["MonitoringType"] in MERGED:
            raise validation(f"A schedule of type {config['MonitoringType']} needs a MonitoringJobDefinitionName.")
        roles.check(call, given["RoleArn"])
    _check_times(config.get("ScheduleConfig") or {})
    return config


def _check_times(config: Document) -> None:
    start, end = config.get("DataAnalysisStartTime"), config.get("DataAnalysisEndTime")
    try:
        times.rhythm(config.get("ScheduleExpression"))
        offsets = [times.offset(text) for text in (start, end) if text]
    except times.BadTime as error:
        raise validation(str(error)) from None
    if config.get("ScheduleExpression") == "NOW" and not (start and end):
        raise validation("DataAnalysisStartTime and DataAnalysisEndTime are required when ScheduleExpression is NOW.")
    if start and end and not 0 < offsets[1] - offsets[0] <= times.DAY:
        raise validation("The window of DataAnalysisStartTime and DataAnalysisEndTime must be 24 hours at most.")


def _check(call: Call, config: Document) -> Analysis:
    """The endpoint must be there, and capture. Raises ValidationException."""
    analysis = resolve(call.world, call.scope, config)
    if analysis.is_endpoint:
        name = analysis.source["EndpointName"]
        described = endpoint(call.world, call.scope, name)
        if described is None:
            raise validation(f'Could not find endpoint "{call.arn(f"endpoint/{name.lower()}")}".')
        if not (described.get("DataCaptureConfig") or {}).get("EnableCapture"):
            raise validation(f"Data capture is not enabled for endpoint {name}.")
    return analysis


def _endpoint(analysis: Analysis) -> Document:
    return {"EndpointName": analysis.source["EndpointName"]} if analysis.is_endpoint else {}


def _begin(call: Call, name: str) -> None:
    """Find the first time, and become Scheduled as soon as the request is answered."""
    world, scope = call.world, call.scope
    document = call.table(SCHEDULES)[name]
    rhythm = _rhythm(document)
    anchor = rhythm.anchor(call.now)
    document.update(_anchor=anchor, _due=rhythm.next(anchor, anchor - 1))
    call.table(SCHEDULES).put(name, document)
    _soon(world, scope, name)


def _soon(world: World, scope: Scope, name: str) -> None:
    world.workers.submit(lambda: _scheduled(world, scope, name), f"monitoring schedule {name}")


def _scheduled(world: World, scope: Scope, name: str) -> None:
    with world.lock:
        table = world.table(SCHEDULES, scope)
        document = table.get(name)
        if document is not None and document.get("_due") is not None:
            if document[STATUS] != "Scheduled":
                world.change(table, name, STATUS, "Scheduled")
            arm(world, scope, name)


def _rhythm(document: Document) -> times.Rhythm:
    return times.rhythm((document["MonitoringScheduleConfig"].get("ScheduleConfig") or {}).get("ScheduleExpression"))


def arm(world: World, scope: Scope, name: str) -> None:
    """Set the timer of the time that is due next. Needs the lock."""
    due = world.table(SCHEDULES, scope)[name].get("_due")
    if due is None:
        timers.disarm(world, scope, name)
    else:
        timers.arm(world, scope, name, due + _delay(world, name), lambda: _fall_due(world, scope, name))


def _delay(world: World, name: str) -> float:
    if world.switches["monitor-delay"] == "none":
        return 0.0
    return float(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % LONGEST_DELAY)


def _fall_due(world: World, scope: Scope, name: str) -> None:
    """On the clock: enter the execution, set the next time."""
    with world.lock:
        table = world.table(SCHEDULES, scope)
        document = table.get(name)
        if document is None or document[STATUS] != "Scheduled" or document.get("_due") is None:
            return
        scheduled: float = document["_due"]
        rhythm = _rhythm(document)
        # After a time in which nothing ran, one execution makes up for all that were missed.
        document["_due"] = rhythm.next(document["_anchor"], max(scheduled, world.now()))
        table.put(name, document)
        arm(world, scope, name)
        running.enter(world, scope, document, scheduled, rhythm)


def resume(world: World) -> None:
    """Set the timers of a store from before. Needs the lock."""
    for table in world.store.tables(SCHEDULES):
        for name, document in table.items():
            if document.get("_due") is not None:
                _soon(world, table.scope, name)
