"""Model monitoring v2: ModelMonitoringJobs, which compare two datasets once; schedules start them as well."""

from __future__ import annotations

import copy
import json
import logging

from cloudml.mocks.store import Document, Scope
from cloudml_vertex.mock.core import entries, gcs, labels, lro, names, notices
from cloudml_vertex.mock.core.errors import GoogleError, already_exists, invalid, not_found
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.times import seconds
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.monitors import inputs, model_monitors, monitor_rules
from cloudml_vertex.mock.monitors.model_monitors import JOBS, STATS
from cloudml_vertex.mock.monitors.objectives import Finding, compared

log = logging.getLogger(__name__)

_PATTERN = "projects/*/locations/*/modelMonitors/*/modelMonitoringJobs/*"
_OVER = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_PARTIALLY_SUCCEEDED"}
_LOG = "aiplatform.googleapis.com/model_monitoring_anomaly"
MOST_STATS = 20_000


def install(world: World) -> None:
    """Register the long-running work, and begin again what the store holds unfinished."""
    lro.register(world, "monitoring.delete", _deleted)
    with world.lock:
        for table in world.store.tables(JOBS):
            for name, job in table.items():
                if job["state"] not in _OVER:
                    _submit(world, table.scope, name)


@rpc("ModelMonitoringService.CreateModelMonitoringJob", executes="the two datasets are compared")
def create_job(call: Call) -> Document:
    """What the job does not specify is the monitor's."""
    monitor = model_monitors.found(call, call.parent)
    given = call.params["model_monitoring_job"]
    identifier = str(call.params.get("model_monitoring_job_id", ""))
    if identifier:
        names.check_id(identifier, monitor_rules.ID, "model_monitoring_job_id", monitor_rules.ID_WORDS)
    name = names.child(call.parent, "modelMonitoringJobs", identifier or names.new_id(call.world, JOBS))
    if name in call.table(JOBS):
        raise already_exists(f"The resource '{name}' already exists.")
    labels.display_name(given.get("display_name"), required=False)
    spec = _complete(monitor, given.get("model_monitoring_spec", {}))
    job: Document = {"name": name, "model_monitoring_spec": spec, "_monitor": monitor["name"]}
    if given.get("display_name"):
        job["display_name"] = given["display_name"]
    schedule = call.world.rooms.get("_schedule")
    if schedule is not None:  # a schedule is starting this job
        job.update(schedule=schedule["schedule_name"], schedule_time=schedule["_schedule_time"])
    job.update(state="JOB_STATE_PENDING", create_time=call.stamp, update_time=call.stamp)
    call.table(JOBS).put(name, job)
    _submit(call.world, call.scope, name)
    return dict(job)


def _complete(monitor: Document, given: Document) -> Document:
    """The job's specification with the monitor's defaults. Raises GoogleError."""
    spec = copy.deepcopy(given)
    objective = spec.setdefault("objective_spec", {})
    if "tabular_objective" not in objective and "tabular_objective" in monitor:
        objective["tabular_objective"] = copy.deepcopy(monitor["tabular_objective"])
    if "baseline_dataset" not in objective and "training_dataset" in monitor:
        objective["baseline_dataset"] = copy.deepcopy(monitor["training_dataset"])
    for field in ("notification_spec", "output_spec"):
        if field not in spec and field in monitor:
            spec[field] = copy.deepcopy(monitor[field])
    if "tabular_objective" not in objective:
        raise invalid("objective_spec.tabular_objective: neither the job nor the monitor sets an objective.")
    monitor_rules.check_objective(objective["tabular_objective"], monitor["model_monitoring_schema"])
    for field in ("baseline_dataset", "target_dataset"):
        if field not in objective:
            raise invalid(f"objective_spec.{field} is required.")
        monitor_rules.check_dataset(objective[field], field)
    return spec


def _submit(world: World, scope: Scope, name: str) -> None:
    world.workers.submit(lambda: _run(world, scope, name), name)


def _run(world: World, scope: Scope, name: str) -> None:
    table = world.table(JOBS, scope)
    with world.lock:
        job = table.get(name)
        monitor = world.table(model_monitors.KIND, scope).get(job["_monitor"]) if job else None
        if job is None or monitor is None:
            return
        world.change(table, name, "state", "JOB_STATE_RUNNING", update_time=world.stamp())
    spec = job["model_monitoring_spec"]["objective_spec"]
    cutoff = seconds(job.get("schedule_time") or job["create_time"])
    detail: Document = {"objective_status": {}}
    found: list[Finding] = []
    try:
        baseline = inputs.read(world, scope, monitor, spec["baseline_dataset"], cutoff)
        target = inputs.read(world, scope, monitor, spec["target_dataset"], cutoff)
        detail.update(baseline_datasets=baseline.processed, target_datasets=target.processed)
    except GoogleError as error:
        detail["error"] = error.status()
        _end(world, scope, name, found, detail)
        return
    for objective, drift in spec["tabular_objective"].items():
        title = monitor_rules.OBJECTIVES[objective][0]
        try:
            found += compared(objective, drift, monitor["model_monitoring_schema"], target, baseline)
            detail["objective_status"][title] = {"code": 0}
        except GoogleError as error:
            detail["objective_status"][title] = error.status()
    _end(world, scope, name, found, detail)


def _end(world: World, scope: Scope, name: str, found: list[Finding], detail: Document) -> None:
    codes = [status["code"] for status in detail["objective_status"].values()]
    state = "JOB_STATE_SUCCEEDED" if codes and not any(codes) else "JOB_STATE_PARTIALLY_SUCCEEDED"
    if not codes or all(codes):
        state = "JOB_STATE_FAILED"
    with world.lock:
        table = world.table(JOBS, scope)
        job = table.get(name)
        if job is None or world.closing.is_set():
            return
        rows = [_row(world, job, finding) for finding in found]
        stats = world.table(STATS, scope)
        for row in rows:
            stats.put(world.unique("stats"), row)
        for key, _ in stats.items()[: max(0, len(stats) - MOST_STATS)]:
            stats.delete(key)
        _export(world, job, rows)
        _tell(world, scope, job, [row for row in rows if row["point"].get("has_anomaly")])
        world.change(table, name, "state", state, job_execution_detail=detail, update_time=world.stamp())


def _row(world: World, job: Document, finding: Finding) -> Document:
    point: Document = {
        "current_stats": {
            "distribution_value": {
                "distribution": finding.distribution,
                "distribution_deviation": finding.deviation,
            }
        },
        "baseline_stats": {"distribution_value": {"distribution": finding.baseline}},
        "model_monitoring_job": job["name"],
        "create_time": world.stamp(),
        "algorithm": finding.algorithm,
        "has_anomaly": finding.is_anomaly,
    }
    if finding.threshold is not None:
        point["threshold_value"] = finding.threshold
    if "schedule" in job:
        point["schedule"] = job["schedule"]
    title = monitor_rules.OBJECTIVES[finding.objective][0]
    return {"_monitor": job["_monitor"], "stats_name": finding.feature, "objective_type": title, "point": point}


def _export(world: World, job: Document, rows: list[Document]) -> None:
    """The statistics as JSON below the output directory, when there is one."""
    prefix = job["model_monitoring_spec"].get("output_spec", {}).get("gcs_base_directory", {}).get("output_uri_prefix")
    if not prefix:
        return
    monitor = names.id_of(job["_monitor"])
    folder = f"{prefix.rstrip('/')}/model_monitoring/{monitor}/tabular/jobs/{names.id_of(job['name'])}"
    for title in dict.fromkeys(row["objective_type"] for row in rows):
        points = {row["stats_name"]: row["point"] for row in rows if row["objective_type"] == title}
        try:
            gcs.write(world, f"{folder}/{title.replace('-', '_')}/stats.json", json.dumps(points, indent=1).encode())
        except gcs.GcsError as error:
            log.warning("statistics cannot be written: %s", error)


def _tell(world: World, scope: Scope, job: Document, anomalies: list[Document]) -> None:
    spec = job["model_monitoring_spec"].get("notification_spec", {})
    if not anomalies:
        return
    subject = f"Vertex AI Model Monitoring: anomalies found by {names.id_of(job['name'])}"
    told = [
        {
            "stats_name": row["stats_name"],
            "objective_type": row["objective_type"],
            "algorithm": row["point"]["algorithm"],
            "distribution_deviation": row["point"]["current_stats"]["distribution_value"]["distribution_deviation"],
            "threshold": row["point"]["threshold_value"],
        }
        for row in anomalies
    ]
    message = {"subject": subject, "model_monitoring_job": job["name"], "anomalies": told}
    notices.email(world, scope, spec.get("email_config", {}).get("user_emails", []), subject, message)
    channels = [one["notification_channel"] for one in spec.get("notification_channel_configs", [])]
    notices.notify(world, scope, channels, message)
    if spec.get("enable_cloud_logging"):
        monitor = names.id_of(job["_monitor"])
        owner = {"resource_container": scope.account, "location": scope.region, "model_monitor": monitor}
        resource = {"type": "aiplatform.googleapis.com/ModelMonitor", "labels": owner}
        entries.write(world, scope, _LOG, resource, {}, [message], severity="WARNING")


def _found(call: Call) -> Document:
    names.parse(call.name, _PATTERN)
    job = call.table(JOBS).get(call.name)
    if job is None:
        raise not_found(call.name)
    return job


@rpc("ModelMonitoringService.GetModelMonitoringJob")
def get_job(call: Call) -> Document:
    """One job."""
    return _found(call)


@rpc("ModelMonitoringService.ListModelMonitoringJobs")
def list_jobs(call: Call) -> Document:
    """Those of one monitor; of all with `-` for its id. By display_name, state, create_time, schedule."""
    every = names.id_of(call.parent) == "-"
    if not every:
        model_monitors.found(call, call.parent)
    rows = [row for row in call.table(JOBS) if every or row["_monitor"] == call.parent]
    fields = {key: key for key in ("name", "display_name", "state", "create_time", "schedule")}
    return listed(call, rows, "model_monitoring_jobs", filters=fields)


@rpc("ModelMonitoringService.DeleteModelMonitoringJob")
def delete_job(call: Call) -> Document:
    """Long-running."""
    _found(call)
    work = ("monitoring.delete", {"scope": [call.scope.account, call.scope.region], "job": call.name})
    return lro.begin(call, on=call.name, metadata="DeleteOperationMetadata", response="Empty", work=work)


def _deleted(world: World, _: str, arguments: Document) -> None:
    scope = Scope(*arguments["scope"])
    with world.lock:
        world.table(JOBS, scope).delete(arguments["job"])
        table = world.table(STATS, scope)
        for key, row in table.items():
            if row["point"]["model_monitoring_job"] == arguments["job"]:
                table.delete(key)


def interval(given: Document) -> tuple[float, float]:
    """A google.type.Interval in seconds since the epoch, open where it says nothing."""
    first = seconds(given["start_time"]) if "start_time" in given else float("-inf")
    return first, seconds(given["end_time"]) if "end_time" in given else float("inf")


def when(row: Document) -> float:
    """When a statistic was made."""
    return seconds(row["point"]["create_time"])
