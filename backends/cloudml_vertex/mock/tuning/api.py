"""JobService of hyperparameter tuning jobs: create, get, list, cancel, delete."""

from __future__ import annotations

import copy
from typing import Any

from cloudml_vertex.mock.core import labels, names
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.jobs import api as jobs
from cloudml_vertex.mock.jobs.rules import check_encryption, check_spec
from cloudml_vertex.mock.tuning import rules
from cloudml_vertex.mock.tuning.driver import KIND, Tuner

Document = dict[str, Any]

COLLECTION = "projects/*/locations/*/hyperparameterTuningJobs/*"
_GIVEN = (
    "display_name", "study_spec", "max_trial_count", "parallel_trial_count", "max_failed_trial_count",
    "trial_job_spec", "labels", "encryption_spec",
)  # fmt: skip


def tuner(world: World) -> Tuner:
    """The one that drives this world's jobs."""
    found: Tuner = world.rooms.setdefault("tuning", Tuner(world))
    return found


@rpc("JobService.CreateHyperparameterTuningJob", executes="trials run as custom jobs; Optuna chooses the points")
def create(call: Call) -> Document:
    """Create a job and start its first trials."""
    names.parse(call.parent, jobs.PARENT)
    given = call.params["hyperparameter_tuning_job"]
    where = "hyperparameter_tuning_job"
    labels.display_name(given.get("display_name"), f"{where}.display_name")
    labels.check(given.get("labels"), f"{where}.labels")
    rules.check(given, where)
    check_spec(given.get("trial_job_spec") or {}, f"{where}.trial_job_spec")
    check_encryption(given, call.scope.region)
    name = names.child(call.parent, "hyperparameterTuningJobs", names.new_id(call.world, KIND))
    document = {
        "name": name,
        **{key: given[key] for key in _GIVEN if given.get(key)},
        "state": "JOB_STATE_PENDING",
        "create_time": call.stamp,
        "update_time": call.stamp,
        "trials": [],
    }
    table = call.table(KIND)
    table.put(name, document)
    call.world.change(table, name, "state", "JOB_STATE_PENDING")
    answer = {**document, "trials": []}
    tuner(call.world).begin(table, name)
    return answer


@rpc("JobService.GetHyperparameterTuningJob")
def get(call: Call) -> Document:
    """The job as it stands, with its trials."""
    return copy.deepcopy(jobs.found(call, KIND, COLLECTION))


@rpc("JobService.ListHyperparameterTuningJobs")
def list_(call: Call) -> Document:
    """Jobs of a location without their trials, the newest first."""
    names.parse(call.parent, jobs.PARENT)
    rows = [{key: value for key, value in row.items() if key != "trials"} for row in call.table(KIND)]
    return listed(call, rows, "hyperparameter_tuning_jobs", filters=jobs.FILTERS, order=jobs.ORDER)


@rpc("JobService.CancelHyperparameterTuningJob", executes="the running trials' processes get SIGTERM, then SIGKILL")
def cancel(call: Call) -> None:
    """Begin to cancel; the job becomes JOB_STATE_CANCELLED with an error of code 1."""
    document = jobs.found(call, KIND, COLLECTION)
    if not jobs.refuse_cancel(call, document):
        tuner(call.world).cancel(call.table(KIND), call.name)


@rpc("JobService.DeleteHyperparameterTuningJob")
def delete(call: Call) -> Document:
    """Forget a job that has ended."""
    return jobs.begin_delete(call, jobs.found(call, KIND, COLLECTION), "hyperparameterTuningJob.delete")


def deleted(world: World, operation: str, arguments: Document) -> None:
    """The work of a delete operation."""
    jobs.forget(world, KIND, arguments["name"])
