"""Alert policies of Cloud Monitoring: what is watched there, and which channels are told.

Google gives a policy its name; ours is the display name, and the user labels say whose it is. The document is an
AlertPolicy's `conditions`, `combiner`, `documentation`, `alert_strategy`, `severity` and `user_labels`, with `name`,
`channels` (display names of notification channels), and `metric`: the MetricDescriptor of a metric of ours that the
conditions speak of, because Google refuses a policy for a metric that it has never seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudml_vertex.hosting import channels
from cloudml_vertex.hosting.port import Document, Failed, Google

METRIC = "custom.googleapis.com/cloudml/alerts"
"""Of which each message of an alert is a point (`container.alarms`)."""
_SERVICE = "AlertPolicyService"
_SENT = ("documentation", "user_labels", "conditions", "combiner", "alert_strategy", "severity")
_NAMED = ("name",)


def find(google: Google, project: str, name: str) -> Document | None:
    """The policy of that display name, as Google tells it."""
    asked = f'display_name="{name}"'
    rpc = f"{_SERVICE}.ListAlertPolicies"
    return next(google.pages(rpc, "alert_policies", name=f"projects/{project}", filter=asked), None)


def read(google: Google, project: str, document: Document) -> Document | None:
    """What there is, as the document has it; of the metric's descriptor only that it is there."""
    found = find(google, project, document["name"])
    if found is None:
        return None
    known = {name: display for display, name in channels.names(google, project).items()}
    told = sorted(known.get(one, one) for one in found.get("notification_channels", ()))
    live: Document = {"name": document["name"], "channels": told}
    live |= {key: _plain(found[key]) for key in _SENT if key in document and key in found}
    if "metric" in document and _described(google, project, document["metric"]):
        live["metric"] = document["metric"]
    return live


def _plain(value: Any) -> Any:
    """Without the names that Google gives to conditions."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items() if key not in _NAMED}
    return value


def _described(google: Google, project: str, metric: Document) -> bool:
    name = f"projects/{project}/metricDescriptors/{metric['type']}"
    return google.find("MetricService.GetMetricDescriptor", name=name) is not None


def create(google: Google, project: str, document: Document) -> None:
    """Make the policy; one that is there is brought to it. Raises Failed: a channel is not there."""
    if "metric" in document and not _described(google, project, document["metric"]):
        google.call(
            "MetricService.CreateMetricDescriptor", name=f"projects/{project}", metric_descriptor=document["metric"]
        )
    found = find(google, project, document["name"])
    policy = _sent(google, project, document)
    if found is None:
        google.call(f"{_SERVICE}.CreateAlertPolicy", name=f"projects/{project}", alert_policy=policy)
        return
    mask = ",".join((*(key for key in _SENT if key in policy), "notification_channels"))
    policy["name"] = found["name"]
    google.call(f"{_SERVICE}.UpdateAlertPolicy", alert_policy=policy, update_mask=mask)


def _sent(google: Google, project: str, document: Document) -> Document:
    known = channels.names(google, project)
    missing = [one for one in document["channels"] if one not in known]
    if missing:
        raise Failed(f"the alert policy {document['name']} names channels that are not there: {', '.join(missing)}")
    policy = {key: document[key] for key in _SENT if key in document}
    told = [known[one] for one in document["channels"]]
    return {"display_name": document["name"], **policy, "notification_channels": told, "enabled": True}


def delete(google: Google, project: str, name: str) -> None:
    """What is gone already is no error; the metric's descriptor stays, for others speak of it too."""
    found = find(google, project, name)
    if found is not None:
        google.call(f"{_SERVICE}.DeleteAlertPolicy", name=found["name"])


def every(google: Google, project: str) -> Iterator[tuple[str, dict[str, str]]]:
    """All policies of the project: display name and labels."""
    for one in google.pages(f"{_SERVICE}.ListAlertPolicies", "alert_policies", name=f"projects/{project}"):
        yield str(one.get("display_name", "")), one.get("user_labels", {})
