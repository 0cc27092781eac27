"""JobService of custom jobs: create, get, list, cancel, delete."""

from __future__ import annotations

from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import labels, lro, names
from cloudml_vertex.mock.core.errors import failed_precondition, not_found, resource_exhausted
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.jobs import rules, words
from cloudml_vertex.mock.jobs.life import KIND, Run
from cloudml_vertex.mock.jobs.running import ENDED, begin, runs

Document = dict[str, Any]

COLLECTION = "projects/*/locations/*/customJobs/*"
PARENT = "projects/*/locations/*"
FILTERS = {name: name for name in ("display_name", "state", "create_time", "update_time", "labels", "name")}
ORDER = {name: name for name in ("create_time", "update_time", "start_time", "end_time", "display_name")}
_GIVEN = ("display_name", "job_spec", "labels", "encryption_spec")
"""What a request may set; the rest is output only."""


def create(world: World, scope: Scope, job: Document, **private: Any) -> Document:
    """Check, keep and start a custom job; its document. `private` members begin with "_". Needs the world's lock.

    Raises GoogleError.
    """
    labels.display_name(job.get("display_name"), "custom_job.display_name")
    labels.check(job.get("labels"), "custom_job.labels")
    rules.check_spec(job.get("job_spec") or {}, "custom_job.job_spec")
    rules.check_encryption(job, scope.region)
    if world.faults.strike("quota", f"{KIND}/{job['display_name']}") is not None:
        raise resource_exhausted(words.QUOTA)
    name = names.child(f"projects/{scope.account}/locations/{scope.region}", "customJobs", names.new_id(world, KIND))
    now = world.stamp()
    queued = (job["job_spec"].get("scheduling") or {}).get("strategy") == "FLEX_START"
    state = "JOB_STATE_QUEUED" if queued else "JOB_STATE_PENDING"
    given = {key: job[key] for key in _GIVEN if job.get(key)}
    document = {"name": name, **given, "state": state, "create_time": now, "update_time": now, **private}
    table = world.table(KIND, scope)
    table.put(name, document)
    world.change(table, name, "state", state)
    begin(Run(world, scope, name))
    return document


def cancel(world: World, scope: Scope, name: str) -> None:
    """Begin to stop a job; nothing when it has ended. Needs the world's lock."""
    run = runs(world).get(name)
    if run is not None and name in world.table(KIND, scope):
        run.stop("cancel")


def found(call: Call, kind: str, pattern: str) -> Document:
    """The job that a request names. Raises NOT_FOUND, INVALID_ARGUMENT."""
    names.parse(call.name, pattern)
    document = call.table(kind).get(call.name)
    if document is None:
        raise not_found(call.name)
    return document


def refuse_cancel(call: Call, document: Document) -> bool:
    """Whether nothing is to be done, as the job has ended. Raises FAILED_PRECONDITION where the switch says so."""
    if document["state"] not in ENDED:
        return False
    if call.world.switches["cancel-of-ended-job"] == "failed-precondition":
        raise failed_precondition(f"The job {call.name!r} is in state {document['state']} and cannot be cancelled.")
    return True


def begin_delete(call: Call, document: Document, work: str) -> Document:
    """The operation that deletes a job. Raises FAILED_PRECONDITION while it runs."""
    if document["state"] not in ENDED:
        raise failed_precondition(
            f"The job {call.name!r} is in state {document['state']}; cancel it and wait for its end before deleting it."
        )
    return lro.begin(
        call, on=call.name, metadata="DeleteOperationMetadata", response="Empty", work=(work, {"name": call.name})
    )


@rpc("JobService.CreateCustomJob", executes="replicas run as processes under Vertex AI's container contract")
def create_custom_job(call: Call) -> Document:
    """Create a job and start it."""
    names.parse(call.parent, PARENT)
    return dict(create(call.world, call.scope, call.params["custom_job"]))


@rpc("JobService.GetCustomJob")
def get_custom_job(call: Call) -> Document:
    """The job as it stands."""
    return dict(found(call, KIND, COLLECTION))


@rpc("JobService.ListCustomJobs")
def list_custom_jobs(call: Call) -> Document:
    """Jobs of a location, the newest first."""
    names.parse(call.parent, PARENT)
    return listed(call, map(dict, call.table(KIND)), "custom_jobs", filters=FILTERS, order=ORDER)


@rpc("JobService.CancelCustomJob", executes="SIGTERM to every replica, SIGKILL after 30 s")
def cancel_custom_job(call: Call) -> None:
    """Begin to cancel; the job becomes JOB_STATE_CANCELLED with an error of code 1."""
    document = found(call, KIND, COLLECTION)
    if not refuse_cancel(call, document):
        cancel(call.world, call.scope, call.name)


@rpc("JobService.DeleteCustomJob")
def delete_custom_job(call: Call) -> Document:
    """Forget a job that has ended."""
    return begin_delete(call, found(call, KIND, COLLECTION), "customJob.delete")


def delete(world: World, operation: str, arguments: Document) -> None:
    """The work of a delete operation of custom jobs."""
    forget(world, KIND, arguments["name"])


def forget(world: World, kind: str, name: str) -> None:
    """Delete a document by its full name; nothing when it is gone already."""
    account, region = names.parse("/".join(name.split("/")[:4]), PARENT)
    with world.lock:
        world.table(kind, Scope(account, region)).delete(name)
