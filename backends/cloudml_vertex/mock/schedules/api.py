"""ScheduleService: create, get, list, update, pause, resume and delete schedules."""

from __future__ import annotations

from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import labels, lro, masks, names
from cloudml_vertex.mock.core.errors import failed_precondition, field_violations, invalid, not_executed, not_found
from cloudml_vertex.mock.core.filters import MISSING
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, Document, rpc
from cloudml_vertex.mock.core.times import seconds
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.schedules import cron
from cloudml_vertex.mock.schedules.timers import KIND, REQUESTS, timers_of

PATTERN = "projects/*/locations/*/schedules/*"

CHANGEABLE = frozenset(
    {
        "display_name", "cron", "start_time", "end_time", "max_run_count", "max_concurrent_run_count",
        "max_concurrent_active_run_count", "allow_queueing", *REQUESTS,
    }
)  # fmt: skip
"""What UpdateSchedule may change; all else is output only, and ignored."""

_OUTPUT_ONLY = frozenset(
    {
        "name", "started_run_count", "state", "create_time", "update_time", "next_run_time", "last_pause_time",
        "last_resume_time", "catch_up", "last_scheduled_run_response",
    }
)  # fmt: skip


def _there(field: str) -> Any:
    return lambda row: row.get(field, MISSING)


FILTERS: dict[str, Any] = {
    "display_name": "display_name",
    "state": "state",
    "create_time": "create_time",
    "start_time": "start_time",
    "end_time": _there("end_time"),
    "next_run_time": "next_run_time",
    **{field: _there(field) for field in (*REQUESTS, "create_notebook_execution_job_request")},
}
"""ListSchedulesRequest.filter."""


@rpc("ScheduleService.CreateSchedule", executes="starts runs at the times of its cron expression")
def create_schedule(call: Call) -> Document:
    """Create a schedule; it is ACTIVE at once."""
    names.parse(call.parent, "projects/*/locations/*")
    given = call.params["schedule"]
    document = {key: value for key, value in given.items() if key not in _OUTPUT_ONLY}
    _check(call, document)
    name = names.child(call.parent, "schedules", names.new_id(call.world, KIND))
    document.update(name=name, create_time=call.stamp, update_time=call.stamp)
    document.setdefault("start_time", call.stamp)
    table = call.table(KIND)
    table.put(name, document)
    call.world.change(table, name, "state", "ACTIVE")
    _plan(call, document)
    return dict(document)


@rpc("ScheduleService.GetSchedule")
def get_schedule(call: Call) -> Document:
    """A schedule."""
    return dict(_found(call))


@rpc("ScheduleService.ListSchedules")
def list_schedules(call: Call) -> Document:
    """Schedules of a location, the newest first."""
    order = {field: field for field in ("create_time", "start_time", "end_time", "next_run_time")}
    return listed(call, call.table(KIND), "schedules", filters=FILTERS, order=order)


@rpc("ScheduleService.UpdateSchedule", executes="new runs follow the schedule as updated; those that wait are skipped")
def update_schedule(call: Call) -> Document:
    """Change an active or paused schedule."""
    document, patch = _found(call), call.params["schedule"]
    if document["state"] == "COMPLETED":
        raise failed_precondition(f"The Schedule {call.name} is completed and cannot be updated.")
    paths = [path for path in call.params.get("update_mask") or () if path not in _OUTPUT_ONLY]
    changed = masks.apply(document, patch, paths or None, CHANGEABLE)
    if _requests(changed) != _requests(document):
        raise invalid("schedule: the type of the scheduled request cannot be changed.")
    gone = [field for field in CHANGEABLE if field in document and field not in changed and field != "allow_queueing"]
    if gone:
        raise invalid(f"schedule: {', '.join(sorted(gone))} cannot be unset.")
    _check(call, changed)
    document.clear()
    document.update(changed, update_time=call.stamp, _queue=[])
    call.table(KIND).put(call.name, document)
    if document["state"] == "ACTIVE":
        _plan(call, document)
        if document.get("started_run_count", 0) >= document.get("max_run_count", 2**63):
            timers_of(call.world).complete(call.scope, call.name)
    return dict(document)


@rpc("ScheduleService.PauseSchedule", executes="no new runs; those that were started go on")
def pause_schedule(call: Call) -> None:
    """Pause an active schedule."""
    document = _found(call)
    if document["state"] == "COMPLETED":
        raise failed_precondition(f"The Schedule {call.name} is completed and cannot be paused.")
    if document["state"] == "ACTIVE":
        timers_of(call.world).stop(call.name)
        document.pop("next_run_time", None)
        table = call.table(KIND)
        call.world.change(table, call.name, "state", "PAUSED", last_pause_time=call.stamp, update_time=call.stamp)


@rpc("ScheduleService.ResumeSchedule", executes="with catch_up the runs that were missed are made up for")
def resume_schedule(call: Call) -> None:
    """Let a paused schedule go on."""
    document, world = _found(call), call.world
    if document["state"] != "PAUSED":
        raise failed_precondition(f"The Schedule {call.name} is {document['state']}: only a paused one can be resumed.")
    catch_up = bool(call.params.get("catch_up"))
    missed = _missed(document, call.now)
    change = {"last_resume_time": call.stamp, "update_time": call.stamp, "catch_up": catch_up}
    world.change(call.table(KIND), call.name, "state", "ACTIVE", **change)
    timers = timers_of(world)
    begin = max(call.now, seconds(document["start_time"]))
    timers.plan(call.scope, call.name, begin)
    if catch_up:
        document["_queue"] = [*document.get("_queue", ()), *missed]
    if document.get("_queue"):
        timers.fire(call.scope, call.name, [])


@rpc("ScheduleService.DeleteSchedule", executes="no new runs; those that were started go on")
def delete_schedule(call: Call) -> Document:
    """Delete a schedule in any state."""
    _found(call)
    arguments = {"scope": [call.scope.account, call.scope.region], "name": call.name}
    work = ("schedule.delete", arguments)
    return lro.begin(call, on=call.name, metadata="DeleteOperationMetadata", response="Empty", work=work)


def deleted(world: World, _: str, arguments: Document) -> None:
    """The work of DeleteSchedule."""
    with world.lock:
        timers_of(world).stop(arguments["name"])
        world.table(KIND, Scope(*arguments["scope"])).delete(arguments["name"])


def _found(call: Call) -> Document:
    names.parse(call.name, PATTERN)
    document = call.table(KIND).get(call.name)
    if document is None:
        raise not_found(call.name)
    return document


def _plan(call: Call, document: Document) -> None:
    start = seconds(document["start_time"])
    inclusive = call.world.switches["schedule-start"] == "inclusive" and start > call.now
    timers_of(call.world).plan(call.scope, document["name"], max(start, call.now), inclusive=inclusive)


def _missed(document: Document, now: float) -> list[float]:
    """The times since the pause, before the schedule's end."""
    first = document.get("_next")
    if first is None or first > now:
        return []
    end = seconds(document["end_time"]) if "end_time" in document else now
    return [first, *cron.parse(document["cron"]).between(first, now)] if first <= end else []


def _requests(document: Document) -> set[str]:
    return {field for field in (*REQUESTS, "create_notebook_execution_job_request") if field in document}


def _check(call: Call, document: Document) -> None:
    """Raises INVALID_ARGUMENT."""
    labels.display_name(document.get("display_name"), "schedule.display_name")
    requests = _requests(document)
    if "cron" not in document or len(requests) != 1:
        raise invalid("schedule: a cron expression and one request are required.")
    if requests == {"create_notebook_execution_job_request"}:
        raise not_executed("a notebook", "schedule a pipeline")
    cron.parse(document["cron"])
    _check_limits(document)
    field = requests.pop()
    request = document[field]
    parent = names.canonical(call.world, request.get("parent", ""))
    if (
        parent != f"projects/{call.scope.account}/locations/{call.scope.region}"
        and field == "create_pipeline_job_request"
    ):
        raise invalid(f"schedule.{field}.parent: the schedule's own location is required, and it is {parent!r}.")
    if field == "create_pipeline_job_request":
        # The rules are those of the pipelines' room, which puts them there.
        call.world.rooms["pipeline-requests"](call.world, call.scope, request)


def _check_limits(document: Document) -> None:
    counts = {
        "max_concurrent_run_count": document.get("max_concurrent_run_count", 0) >= 1,
        "max_concurrent_active_run_count": document.get("max_concurrent_active_run_count", 0) >= 0,
        "max_run_count": document.get("max_run_count", 0) >= 0,
    }
    problems = [(f"schedule.{field}", "it must be positive") for field, fits in counts.items() if not fits]
    if document.get("max_concurrent_active_run_count") and "create_pipeline_job_request" not in document:
        problems.append(("schedule.max_concurrent_active_run_count", "only pipelines have it"))
    start, end = document.get("start_time"), document.get("end_time")
    if end is not None and start is not None and seconds(end) <= seconds(start):
        problems.append(("schedule.end_time", "it must be after start_time"))
    if problems:
        raise field_violations(problems)
