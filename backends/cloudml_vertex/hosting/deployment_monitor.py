"""Model monitoring v1: a ModelDeploymentMonitoringJob for an endpoint, with a configuration for each deployed model.

A configuration names a DeployedModel by its id, so that every swap changes the job: what is deployed is read again each
time. The interval is a number of whole hours. Sources: the docstrings of google.cloud.aiplatform.v1's messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from cloudml_vertex.hosting.port import Document, Failed, Google, overlaid

ENDPOINT_LABEL = "cloudml-endpoint"
"""The id of the endpoint: jobs cannot be listed by endpoint."""
CONFIGS = "model_deployment_monitoring_objective_configs"
SCHEDULE = "model_deployment_monitoring_schedule_config"
ALERTS = "model_monitoring_alert_config"
SAMPLING = "logging_sampling_strategy"
_MUTABLE = (CONFIGS, SCHEDULE, ALERTS, SAMPLING, "labels")
_SERVICE = "JobService"
_KIND = "ModelDeploymentMonitoringJob"
_MEMBER = "model_deployment_monitoring_job"
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
_WAITS = 120
"""Looks at a job that begins, seconds apart at last."""

Kinds = Mapping[str, str]
"""`number` or `category`, by feature."""


def jobs(google: Google, parent: str, wanted: str) -> Iterator[Document]:
    """The jobs that a filter takes."""
    rpc = f"{_SERVICE}.List{_KIND}s"
    yield from google.pages(rpc, "model_deployment_monitoring_jobs", parent=parent, filter=wanted)


def find(google: Google, parent: str, display_name: str) -> Document | None:
    """The job of that display name; None when there is none."""
    return next(jobs(google, parent, f'display_name="{display_name}"'), None)


def desired(document: Document, endpoint: Document, kinds: Kinds, leaving: Collection[str] = ()) -> Document:
    """The job as it has to be, for what is deployed there but what is `leaving`."""
    config = _objective(document, kinds)
    labels = {**document["labels"], ENDPOINT_LABEL: str(endpoint["name"]).rpartition("/")[2]}
    job: Document = {
        "display_name": document["display_name"],
        "endpoint": endpoint["name"],
        CONFIGS: [{"deployed_model_id": one, "objective_config": config} for one in deployed(endpoint, leaving)],
        SCHEDULE: {"monitor_interval": _seconds(document["interval"]), "monitor_window": _seconds(document["window"])},
        SAMPLING: {"random_sample_config": {"sample_rate": document["sample"]}},
        ALERTS: {"email_alert_config": {"user_emails": document["emails"]}, "enable_logging": True},
        "stats_anomalies_base_directory": {"output_uri_prefix": f"{document['folder']}/native/statistics"},
        "labels": labels,
    }
    if document.get("kms"):
        job["encryption_spec"] = {"kms_key_name": document["kms"]}
    return overlaid(job, document.get("native", ()))


def _seconds(value: float) -> str:
    return f"{int(value)}s"


def _objective(document: Document, kinds: Kinds) -> Document:
    """Skew of each feature that has a limit for its kind: Vertex AI takes js for numbers, linf for categories."""
    limits = document["limits"]
    of = {"number": limits.get("js"), "category": limits.get("linf")}
    thresholds = {name: {"value": of[kind]} for name, kind in sorted(kinds.items()) if of[kind] is not None}
    if not thresholds:
        raise Failed(
            "no feature has a limit: Vertex AI judges numbers by `js` and categories by `linf`, and the baseline has "
            f"{', '.join(sorted(set(kinds.values()))) or 'neither'}"
        )
    data = {"gcs_source": {"uris": [document["baseline"]]}, "data_format": "jsonl"}
    return {
        "training_dataset": data,
        "training_prediction_skew_detection_config": {"skew_thresholds": thresholds},
    }


def deployed(endpoint: Document, leaving: Collection[str] = ()) -> list[str]:
    """Ids of the deployed models that stay, in order."""
    return sorted(str(one["id"]) for one in endpoint.get("deployed_models", ()) if str(one["id"]) not in leaving)


def ensure(
    google: Google,
    document: Document,
    endpoint: Document,
    kinds: Kinds,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make it so; what is so already stays. Raises Failed: nothing is deployed, or Vertex AI gives the job up."""
    job = desired(document, endpoint, kinds)
    if not job[CONFIGS]:
        raise Failed(f"the endpoint {endpoint['name']} serves nothing that could be monitored")
    parent = _parent(str(endpoint["name"]))
    found = find(google, parent, document["display_name"])
    if found is not None and (found.get("state") == "JOB_STATE_FAILED" or not _of(found, endpoint)):
        remove(google, found)
        found = None
    if found is None:
        made = google.call(f"{_SERVICE}.Create{_KIND}", parent=parent, **{_MEMBER: job})
        _begun(google, made["name"], sleep)
        return
    change(google, found, job)


def _of(found: Document, endpoint: Document) -> bool:
    """Whether a job is of that endpoint. By the ids: names hold the project's id or its number."""
    return str(found["endpoint"]).rpartition("/")[2] == str(endpoint["name"]).rpartition("/")[2]


def change(google: Google, found: Document, job: Document) -> bool:
    """Bring what differs to a job that is there; whether anything did."""
    fields = [name for name in _MUTABLE if not same(found.get(name), job[name])]
    if fields:
        patch = {"name": found["name"], **{name: job[name] for name in fields}}
        google.call(f"{_SERVICE}.Update{_KIND}", update_mask=",".join(fields), **{_MEMBER: patch})
    return bool(fields)


def same(found: Any, wanted: Any) -> bool:
    """Whether what is wanted is there; what Vertex AI adds by itself counts for nothing."""
    if isinstance(wanted, Mapping):
        there = {} if found is None else found
        return isinstance(there, Mapping) and all(same(there.get(key), value) for key, value in wanted.items())
    if not wanted:
        return not found
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(same, found, wanted))
    return bool(found == wanted)


def _begun(google: Google, name: str, sleep: Callable[[float], None]) -> None:
    """Wait until the job has looked at the baseline. Raises Failed."""
    for turn in range(_WAITS):
        found = google.find(f"{_SERVICE}.Get{_KIND}", name=name)
        if found is None:
            raise Failed(f"the monitoring job {name} is gone")
        if found["state"] == "JOB_STATE_FAILED":
            reason = found.get("error", {}).get("message") or "Vertex AI gives no reason"
            raise Failed(f"the monitoring job {name} could not begin: {reason}")
        if found["state"] != "JOB_STATE_PENDING":
            return
        sleep(PAUSES[min(turn, len(PAUSES) - 1)])
    raise Failed(f"the monitoring job {name} is still pending; the same command again goes on waiting")


def _parent(name: str) -> str:
    return "/".join(name.split("/")[:4])


def follow(google: Google, endpoint: Document, leaving: Collection[str] = ()) -> list[str]:
    """Let every job of the endpoint look at what is deployed now; the names of those that changed.

    `leaving`: ids that are about to be undeployed. Of several configurations the first one is the pattern: all of a
    job's are alike. A job that would have nothing to look at stays as it is.
    """
    identifier = str(endpoint["name"]).rpartition("/")[2]
    ids = deployed(endpoint, leaving)
    changed = []
    for found in list(jobs(google, _parent(str(endpoint["name"])), f'labels.{ENDPOINT_LABEL}="{identifier}"')):
        configs = found.get(CONFIGS, [])
        if not ids or not configs or sorted(str(one["deployed_model_id"]) for one in configs) == ids:
            continue
        pattern = configs[0]["objective_config"]
        patch = {
            "name": found["name"],
            CONFIGS: [{"deployed_model_id": one, "objective_config": pattern} for one in ids],
        }
        google.call(f"{_SERVICE}.Update{_KIND}", update_mask=CONFIGS, **{_MEMBER: patch})
        changed.append(str(found["name"]))
    return changed


def pause(google: Google, found: Document) -> None:
    """Stop looking until it is resumed; one that does not run stays as it is."""
    if found.get("state") == "JOB_STATE_RUNNING":
        google.call(f"{_SERVICE}.Pause{_KIND}", name=found["name"])


def resume(google: Google, found: Document) -> None:
    """Look again, an interval from now."""
    if found.get("state") == "JOB_STATE_PAUSED":
        google.call(f"{_SERVICE}.Resume{_KIND}", name=found["name"])


def remove(google: Google, found: Document) -> None:
    """Delete the job; statistics that it wrote stay in the bucket."""
    google.call(f"{_SERVICE}.Delete{_KIND}", name=found["name"])
