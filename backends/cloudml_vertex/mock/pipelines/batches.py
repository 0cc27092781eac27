"""BatchDeletePipelineJobs and BatchCancelPipelineJobs: up to 32 jobs, all or none."""

from __future__ import annotations

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import lro, names
from cloudml_vertex.mock.core.errors import GoogleError, invalid
from cloudml_vertex.mock.core.operations import Call, Document, rpc
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.pipelines import api, records

MOST = 32
"""Jobs in one request (BatchDeletePipelineJobsRequest.names)."""

_POLL, _PATIENCE = 0.05, 60.0
"""Real seconds: between two looks at the jobs that are being cancelled, and in all."""


@rpc("PipelineService.BatchDeletePipelineJobs")
def batch_delete_pipeline_jobs(call: Call) -> Document:
    """Delete jobs: "The Operation is atomic"."""
    for job in _jobs(call):
        api.deletable(job)
    return _begin(call, "DeletePipelineJobs")


@rpc("PipelineService.BatchCancelPipelineJobs", executes="stops the containers that are running (SIGTERM)")
def batch_cancel_pipeline_jobs(call: Call) -> Document:
    """Cancel jobs; those that have ended are passed over."""
    _jobs(call)
    return _begin(call, "CancelPipelineJobs")


def deleted(world: World, _: str, arguments: Document) -> Document:
    """The work of BatchDeletePipelineJobs."""
    scope = Scope(*arguments["scope"])
    with world.lock:
        table = world.table(records.JOBS, scope)
        gone = [table[name] for name in arguments["names"] if name in table]
        for job in gone:
            api.deletable(job)
        for job in gone:
            api.remove(world, scope, job["name"])
    return {"pipeline_jobs": [records.public(records.in_list(job)) for job in gone]}


def cancelled(world: World, _: str, arguments: Document) -> Document:
    """The work of BatchCancelPipelineJobs: cancel, then see to it that all have ended."""
    scope = Scope(*arguments["scope"])
    table = world.table(records.JOBS, scope)
    with world.lock:
        jobs = [table[name] for name in arguments["names"] if name in table]
        jobs = [job for job in jobs if job["state"] not in records.OVER]
        for job in jobs:
            api.begin_cancel(world, scope, job)
    for _look in range(round(_PATIENCE / _POLL)):
        with world.lock:
            if all(job["state"] in records.OVER for job in jobs):
                return {"pipeline_jobs": [records.public(records.in_list(job)) for job in jobs]}
        if world.closing.wait(_POLL):
            break
    raise GoogleError("DEADLINE_EXCEEDED", "Not all of the PipelineJobs have ended in time.")


def _jobs(call: Call) -> list[Document]:
    asked = _names(call)
    if not asked or len(asked) > MOST:
        raise invalid(f"names: 1 to {MOST} PipelineJobs, and there are {len(asked)}.")
    for name in asked:
        if not name.startswith(f"{call.parent}/pipelineJobs/"):
            raise invalid(f"names: {name} is not in {call.parent}.")
    return [api.found(call, name) for name in asked]


def _names(call: Call) -> list[str]:
    return list(dict.fromkeys(names.canonical(call.world, name) for name in call.params.get("names", ())))


def _begin(call: Call, what: str) -> Document:
    kind = "delete" if what.startswith("Delete") else "cancel"
    where = [call.scope.account, call.scope.region]
    return lro.begin(
        call,
        on=call.parent,
        metadata="DeleteOperationMetadata" if kind == "delete" else "BatchCancelPipelineJobsOperationMetadata",
        response=f"Batch{what}Response",
        work=(f"pipeline-job.batch-{kind}", {"scope": where, "names": _names(call)}),
    )
