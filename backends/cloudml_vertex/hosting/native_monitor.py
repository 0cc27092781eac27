"""Vertex AI's own model monitoring, made, changed, followed and removed: v1 of an endpoint, v2 of a model's version.

The document is the resource's: `engine` (`v1`, `v2`), `id`, `display_name`, `endpoint` (the id of the endpoint),
`parent`, `labels`, `limits` by statistic, `interval` and `window` (seconds), `cron` (v2), `sample`, `emails`, `folder`,
`kms`. What is normal, only a run knows: it keeps `data` at `data_uri` (`baseline`: the gs:// address of the rows;
`kinds`: `number` or `category` by column), so that the command line can bring a change of the limits too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from cloudml_vertex.hosting import deployment_monitor, model_monitor
from cloudml_vertex.hosting.deployment_monitor import same
from cloudml_vertex.hosting.port import Document, Failed, Google

__all__ = ["data_uri", "ensure", "follow", "pause", "problem", "read", "remove", "resume"]

V1, V2 = "v1", "v2"
_SHOWN = {
    deployment_monitor.CONFIGS: "limits",
    deployment_monitor.SCHEDULE: "interval",
    deployment_monitor.SAMPLING: "sample",
    deployment_monitor.ALERTS: "emails",
    "labels": "labels",
}
"""Of a v1 job's fields: the member of the document that a difference is told of."""
_SHOWN_V2 = {
    "tabular_objective": "limits",
    "training_dataset": "folder",
    "notification_spec": "emails",
    "model_monitoring_target": "endpoint",
}


def data_uri(document: Document) -> str:
    """The object that says what is normal."""
    return f"{document['folder']}/native/data.json"


def endpoint_name(document: Document) -> str:
    """The endpoint's resource name."""
    return f"{document['parent']}/endpoints/{document['endpoint']}"


def _endpoint(google: Google, document: Document) -> Document:
    found = google.find("EndpointService.GetEndpoint", name=endpoint_name(document))
    if found is None:
        raise Failed(f"there is no endpoint {document['endpoint']}: run the pipeline, its deploy step makes it")
    return found


def ensure(google: Google, document: Document, data: Document, sleep: Callable[[float], None] = time.sleep) -> None:
    """Make it so; what is so already stays. Raises Failed."""
    endpoint = _endpoint(google, document)
    whole = {**document, "baseline": data["baseline"]}
    if document["engine"] == V2:
        model_monitor.ensure(google, whole, endpoint, data["kinds"])
    else:
        deployment_monitor.ensure(google, whole, endpoint, data["kinds"], sleep)


def follow(google: Google, endpoint: Document, leaving: Collection[str] = ()) -> list[str]:
    """After a swap: let all monitors of an endpoint look at what it serves now; the names of those that changed.

    `endpoint`: as GetEndpoint tells it after the change. `leaving`: deployed models that are about to be taken away:
    call it with them before, because v1 names what it looks at.
    """
    return [
        *deployment_monitor.follow(google, endpoint, leaving),
        *(model_monitor.follow(google, endpoint) if endpoint.get("traffic_split") else ()),
    ]


def read(google: Google, document: Document, data: Document | None) -> Document | None:
    """What there is, in the form of the document; None when there is none. `data`: None when no run has kept it.

    Members whose part of the job or monitor is as it has to be are told as the document has them, others as they are.
    """
    parent = document["parent"]
    endpoint = google.find("EndpointService.GetEndpoint", name=endpoint_name(document))
    if document["engine"] == V2:
        found = model_monitor.find(google, parent, document["id"])
        standing = model_monitor.schedule(google, parent, document["display_name"])
        if found is None or standing is None:
            return None
        shown = {**document, "cron": standing.get("cron", "")}
        return _told(shown, found, _wanted(document, endpoint, data), _SHOWN_V2)
    found = deployment_monitor.find(google, parent, document["display_name"])
    if found is None:
        return None
    return _told(document, found, _wanted(document, endpoint, data), _SHOWN)


def _wanted(document: Document, endpoint: Document | None, data: Document | None) -> Document:
    """As it has to be; nothing when that cannot be told (nothing is deployed, no run has put a baseline)."""
    if endpoint is None or data is None:
        return {}
    whole = {**document, "baseline": data["baseline"]}
    try:
        if document["engine"] == V2:
            return model_monitor.desired(whole, endpoint, data["kinds"])
        return deployment_monitor.desired(whole, endpoint, data["kinds"])
    except Failed:
        return {}


def _told(document: Document, found: Document, wanted: Document, shown: Mapping[str, str]) -> Document:
    told: dict[str, Any] = dict(document)
    for field, member in shown.items():
        if field in wanted and not same(found.get(field), wanted[field]):
            told[member] = found.get(field)
    return told


def problem(google: Google, document: Document) -> str:
    """What needs a person; empty when nothing does."""
    parent = document["parent"]
    if document["engine"] == V2:
        standing = model_monitor.schedule(google, parent, document["display_name"]) or {}
        return "its schedule is paused" if standing.get("state") == "PAUSED" else ""
    found = deployment_monitor.find(google, parent, document["display_name"]) or {}
    state = str(found.get("state", ""))
    if state in ("JOB_STATE_PAUSED", "JOB_STATE_FAILED"):
        reason = found.get("error", {}).get("message", "")
        return f"the monitoring job is {state.removeprefix('JOB_STATE_').lower()}{': ' if reason else ''}{reason}"
    return ""


def pause(google: Google, document: Document) -> None:
    """Stop looking; what is paused already stays so."""
    _switched(google, document, deployment_monitor.pause, model_monitor.pause)


def resume(google: Google, document: Document) -> None:
    """Look again."""
    _switched(google, document, deployment_monitor.resume, model_monitor.resume)


def _switched(
    google: Google,
    document: Document,
    of_job: Callable[[Google, Document], None],
    of_schedule: Callable[[Google, Document], None],
) -> None:
    second = document["engine"] == V2
    look = model_monitor.schedule if second else deployment_monitor.find
    found = look(google, document["parent"], document["display_name"])
    if found is None:
        raise Failed(f"there is no monitor {document['display_name']}: run the pipeline, its monitor step makes it")
    (of_schedule if second else of_job)(google, found)


def remove(google: Google, parent: str, identifier: str, display_name: str) -> None:
    """Delete whichever there is of the two; what is gone already is no error."""
    found = deployment_monitor.find(google, parent, display_name)
    if found is not None:
        deployment_monitor.remove(google, found)
    model_monitor.remove(google, parent, identifier, display_name)
