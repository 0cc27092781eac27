"""Alert channels: a Pub/Sub topic for each that the pipeline declares, but those that only write to the log.

A topic is where people's programs subscribe. Slack, PagerDuty and webhooks are posted to by the job that sends, in the
form that they take; an address that is a secret is in no document, the job reads it. Pub/Sub sends no mail: a mail
address is a notification channel of Cloud Monitoring, told by an alert policy that waits for the points which a job
writes for each message (`container.alarms`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from cloudml import spec
from cloudml.errors import Diagnostic
from cloudml.plan import Resource
from cloudml_vertex import names
from cloudml_vertex.compile.port import Compiling, Document, Wires
from cloudml_vertex.hosting.alert_policies import METRIC

MOST_ADDRESSES = 16
"""Notification channels of one alert policy (Cloud Monitoring, "Quotas and limits")."""
LONGEST_ADDRESS = 254
"""Characters of a mail address (RFC 5321)."""
_POSTED = frozenset({"slack", "pagerduty", "webhook"})
"""Channels that a job posts to itself."""
_LABELS = ("project", "target", "pipeline", "alert", "subject", "at")
_CLOSE = "1800s"
"""An incident closes so long after its point; Cloud Monitoring takes no less."""


def notify_action(context: Compiling, step: spec.NotifyStep, wiring: Wires) -> Document:
    """The action of a step that sends a message to the channels."""
    return {
        "name": "notify",
        "alerts": channels(context, step.alerts),
        "message": step.message,
        "arguments": {one.name: wiring.value(one.value) for one in step.arguments},
    }


def resources(context: Compiling) -> list[Resource]:
    """What the pipeline's alerts need; addresses that cannot be are findings (CML348)."""
    found: list[Resource] = []
    for alert in context.pipeline.alerts:
        if alert.channel == "log":
            continue
        found.append(_topic(context, alert))
        mails = [_channel(context, alert, address) for address in addresses(context, alert)]
        if mails:
            found += [*mails, _policy(context, alert, [one.name for one in mails])]
    return found


def _labels(context: Compiling, alert: spec.Alert) -> dict[str, str]:
    place = context.place
    own = {**place.identity(context.pipeline.name), "cloudml-alert": names.label(alert.name)}
    return {**dict(place.labels), **own}


def _topic(context: Compiling, alert: spec.Alert) -> Resource:
    name = topic_name(context, alert)
    document: Document = {"name": name, "labels": _labels(context, alert)}
    if context.place.kms:
        document["kms"] = context.place.kms
    if note := _note(context, alert):
        document["note"] = note
    return Resource.of("topic", name, document)


def topic_name(context: Compiling, alert: spec.Alert) -> str:
    """Told apart from all other names by the slashes, which no author's name holds."""
    return context.resource_name(f"{context.pipeline.name}/alert/{alert.name}")


def topic(context: Compiling, alert: spec.Alert) -> str:
    """The topic's resource name."""
    return f"projects/{context.place.account}/topics/{topic_name(context, alert)}"


def channels(context: Compiling, wanted: Iterable[str]) -> list[Document]:
    """Alerts as a job sends to them: `topic`; `target` or the name of a `secret` where it posts itself; `alarm`."""
    asked = set(wanted)
    return [_sent(context, one) for one in context.pipeline.alerts if one.name in asked]


def _sent(context: Compiling, alert: spec.Alert) -> Document:
    found: Document = {"name": alert.name, "channel": alert.channel}
    if alert.channel != "log":
        found["topic"] = topic(context, alert)
    if alert.channel in _POSTED and isinstance(alert.target, spec.SecretRef):
        found["secret"] = alert.target.name
    elif alert.channel in _POSTED and alert.target is not None:
        found["target"] = alert.target
    if alert.channel == "email" and isinstance(alert.target, str):
        found["alarm"] = {"project": f"projects/{context.place.account}", "labels": _about(context, alert)}
    return found


def _about(context: Compiling, alert: spec.Alert) -> dict[str, str]:
    """Labels of the metric's points that tell the alert."""
    place = context.place
    return {
        "project": place.project, "target": place.target, "pipeline": context.pipeline.name, "alert": alert.name,
    }  # fmt: skip


def addresses(context: Compiling, alert: spec.Alert) -> list[str]:
    """The mail addresses that stand in the pipeline. Findings: CML348."""
    if alert.channel == "webhook" and isinstance(alert.target, str) and not alert.target.startswith("https://"):
        _refuse(context, alert, f"{alert.target!r} is no https address", "messages are sent over https only")
    if alert.channel != "email" or not isinstance(alert.target, str):
        return []
    found = list(dict.fromkeys(one.strip() for one in alert.target.split(",") if one.strip()))
    for address in found:
        if "@" not in address or len(address) > LONGEST_ADDRESS:
            _refuse(context, alert, f"{address!r} is no mail address", "write name@example.com")
    if len(found) > MOST_ADDRESSES:
        message = f"it has {len(found)} addresses, and an alert policy of Cloud Monitoring tells {MOST_ADDRESSES}"
        _refuse(context, alert, message, "write to a mailing list")
    return found


def _channel(context: Compiling, alert: spec.Alert, address: str) -> Resource:
    name = f"{topic_name(context, alert)}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"
    document: Document = {
        "name": name, "type": "email", "labels": {"email_address": address}, "user_labels": _labels(context, alert),
    }  # fmt: skip
    return Resource.of("channel", name, document)


def _policy(context: Compiling, alert: spec.Alert, told: list[str]) -> Resource:
    name = topic_name(context, alert)
    about = "".join(f" AND metric.labels.{key}={json.dumps(value)}" for key, value in _about(context, alert).items())
    threshold = {
        "filter": f'metric.type="{METRIC}" AND resource.type="global"{about}',
        "comparison": "COMPARISON_GT",  # than 0, which is what no threshold means
        "duration": "0s",
        "aggregations": [{"alignment_period": "60s", "per_series_aligner": "ALIGN_MAX"}],
    }
    document: Document = {
        "name": name,
        "channels": sorted(told),
        "combiner": "OR",
        "conditions": [{"display_name": f"a message to {alert.name}", "condition_threshold": threshold}],
        "documentation": {
            "content": f"${{metric.label.subject}}\n\nAlert {alert.name} of the pipeline {context.pipeline.name}; the "
            "whole message is in the job's log.",
            "mime_type": "text/markdown",
        },
        "alert_strategy": {"auto_close": _CLOSE},
        "metric": {
            "type": METRIC,
            "metric_kind": "GAUGE",
            "value_type": "DOUBLE",
            "description": "Messages of cloudml's alerts",
            "labels": [{"key": key} for key in _LABELS],
        },
        "user_labels": _labels(context, alert),
    }
    return Resource.of("alert_policy", name, document)


def _refuse(context: Compiling, alert: spec.Alert, message: str, hint: str) -> None:
    finding = Diagnostic("CML348", f"alert {alert.name}", message, hint)
    if finding not in context.findings:
        context.findings.append(finding)


def _note(context: Compiling, alert: spec.Alert) -> str:
    """What a person has to do, because Google cannot."""
    if alert.channel == "email" and not isinstance(alert.target, str):
        how = f"`gcloud pubsub subscriptions create … --topic {topic_name(context, alert)}`"
        return f"no address stands in the pipeline: subscribe to the topic, {how}"
    if alert.target is None:
        return f"nothing listens yet: connect the topic to {_LISTENERS.get(alert.channel, 'whoever is to know')}"
    return ""


_LISTENERS = {"slack": "a Slack app that subscribes to it", "pagerduty": "a program that posts PagerDuty's events"}
