"""PipelineService: create, get, list, cancel and delete pipeline jobs."""

from __future__ import annotations

from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import lro, names
from cloudml_vertex.mock.core.errors import already_exists, failed_precondition, not_found
from cloudml_vertex.mock.core.filters import MISSING
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, Document, rpc
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.pipelines import engine, records, requests, rerun
from cloudml_vertex.mock.pipelines.room import room_of

PATTERN = "projects/*/locations/*/pipelineJobs/*"

_TIMES = ("create_time", "update_time", "end_time", "start_time")

SCHEDULE = "_schedule"
"""In `World.rooms`: what the schedule that is starting a job says of itself, for as long as it calls Create."""


def _or_missing(*path: str) -> Any:
    """A filter's field that the path leads to in a job's document."""

    def read(job: Document) -> Any:
        value: Any = job
        for part in path:
            value = value.get(part, MISSING) if isinstance(value, dict) else MISSING
        return value

    return read


FILTERS: dict[str, Any] = {
    "pipeline_name": _or_missing("_pipeline"),
    "display_name": "display_name",
    "pipeline_job_user_id": lambda job: names.id_of(job["name"]),
    "state": "state",
    "create_time": "create_time",
    "update_time": "update_time",
    "end_time": "end_time",
    "labels": "labels",
    "template_uri": "template_uri",
    "template_metadata.version": _or_missing("template_metadata", "version"),
    "schedule_name": "schedule_name",
}
"""ListPipelineJobsRequest.filter; `schedule_name` is what Google's SDK asks for (PipelineJobSchedule.list_jobs)."""


@rpc("PipelineService.CreatePipelineJob", executes="runs the pipeline: each task's container as a CustomJob")
def create_pipeline_job(call: Call) -> Document:
    """Create a job; it begins at once."""
    world, params = call.world, dict(call.params)
    names.parse(call.parent, "projects/*/locations/*")
    table = call.table(records.JOBS)
    params["pipeline_job"], again = _repeated(call)
    job = requests.check_request(world, call.scope, params)
    identifier = params.get("pipeline_job_id") or requests.new_id(
        world, job["_pipeline"], lambda one: names.child(call.parent, "pipelineJobs", one) in table
    )
    name = names.child(call.parent, "pipelineJobs", identifier)
    if name in table:
        raise already_exists(f"The PipelineJob {name} already exists.")
    number = world.unique_number("pipeline-job")
    room = room_of(world)
    state = _first_state(world, call.scope)
    job.update(
        name=name, create_time=call.stamp, update_time=call.stamp, labels=requests.labelled(job, number), _uuid=number
    )
    job.update(world.rooms.get(SCHEDULE) or {})
    if again is not None:
        job["_rerun"] = again
    table.put(name, job)
    world.change(table, name, "state", state)
    if state == "PIPELINE_STATE_PENDING":
        run = room.run(call.scope, name)
        if run is not None:
            # At once, and told: the SDK's `submit(experiment=...)` gives up on a job that has ended before it knows the
            # context, and jobs end sooner here than on Vertex AI.
            engine.announce(run)
        room.driver.begin(call.scope, name)
    return dict(table[name])


@rpc("PipelineService.GetPipelineJob")
def get_pipeline_job(call: Call) -> Document:
    """A job with the details of its tasks."""
    return records.in_full(call.world, room_of(call.world).index, call.scope, found(call, call.name))


@rpc("PipelineService.ListPipelineJobs")
def list_pipeline_jobs(call: Call) -> Document:
    """Jobs of a location, the newest first, without details of tasks."""
    rows = (records.in_list(job) for job in call.table(records.JOBS))
    order = {field: field for field in _TIMES}
    return listed(call, rows, "pipeline_jobs", filters=FILTERS, order=order)


@rpc("PipelineService.CancelPipelineJob", executes="stops the containers that are running (SIGTERM)")
def cancel_pipeline_job(call: Call) -> None:
    """Begin to cancel a job: best effort."""
    job = found(call, call.name)
    if job["state"] in records.OVER:
        if call.world.switches["cancel-ended-pipeline"] == "refuse":
            raise failed_precondition(f"The PipelineJob {call.name} is in the state {job['state']}.")
        return
    begin_cancel(call.world, call.scope, job)


@rpc("PipelineService.DeletePipelineJob")
def delete_pipeline_job(call: Call) -> Document:
    """Delete a job that has ended."""
    job = found(call, call.name)
    deletable(job)
    where = [call.scope.account, call.scope.region]
    return lro.begin(
        call,
        on=call.name,
        metadata="DeleteOperationMetadata",
        response="Empty",
        work=("pipeline-job.delete", {"scope": where, "name": call.name}),
    )


def found(call: Call, name: str) -> Document:
    """The job's document. Raises INVALID_ARGUMENT, NOT_FOUND."""
    names.parse(name, PATTERN)
    job = call.table(records.JOBS).get(name)
    if job is None:
        raise not_found(name)
    return job


def deletable(job: Document) -> None:
    """Raises FAILED_PRECONDITION for a job that has not ended."""
    if job["state"] not in records.OVER:
        raise failed_precondition(
            f"The PipelineJob {job['name']} is in the state {job['state']}: it must be cancelled, or end, "
            "before it can be deleted."
        )


def begin_cancel(world: World, scope: Scope, job: Document) -> None:
    """Bring a job that has not ended to CANCELLING, one that is QUEUED to CANCELLED."""
    table, name = world.table(records.JOBS, scope), job["name"]
    if job["state"] == "PIPELINE_STATE_QUEUED":
        error = {"code": 1, "message": f"The PipelineJob {name} was cancelled."}
        ends = {"end_time": world.stamp(), "update_time": world.stamp(), "error": error}
        world.change(table, name, "state", "PIPELINE_STATE_CANCELLED", **ends)
    elif job["state"] != "PIPELINE_STATE_CANCELLING":
        world.change(table, name, "state", "PIPELINE_STATE_CANCELLING", update_time=world.stamp())
        room_of(world).driver.cancel(scope, name)


def remove(world: World, scope: Scope, name: str) -> None:
    """Forget a job and its tasks; what they left in ML Metadata and Cloud Storage stays. Needs the lock."""
    room_of(world).index.forget(world.table(records.TASKS, scope), name)
    world.table(records.JOBS, scope).delete(name)


def deleted(world: World, _: str, arguments: Document) -> None:
    """The work of DeletePipelineJob."""
    with world.lock:
        remove(world, Scope(*arguments["scope"]), arguments["name"])


def _first_state(world: World, scope: Scope) -> str:
    limit = world.switches["pipelines-at-once"]
    live = (
        sum(1 for job in world.table(records.JOBS, scope) if job["state"] in records.LIVE) if limit[0].isdigit() else 0
    )
    return "PIPELINE_STATE_QUEUED" if limit[0].isdigit() and live >= int(limit) else "PIPELINE_STATE_PENDING"


def _repeated(call: Call) -> tuple[Document, Document | None]:
    """The job as asked for, with what a rerun takes from its original; and what is kept of that."""
    given = dict(call.params["pipeline_job"])
    source = rerun.original(call.world, call.scope, given)
    if source is None:
        return given, None
    if not given.get("pipeline_spec"):
        given["pipeline_spec"] = source["pipeline_spec"]
    config = {**source["runtime_config"], **given.get("runtime_config", {})}
    given["runtime_config"] = config
    tasks = room_of(call.world).index.of(call.table(records.TASKS), source["name"])
    return given, {"job": source["name"], "configs": rerun.configs(given, tasks)}
