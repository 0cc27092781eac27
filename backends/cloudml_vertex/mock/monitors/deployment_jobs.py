"""Model monitoring v1: ModelDeploymentMonitoringJobs of JobService, bound to deployed models of one endpoint."""

from __future__ import annotations

import copy
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_vertex.mock.core import lro, masks, names
from cloudml_vertex.mock.core.errors import failed_precondition, invalid, not_found
from cloudml_vertex.mock.core.listing import listed, page
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.times import duration, seconds, stamp
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.monitors import deployment_runs
from cloudml_vertex.mock.monitors.deployment_rules import KIND, check
from cloudml_vertex.mock.monitors.deployment_runs import STATS

_PATTERN = "projects/*/locations/*/modelDeploymentMonitoringJobs/*"
_CONFIGS = "model_deployment_monitoring_objective_configs"
_CHANGEABLE = (
    "display_name",
    "model_deployment_monitoring_schedule_config",
    "model_monitoring_alert_config",
    "logging_sampling_strategy",
    "labels",
    "log_ttl",
    "enable_monitoring_pipeline_logs",
    _CONFIGS,
)
_NESTED = (
    f"{_CONFIGS}.objective_config.training_dataset",
    f"{_CONFIGS}.objective_config.training_prediction_skew_detection_config",
    f"{_CONFIGS}.objective_config.prediction_drift_detection_config",
)
"""Updatable fields (docstring of UpdateModelDeploymentMonitoringJobRequest.update_mask)."""
_OUTPUTS = ("state", "schedule_state", "error", "next_schedule_time", "latest_monitoring_pipeline_metadata")
_DAY = 86_400.0
_MOST_STATS = 1_000


def install(world: World) -> None:
    """Register the long-running works and go on with what the store holds."""
    lro.register(world, "monitoring-job.update", _updated)
    lro.register(world, "monitoring-job.delete", _deleted)
    deployment_runs.resume(world)


def _found(call: Call, name: str) -> Document:
    names.parse(name, _PATTERN)
    job = call.table(KIND).get(name)
    if job is None:
        raise not_found(name)
    return job


@rpc("JobService.CreateModelDeploymentMonitoringJob", executes="the endpoint's requests are analysed every interval")
def create_job(call: Call) -> Document:
    """The first run is one interval after the job was begun."""
    names.parse(call.parent, "projects/*/locations/*")
    given = call.params["model_deployment_monitoring_job"]
    job: Document = {key: value for key, value in copy.deepcopy(given).items() if key not in _OUTPUTS}
    job["name"] = names.child(call.parent, "modelDeploymentMonitoringJobs", names.new_id(call.world, KIND))
    check(call, job)
    job.update(state="JOB_STATE_PENDING", create_time=call.stamp, update_time=call.stamp)
    _days(job)
    call.table(KIND).put(job["name"], job)
    deployment_runs.begin(call.world, call.scope, job["name"])
    return dict(job)


def _days(job: Document) -> None:
    """Whole days, rounded up (ModelDeploymentMonitoringJob.log_ttl)."""
    if "log_ttl" in job:
        job["log_ttl"] = f"{-(-duration(job['log_ttl']) // _DAY) * _DAY:g}s"


@rpc("JobService.GetModelDeploymentMonitoringJob")
def get_job(call: Call) -> Document:
    """One job."""
    return _found(call, call.name)


@rpc("JobService.ListModelDeploymentMonitoringJobs")
def list_jobs(call: Call) -> Document:
    """By display_name, state, create_time, labels."""
    fields = {key: key for key in ("display_name", "state", "create_time", "labels", "endpoint")}
    return listed(call, call.table(KIND), "model_deployment_monitoring_jobs", filters=fields)


@rpc("JobService.UpdateModelDeploymentMonitoringJob")
def update_job(call: Call) -> Document:
    """By mask, long-running; the whole of it is checked at once."""
    job, patch = _found(call, call.name), call.params["model_deployment_monitoring_job"]
    changed = _changed(job, patch, list(call.params.get("update_mask", [])))
    check(call, changed)
    _days(changed)
    fields = {key: changed[key] for key in _CHANGEABLE if key in changed}
    return lro.begin(
        call,
        on=call.name,
        metadata="UpdateModelDeploymentMonitoringJobOperationMetadata",
        response="ModelDeploymentMonitoringJob",
        work=(
            "monitoring-job.update",
            {"scope": [call.scope.account, call.scope.region], "job": call.name, "to": fields},
        ),
    )


def _changed(job: Document, patch: Document, paths: list[str]) -> Document:
    nested = [path for path in paths if path in _NESTED]
    plain = [path for path in paths if path not in _NESTED]
    changed = masks.apply(job, patch, plain, _CHANGEABLE) if plain or not nested else copy.deepcopy(job)
    given = {str(one.get("deployed_model_id")): one for one in patch.get(_CONFIGS, [])}
    for one in changed[_CONFIGS] if nested else ():
        other = given.get(str(one["deployed_model_id"]))
        if other is None:
            continue
        fields = [path.rpartition(".")[2] for path in nested]
        one["objective_config"] = masks.apply(
            one["objective_config"], other.get("objective_config", {}), fields, fields
        )
    return changed


def _updated(world: World, _: str, arguments: Document) -> Document:
    scope, name = Scope(*arguments["scope"]), arguments["job"]
    with world.lock:
        table = world.table(KIND, scope)
        job = table.get(name)
        if job is None:
            raise not_found(name)
        before = deployment_runs.interval_of(job)
        for key in _CHANGEABLE:
            job.pop(key, None)
        job.update(arguments["to"], update_time=world.stamp())
        if job["state"] == "JOB_STATE_RUNNING" and deployment_runs.interval_of(job) != before:
            due = world.now() + deployment_runs.interval_of(job)
            job["next_schedule_time"] = stamp(due)
            deployment_runs.schedule(world, scope, name, due)
        return dict(table.put(name, job))


@rpc("JobService.DeleteModelDeploymentMonitoringJob")
def delete_job(call: Call) -> Document:
    """Long-running; the statistics that were searched for are gone, files stay."""
    _found(call, call.name)
    scope = [call.scope.account, call.scope.region]
    work = ("monitoring-job.delete", {"scope": scope, "job": call.name})
    return lro.begin(call, on=call.name, metadata="DeleteOperationMetadata", response="Empty", work=work)


def _deleted(world: World, _: str, arguments: Document) -> None:
    scope, name = Scope(*arguments["scope"]), arguments["job"]
    with world.lock:
        world.table(KIND, scope).delete(name)
        table = world.table(STATS, scope)
        for key, row in table.items():
            if row["job"] == name:
                table.delete(key)


@rpc("JobService.PauseModelDeploymentMonitoringJob")
def pause_job(call: Call) -> None:
    """A job that is running."""
    job = _found(call, call.name)
    if job["state"] != "JOB_STATE_RUNNING":
        raise failed_precondition(f"The job is in the state {job['state']}; only a running one can be paused.")
    job.pop("next_schedule_time", None)
    more = {"schedule_state": "OFFLINE", "update_time": call.stamp}
    call.world.change(call.table(KIND), call.name, "state", "JOB_STATE_PAUSED", **more)


@rpc("JobService.ResumeModelDeploymentMonitoringJob")
def resume_job(call: Call) -> None:
    """A job that is paused; its next run is one interval from now."""
    job = _found(call, call.name)
    if job["state"] != "JOB_STATE_PAUSED":
        raise failed_precondition(f"The job is in the state {job['state']}; only a paused one can be resumed.")
    due = call.now + deployment_runs.interval_of(job)
    more = {"next_schedule_time": stamp(due), "update_time": call.stamp}
    call.world.change(call.table(KIND), call.name, "state", "JOB_STATE_RUNNING", **more)
    deployment_runs.schedule(call.world, call.scope, call.name, due)


@rpc("JobService.SearchModelDeploymentMonitoringStatsAnomalies")
def search(call: Call) -> Document:
    """The statistics of one deployed model, for each objective asked for, features with their newest window first."""
    params = call.params
    job = _found(call, names.canonical(call.world, params["model_deployment_monitoring_job"]))
    first = seconds(params["start_time"]) if "start_time" in params else float("-inf")
    last = seconds(params["end_time"]) if "end_time" in params else float("inf")
    rows = [
        row
        for row in call.table(STATS)
        if row["job"] == job["name"]
        and row["deployed_model_id"] == params["deployed_model_id"]
        and params.get("feature_display_name", row["feature"]) == row["feature"]
        and first <= seconds(row["stats"]["end_time"]) <= last
    ]
    found = [_history(str(one.get("type_", "")), params["deployed_model_id"], rows) for one in params["objectives"]]
    return page(call, [one for one in found if one["feature_stats"]], "monitoring_stats")


def _history(objective: str, deployed: str, rows: list[Document]) -> Document:
    if objective.startswith("FEATURE_ATTRIBUTION") or not objective.startswith("RAW_FEATURE"):
        raise invalid(f"objectives: there are no statistics of {objective or 'an unset objective'} here.")
    features: dict[str, dict[str, Any]] = {}
    count = 0
    for row in [row for row in reversed(rows) if row["objective"] == objective][:_MOST_STATS]:
        threshold = {"value": row["stats"]["anomaly_detection_threshold"]}
        one = features.setdefault(
            row["feature"],
            {"feature_display_name": row["feature"], "threshold": threshold, "prediction_stats": []},
        )
        one["prediction_stats"].append(row["stats"])
        count += bool(row["anomaly"])
    found = {"objective": objective, "deployed_model_id": deployed, "anomaly_count": count}
    return {**found, "feature_stats": list(features.values())}
