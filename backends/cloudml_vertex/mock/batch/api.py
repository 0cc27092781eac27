"""JobService of batch prediction jobs: create, get, list, cancel, delete."""

from __future__ import annotations

import copy
from typing import Any

from cloudml_vertex.mock.batch import results, rules
from cloudml_vertex.mock.batch.run import KIND, BatchRun
from cloudml_vertex.mock.core import labels, names
from cloudml_vertex.mock.core.errors import failed_precondition, invalid, resource_exhausted
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.hosting import server
from cloudml_vertex.mock.jobs import api as jobs
from cloudml_vertex.mock.jobs.rules import check_encryption
from cloudml_vertex.mock.jobs.running import begin, runs

Document = dict[str, Any]

COLLECTION = "projects/*/locations/*/batchPredictionJobs/*"
FILTERS = {name: name for name in ("name", "display_name", "state", "create_time", "labels")} | {
    "model_display_name": "_model_display_name"
}
_GIVEN = (
    "display_name", "input_config", "instance_config", "model_parameters", "output_config", "service_account",
    "manual_batch_tuning_parameters", "labels", "encryption_spec", "disable_container_logging",
)  # fmt: skip
_QUOTA = (
    "Quota exhausted. Please reach out to ai-platform-unified-feedback@google.com for batch prediction quota increase."
)
"""Google's page "Troubleshooting", "Exceeded batch quota error"."""


@rpc("JobService.CreateBatchPredictionJob", executes="the model's container predicts every instance of the input")
def create(call: Call) -> Document:
    """Create a job and start it."""
    names.parse(call.parent, jobs.PARENT)
    world, where = call.world, "batch_prediction_job"
    given = call.params[where]
    labels.display_name(given.get("display_name"), f"{where}.display_name")
    labels.check(given.get("labels"), f"{where}.labels")
    rules.check(world, given, where)
    check_encryption(given, call.scope.region)
    about = _unmanaged(given) if "unmanaged_container_model" in given else _registered(call, given["model"])
    if world.faults.strike("quota", f"{KIND}/{given['display_name']}") is not None:
        raise resource_exhausted(_QUOTA)
    name = names.child(call.parent, "batchPredictionJobs", names.new_id(world, KIND))
    resources = _resources(given["dedicated_resources"])
    document = {
        "name": name,
        **{key: given[key] for key in _GIVEN if key in given},
        **about,
        "dedicated_resources": resources,
        "state": "JOB_STATE_PENDING",
        "create_time": call.stamp,
        "update_time": call.stamp,
    }
    machine = resources["machine_spec"]
    document["_variables"] = server.variables(about.get("model", ""), about.get("model_version_id", ""), machine)
    # Such a job has an endpoint of its own behind it, which nobody sees; default routes have its ids in them.
    document["_deployed"] = [names.new_id(world, "Endpoint"), names.new_id(world, "DeployedModel")]
    document["_directory"] = results.directory(world, document)
    table = call.table(KIND)
    table.put(name, document)
    world.change(table, name, "state", document["state"])
    begin(BatchRun(world, call.scope, name))
    return dict(document)


def _registered(call: Call, given: str) -> Document:
    """What the job keeps of a model of the registry, as it is now. Raises INVALID_ARGUMENT, NOT_FOUND."""
    name = names.canonical(call.world, given)
    if names.parent_of(name) != call.parent:
        raise invalid(f"batch_prediction_job.model: {given!r} is not in {call.parent!r}, the job's own location.")
    model = call.world.call(call.scope, "ModelService.GetModel", {"name": name})
    if not model.get("container_spec"):
        raise failed_precondition(f"The model {name!r} has no container and cannot predict.")
    return {
        "model": model["name"],
        "model_version_id": model["version_id"],
        "_spec": model["container_spec"],
        "_artifacts": model["_artifacts"],
        "_model_display_name": model["display_name"],
    }


def _unmanaged(given: Document) -> Document:
    """The same of a model that is not registered; its container_spec is input only."""
    model = copy.deepcopy(given["unmanaged_container_model"])
    spec = model.pop("container_spec")
    return {
        "unmanaged_container_model": model,
        "_spec": spec,
        "_artifacts": model.get("artifact_uri", ""),
        "_model_display_name": given["display_name"],
    }


def _resources(given: Document) -> Document:
    """With the default of max_replica_count, and a starting number that Vertex AI decides."""
    return {"max_replica_count": rules.MAX_REPLICAS, "starting_replica_count": 1, **given}


@rpc("JobService.GetBatchPredictionJob")
def get(call: Call) -> Document:
    """The job as it stands."""
    return dict(jobs.found(call, KIND, COLLECTION))


@rpc("JobService.ListBatchPredictionJobs")
def list_(call: Call) -> Document:
    """Jobs of a location, the newest first."""
    names.parse(call.parent, jobs.PARENT)
    rows = map(dict, call.table(KIND))
    return listed(call, rows, "batch_prediction_jobs", filters=FILTERS, order=jobs.ORDER)


@rpc("JobService.CancelBatchPredictionJob", executes="the container is stopped; files that are written stay")
def cancel(call: Call) -> None:
    """Begin to cancel; the job becomes JOB_STATE_CANCELLED with an error of code 1."""
    document = jobs.found(call, KIND, COLLECTION)
    run = runs(call.world).get(call.name)
    if not jobs.refuse_cancel(call, document) and run is not None:
        run.stop("cancel")


@rpc("JobService.DeleteBatchPredictionJob")
def delete(call: Call) -> Document:
    """Forget a job that has ended; its results stay."""
    return jobs.begin_delete(call, jobs.found(call, KIND, COLLECTION), "batchPredictionJob.delete")


def deleted(world: World, operation: str, arguments: Document) -> None:
    """The work of a delete operation."""
    jobs.forget(world, KIND, arguments["name"])
