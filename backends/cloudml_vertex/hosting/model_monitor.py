"""Model monitoring v2 (v1beta1, Preview): a ModelMonitor for a model's version, and a Schedule that starts its jobs.

A monitor is of a version, not of an endpoint: after a swap it has to be told the version that is served now. The
requests come from the endpoint's request-response logging, which Vertex AI keeps in BigQuery; it is switched on here.
Neither monitors nor schedules bear labels: they are told by their display names. Sources: the docstrings of
google.cloud.aiplatform.v1beta1's messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudml_vertex.hosting.deployment_monitor import Kinds, same
from cloudml_vertex.hosting.port import Document, Failed, Google, overlaid

LOGGING = "predict_request_response_logging_config"
_MONITORS = "v1beta1.ModelMonitoringService"
_SCHEDULES = "v1beta1.ScheduleService"
_HOUR = 3600
_TYPES = {"number": "float", "category": "categorical"}
_JSD = "jensen_shannon_divergence"
_LINF = "l_infinity"
_MUTABLE = (
    "model_monitoring_target", "training_dataset", "model_monitoring_schema", "tabular_objective", "notification_spec",
    "output_spec",
)  # fmt: skip
_SCHEDULED = ("cron", "create_model_monitoring_job_request")


def name_of(document: Document, parent: str) -> str:
    """The monitor's resource name."""
    return f"{parent}/modelMonitors/{document['id']}"


def find(google: Google, parent: str, identifier: str) -> Document | None:
    """The monitor of that id."""
    return google.find(f"{_MONITORS}.GetModelMonitor", name=f"{parent}/modelMonitors/{identifier}")


def schedule(google: Google, parent: str, display_name: str) -> Document | None:
    """The schedule of that display name."""
    asked = f'display_name="{display_name}"'
    return next(google.pages(f"{_SCHEDULES}.ListSchedules", "schedules", parent=parent, filter=asked), None)


def monitors(google: Google, parent: str) -> Iterator[Document]:
    """All monitors of the project's region."""
    yield from google.pages(f"{_MONITORS}.ListModelMonitors", "model_monitors", parent=parent)


def desired(document: Document, endpoint: Document, kinds: Kinds) -> Document:
    """The monitor as it has to be. Raises Failed."""
    limits = document["limits"]
    numeric, categorical = limits.get("js"), limits.get("linf", limits.get("js"))
    of = {"number": numeric, "category": categorical}
    thresholds = {name: {"threshold": of[kind]} for name, kind in sorted(kinds.items()) if of[kind] is not None}
    if not thresholds:
        raise Failed("no feature has a limit: Vertex AI judges numbers by `js`, categories by `linf` or `js`")
    drift = {
        "features": list(thresholds),
        "numeric_metric_type": _JSD,
        "categorical_metric_type": _LINF if "linf" in limits else _JSD,
        "feature_alert_conditions": thresholds,
    }
    told = {"email_config": {"user_emails": document["emails"]}, "enable_cloud_logging": True}
    found: Document = {
        "display_name": document["display_name"],
        "model_monitoring_target": {"vertex_model": served(endpoint)},
        "training_dataset": {
            "columnized_dataset": {"gcs_source": {"gcs_uri": document["baseline"], "format": "JSONL"}}
        },
        "model_monitoring_schema": {
            "feature_fields": [{"name": name, "data_type": _TYPES[kind]} for name, kind in sorted(kinds.items())]
        },
        "tabular_objective": {"feature_drift_spec": drift},
        "notification_spec": told,
        "output_spec": {"gcs_base_directory": {"output_uri_prefix": f"{document['folder']}/native/statistics"}},
    }
    if document.get("kms"):
        found["encryption_spec"] = {"kms_key_name": document["kms"]}
    return overlaid(found, document.get("native", ()))


def served(endpoint: Document) -> Document:
    """Model and version that get most of the requests. Raises Failed: nothing is served."""
    split: Mapping[str, Any] = endpoint.get("traffic_split", {})
    rows = {str(one["id"]): one for one in endpoint.get("deployed_models", ())}
    best = max(rows, key=lambda one: (int(split.get(one, 0)), one), default=None)
    if best is None or not split.get(best):
        raise Failed(f"the endpoint {endpoint['name']} serves nothing that could be monitored")
    model, _, version = str(rows[best]["model"]).partition("@")
    return {"model": model, "model_version_id": str(rows[best].get("model_version_id") or version)}


def desired_schedule(document: Document, endpoint: Document) -> Document:
    """The schedule as it has to be."""
    parent = _parent(str(endpoint["name"]))
    hours = max(1, round(document["window"] / _HOUR))
    target = {
        "vertex_endpoint_logs": {"endpoints": [endpoint["name"]]},
        "time_offset": {"offset": "0h", "window": f"{hours}h"},
    }
    job = {
        "display_name": document["display_name"],
        "model_monitoring_spec": {"objective_spec": {"target_dataset": target}},
    }
    return {
        "display_name": document["display_name"],
        "cron": document["cron"],
        "max_concurrent_run_count": 1,
        "create_model_monitoring_job_request": {
            "parent": name_of(document, parent), "model_monitoring_job": job,
        },
    }  # fmt: skip


def ensure(google: Google, document: Document, endpoint: Document, kinds: Kinds) -> None:
    """Make it so; what is so already stays. Raises Failed: nothing is served."""
    wanted = desired(document, endpoint, kinds)
    parent = _parent(str(endpoint["name"]))
    log(google, endpoint, document["sample"])
    found = find(google, parent, document["id"])
    if found is None:
        google.call(
            f"{_MONITORS}.CreateModelMonitor", parent=parent, model_monitor=wanted, model_monitor_id=document["id"]
        )
    else:
        _update(google, found, wanted)
    planned = desired_schedule(document, endpoint)
    standing = schedule(google, parent, document["display_name"])
    if standing is None:
        google.call(f"{_SCHEDULES}.CreateSchedule", parent=parent, schedule=planned)
        return
    fields = [name for name in _SCHEDULED if not same(standing.get(name), planned[name])]
    if fields:
        patch = {"name": standing["name"], **{name: planned[name] for name in fields}}
        google.call(f"{_SCHEDULES}.UpdateSchedule", schedule=patch, update_mask=",".join(fields))


def _update(google: Google, found: Document, wanted: Document) -> None:
    fields = [name for name in _MUTABLE if name in wanted and not same(found.get(name), wanted[name])]
    if fields:
        patch = {"name": found["name"], **{name: wanted[name] for name in fields}}
        google.call(f"{_MONITORS}.UpdateModelMonitor", model_monitor=patch, update_mask=",".join(fields))


def log(google: Google, endpoint: Document, share: float) -> None:
    """Let the endpoint log requests and answers; a table that was chosen already stays."""
    live = endpoint.get(LOGGING, {})
    if live.get("enabled") and live.get("sampling_rate") == share:
        return
    project = str(endpoint["name"]).split("/")[1]
    table = live.get("bigquery_destination") or {"output_uri": f"bq://{project}"}
    config = {"enabled": True, "sampling_rate": share, "bigquery_destination": table}
    patch = {"name": endpoint["name"], LOGGING: config, "etag": endpoint.get("etag", "")}
    google.call("EndpointService.UpdateEndpoint", endpoint=patch, update_mask=LOGGING)


def follow(google: Google, endpoint: Document) -> list[str]:
    """Let every monitor that watches the endpoint be of the version that it serves; those that changed."""
    parent = _parent(str(endpoint["name"]))
    changed = []
    for monitor in _watching(google, parent, str(endpoint["name"])):
        target = {"vertex_model": served(endpoint)}
        if not same(monitor.get("model_monitoring_target"), target):
            patch = {"name": monitor["name"], "model_monitoring_target": target}
            google.call(f"{_MONITORS}.UpdateModelMonitor", model_monitor=patch, update_mask="model_monitoring_target")
            changed.append(str(monitor["name"]))
    return changed


def _watching(google: Google, parent: str, endpoint: str) -> Iterator[Document]:
    """The monitors whose schedules read that endpoint's requests. By the id: names hold a project's id or number."""
    identifier = endpoint.rpartition("/")[2]
    for one in google.pages(f"{_SCHEDULES}.ListSchedules", "schedules", parent=parent):
        request = one.get("create_model_monitoring_job_request", {})
        spec = request.get("model_monitoring_job", {}).get("model_monitoring_spec", {}).get("objective_spec", {})
        watched = spec.get("target_dataset", {}).get("vertex_endpoint_logs", {}).get("endpoints", ())
        if any(str(name).rpartition("/")[2] == identifier for name in watched):
            found = google.find(f"{_MONITORS}.GetModelMonitor", name=request["parent"])
            if found is not None:
                yield found


def pause(google: Google, standing: Document) -> None:
    """Start no more jobs until it is resumed."""
    if standing.get("state") == "ACTIVE":
        google.call(f"{_SCHEDULES}.PauseSchedule", name=standing["name"])


def resume(google: Google, standing: Document) -> None:
    """Start jobs again, from the next time on."""
    if standing.get("state") == "PAUSED":
        google.call(f"{_SCHEDULES}.ResumeSchedule", name=standing["name"], catch_up=False)


def remove(google: Google, parent: str, identifier: str, display_name: str) -> None:
    """Delete schedule and monitor; what is gone already is no error."""
    standing = schedule(google, parent, display_name)
    if standing is not None:
        google.call(f"{_SCHEDULES}.DeleteSchedule", name=standing["name"])
    found = find(google, parent, identifier)
    if found is not None:
        google.call(f"{_MONITORS}.DeleteModelMonitor", name=found["name"], force=True)


def _parent(name: str) -> str:
    return "/".join(name.split("/")[:4])
