"""Alert channels: one SNS topic for each that the pipeline declares, but those that only write to the log.

A topic is where people and machines subscribe. Addresses that stand in the pipeline become its subscriptions where SNS
can reach them (mail, webhooks). Slack and PagerDuty take messages of their own form only: whoever sends one posts it to
the address itself. An address that is a secret is in no document: the job that sends reads it, and posts itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from cloudml import spec
from cloudml.errors import Diagnostic
from cloudml.plan import Resource
from cloudml_sagemaker.compile import control
from cloudml_sagemaker.compile.context import Context, Document
from cloudml_sagemaker.compile.jobs import Job, processing
from cloudml_sagemaker.compile.wiring import Wiring

LONGEST_ADDRESS = 2048
MOST_ADDRESSES = 14
"""A tag of the topic remembers 28 (`resources.topic.MOST`): those of before and of now, while they change."""
_POSTED = frozenset({"slack", "pagerduty"})
"""Channels whose messages have a form of their own."""


def emit_notify(context: Context, step: spec.NotifyStep) -> list[Document]:
    """Sends a message to the channels."""
    wiring = Wiring(context, context.position(step.name))
    action = {
        "name": "notify",
        "alerts": channels(context, step.alerts),
        "message": step.message,
        "arguments": {one.name: wiring.value(one.value) for one in step.arguments},
    }
    document = control.control(action, [])
    return [processing(context, Job(context.name(step.name), context.position(step.name), wiring, document))]


def topics(context: Context) -> list[Resource]:
    """The topics of the pipeline's alerts; addresses that cannot be subscribed are findings (CML348)."""
    found = []
    for alert in context.pipeline.alerts:
        if alert.channel == "log":
            continue
        name = topic_name(context, alert)
        labels = {**dict(context.place.tags), **control.identity(context), "cloudml:alert": alert.name}
        document: Document = {
            "Name": name,
            "Tags": [{"Key": key, "Value": value} for key, value in sorted(labels.items())],
            "Subscriptions": _subscriptions(context, alert),
        }
        if note := _note(context, alert):
            document["note"] = note
        found.append(Resource.of("topic", name, document))
    return found


def topic_name(context: Context, alert: spec.Alert) -> str:
    """Told apart from all other names by the slashes, which no author's name holds."""
    return context.resource_name(f"{context.pipeline.name}/alert/{alert.name}")


def topic_arn(context: Context, alert: spec.Alert) -> str:
    """As SNS names its topics."""
    place = context.place
    return f"arn:{place.partition}:sns:{place.region}:{place.account}:{topic_name(context, alert)}"


def channels(context: Context, wanted: Iterable[str]) -> list[Document]:
    """Alerts as a job sends to them: `TopicArn`, and `target` or the name of a `secret` where it posts itself."""
    asked = set(wanted)
    found = []
    for alert in context.pipeline.alerts:
        if alert.name not in asked:
            continue
        one: Document = {"name": alert.name, "channel": alert.channel}
        if alert.channel != "log":
            one["TopicArn"] = topic_arn(context, alert)
        if isinstance(alert.target, spec.SecretRef) and alert.channel in (*_POSTED, "webhook"):
            one["secret"] = alert.target.name
        elif isinstance(alert.target, str) and alert.channel in _POSTED:
            one["target"] = alert.target
        found.append(one)
    return found


def _subscriptions(context: Context, alert: spec.Alert) -> list[Document]:
    if not isinstance(alert.target, str) or alert.channel in _POSTED:
        return []
    if alert.channel == "email":
        addresses = [one.strip() for one in alert.target.split(",") if one.strip()]
        for address in addresses:
            if "@" not in address or len(address) > LONGEST_ADDRESS:
                _refuse(context, alert, f"{address!r} is no mail address", "write name@example.com")
        if len(addresses) > MOST_ADDRESSES:
            message = f"it has {len(addresses)} addresses, and cloudml keeps account of {MOST_ADDRESSES} for a topic"
            _refuse(context, alert, message, "write to a mailing list")
        return [{"Protocol": "email", "Endpoint": one} for one in dict.fromkeys(addresses)]
    if not alert.target.startswith("https://"):
        _refuse(context, alert, f"{alert.target!r} is no https address", "messages are sent over https only")
    return [{"Protocol": "https", "Endpoint": alert.target}]


def _refuse(context: Context, alert: spec.Alert, message: str, hint: str) -> None:
    context.findings.append(Diagnostic("CML348", f"alert {alert.name}", message, hint))


def _note(context: Context, alert: spec.Alert) -> str:
    """What a person has to do, because AWS cannot."""
    if alert.channel == "email" and not isinstance(alert.target, str):
        how = f"`aws sns subscribe --topic-arn {topic_arn(context, alert)} --protocol email --notification-endpoint …`"
        return f"no address stands in the pipeline: subscribe to the topic, {how}"
    if alert.channel == "email":
        return "each address must confirm the mail that SNS sends to it"
    if alert.channel == "webhook" and isinstance(alert.target, str):
        return "the address must confirm the subscription: it is sent a SubscribeURL that must be visited once"
    if alert.target is None:
        others = {"slack": "a Slack client of Amazon Q Developer in chat applications", "pagerduty": "PagerDuty's "
                  "integration URL for Amazon CloudWatch (protocol https)"}  # fmt: skip
        return f"nothing listens yet: connect the topic to {others.get(alert.channel, 'whoever is to know')}"
    return ""
