"""The life of a ModelDeploymentMonitoringJob: begun, run every interval of the clock, told of, ended."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_vertex.mock.core import entries, gcs, names, notices
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.times import duration, seconds, stamp
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.monitors.deployment_analysis import Finding, analysed, stats_of, training_rows
from cloudml_vertex.mock.monitors.deployment_rules import DETECTIONS, KIND

log = logging.getLogger(__name__)

STATS = "MonitoringStats"
"""The table: one document for each feature that a run looked at."""
MOST_STATS = 20_000
_ANOMALIES = "aiplatform.googleapis.com/model_monitoring_anomaly"
_PIPELINE = "aiplatform.googleapis.com/model_monitoring"
_RESOURCE = "aiplatform.googleapis.com/ModelDeploymentMonitoringJob"


def resume(world: World) -> None:
    """Set the timers of what the store holds, and begin what had not begun."""
    with world.lock:
        for table in world.store.tables(KIND):
            for name, job in table.items():
                if job["state"] == "JOB_STATE_PENDING":
                    begin(world, table.scope, name)
                elif job["state"] == "JOB_STATE_RUNNING":
                    schedule(world, table.scope, name, seconds(job["next_schedule_time"]))
                if "_run" in job:  # what was under way begins again
                    _submit(world, table.scope, name, job["_run"])


def begin(world: World, scope: Scope, name: str) -> None:
    """Look at the training data, then let the job run on its schedule. Any thread."""
    world.workers.submit(lambda: _begin(world, scope, name), name)


def _begin(world: World, scope: Scope, name: str) -> None:
    table = world.table(KIND, scope)
    with world.lock:
        job = table.get(name)
    if job is None:
        return
    try:
        for one in job["model_deployment_monitoring_objective_configs"]:
            if DETECTIONS[0] in one["objective_config"]:
                training_rows(world, one["objective_config"])
    except GoogleError as error:
        with world.lock:
            if name in table:
                world.change(table, name, "state", "JOB_STATE_FAILED", error=error.status(), update_time=world.stamp())
        return
    with world.lock:
        if name not in table:
            return
        due = world.now() + interval_of(job)
        more = {"schedule_state": "OFFLINE", "next_schedule_time": stamp(due), "update_time": world.stamp()}
        world.change(table, name, "state", "JOB_STATE_RUNNING", **more)
        schedule(world, scope, name, due)


def interval_of(job: Document) -> float:
    """Seconds between two runs."""
    return duration(job["model_deployment_monitoring_schedule_config"]["monitor_interval"])


def schedule(world: World, scope: Scope, name: str, due: float) -> None:
    """Run at that time, in seconds since the epoch. A job that was paused or changed since does not."""
    when = datetime.fromtimestamp(due, UTC)
    world.clock.call_at(when, lambda: _due(world, scope, name, stamp(due)), f"monitoring {name}")


def _due(world: World, scope: Scope, name: str, moment: str) -> None:
    with world.lock:
        table = world.table(KIND, scope)
        job = table.get(name)
        if job is None or job["state"] != "JOB_STATE_RUNNING" or job.get("next_schedule_time") != moment:
            return
        following = seconds(moment) + interval_of(job)
        job.update(schedule_state="RUNNING", next_schedule_time=stamp(following), _run=seconds(moment))
        table.put(name, job)
        schedule(world, scope, name, following)
    _submit(world, scope, name, seconds(moment))


def _submit(world: World, scope: Scope, name: str, end: float) -> None:
    world.workers.submit(lambda: _run(world, scope, name, end), name)


def _run(world: World, scope: Scope, name: str, end: float) -> None:
    table = world.table(KIND, scope)
    with world.lock:
        job = table.get(name)
    if job is None:
        return
    status: Document = {"code": 0}
    found: list[Finding] = []
    try:
        found = analysed(world, job, end)
    except GoogleError as error:
        status = error.status()
    with world.lock:
        job = table.get(name)
        if job is None:
            return
        _keep(world, scope, job, found, end)
        if job.get("_run") == end:
            del job["_run"]
        job["schedule_state"] = "OFFLINE"
        job["latest_monitoring_pipeline_metadata"] = {"run_time": stamp(end), "status": status}
        job["update_time"] = world.stamp()
        table.put(name, job)
        _tell(world, scope, job, found, status)


def folder_of(world: World, job: Document) -> str:
    """Where a job's files lie: below its base directory, or in a bucket that Vertex AI makes for it. Needs the lock."""
    directory = job.get("stats_anomalies_base_directory", {}).get("output_uri_prefix")
    if not directory:
        bucket = f"cloud-ai-platform-{names.id_of(job['name'])}"
        gcs.make_bucket(world, bucket)
        directory = f"gs://{bucket}"
    return f"{directory.rstrip('/')}/model_monitoring/job-{names.id_of(job['name'])}"


def _keep(world: World, scope: Scope, job: Document, found: list[Finding], end: float) -> None:
    table = world.table(STATS, scope)
    for finding in found:
        base = f"{folder_of(world, job)}/serving/{stamp(end)}/{finding.objective.lower()}/{finding.deployed_model_id}"
        stats = stats_of(finding, base)
        row = {
            "job": job["name"],
            "objective": finding.objective,
            "deployed_model_id": finding.deployed_model_id,
            "feature": finding.feature,
            "anomaly": finding.is_anomaly,
            "stats": stats,
        }
        table.put(world.unique("stats"), row)
        for field in ("stats_uri", "anomaly_uri"):
            if field in stats:
                _write(world, stats[field], {"feature": finding.feature, **stats})
    for name, _ in table.items()[: max(0, len(table) - MOST_STATS)]:
        table.delete(name)


def _write(world: World, uri: str, body: Document) -> None:
    try:
        gcs.write(world, uri, json.dumps(body, indent=1).encode())
    except gcs.GcsError as error:
        log.warning("statistics cannot be written: %s", error)


def _tell(world: World, scope: Scope, job: Document, found: list[Finding], status: Document) -> None:
    """E-mails, channels and logs, when there are anomalies."""
    config = job.get("model_monitoring_alert_config", {})
    told = [_anomalies(group) for group in _groups(found)]
    told = [one for one in told if one["anomaly_count"]]
    identifier = names.id_of(job["name"])
    resource = {
        "type": _RESOURCE,
        "labels": {
            "resource_container": scope.account,
            "location": scope.region,
            "model_deployment_monitoring_job": identifier,
        },
    }
    if job.get("enable_monitoring_pipeline_logs"):
        count = sum(one["anomaly_count"] for one in told)
        line = {"job": job["name"], "status": status, "anomaly_count": count}
        entries.write(world, scope, _PIPELINE, resource, {}, [line], severity="ERROR" if status["code"] else "INFO")
    if not told:
        return
    subject = f"Vertex AI Model Monitoring: anomalies of {job['display_name']}"
    message = {"subject": subject, "model_deployment_monitoring_job": job["name"], "endpoint": job["endpoint"]}
    message["anomalies"] = told
    notices.email(world, scope, config.get("email_alert_config", {}).get("user_emails", []), subject, message)
    notices.notify(world, scope, config.get("notification_channels", []), message)
    if config.get("enable_logging"):
        entries.write(world, scope, _ANOMALIES, resource, {}, told, severity="WARNING")


def _groups(found: list[Finding]) -> list[list[Finding]]:
    keys = dict.fromkeys((one.objective, one.deployed_model_id) for one in found)
    return [[one for one in found if (one.objective, one.deployed_model_id) == key] for key in keys]


def _anomalies(group: list[Finding]) -> Document:
    """A ModelMonitoringStatsAnomalies of the anomalies alone."""
    wrong = [one for one in group if one.is_anomaly]
    features: list[dict[str, Any]] = [
        {
            "feature_display_name": one.feature,
            "threshold": {"value": one.threshold},
            "prediction_stats": [
                {
                    "distribution_deviation": one.deviation,
                    "anomaly_detection_threshold": one.threshold,
                    "start_time": stamp(one.start),
                    "end_time": stamp(one.end),
                }
            ],
        }
        for one in wrong
    ]
    return {
        "objective": group[0].objective,
        "deployed_model_id": group[0].deployed_model_id,
        "anomaly_count": len(wrong),
        "feature_stats": features,
    }
