"""Notification channels of Cloud Monitoring: e-mails are kept, Pub/Sub messages are published."""

from __future__ import annotations

import re

from cloudml.mocks.store import Table
from cloudml_vertex.mock.around.projects import account_of, shown
from cloudml_vertex.mock.core import labels, masks, names, notices
from cloudml_vertex.mock.core.entries import everywhere
from cloudml_vertex.mock.core.errors import failed_precondition, invalid, not_executed, not_found
from cloudml_vertex.mock.core.listing import listed, page
from cloudml_vertex.mock.core.operations import Call, Document, rpc

POLICIES = "AlertPolicy"
_RULES = {
    "email": ("email_address", re.compile(r"[^@\s]+@[^@\s]+")),
    "pubsub": ("topic", re.compile(r"projects/[^/]+/topics/[^/]+")),
}
"""The label that a channel of that type must have, and what it must be."""
_OTHERS = frozenset(
    {"webhook_tokenauth", "webhook_basicauth", "slack", "sms", "pagerduty", "campfire", "hipchat", "google_chat"}
)
_CHANGEABLE = ("display_name", "description", "labels", "user_labels", "enabled")


def _table(call: Call) -> Table:
    return call.world.table(notices.CHANNELS, everywhere(call.scope.account))


def _found(call: Call) -> Document:
    names.parse(call.name, "projects/*/notificationChannels/*")
    found = _table(call).get(call.name)
    if found is None:
        raise not_found(shown(call.world, call.name))
    return found


def _check(channel: Document) -> None:
    kind = str(channel.get("type_", ""))
    if kind in _OTHERS:
        raise not_executed(f"The notification channel type {kind}", "use email or pubsub")
    if kind not in _RULES:
        raise invalid(f"notification_channel.type: {kind!r} is no type of notification channels.")
    key, rule = _RULES[kind]
    given = channel.get("labels", {})
    if set(given) != {key} or not rule.fullmatch(str(given[key])):
        raise invalid(f"notification_channel.labels: a channel of type {kind} needs a valid {key!r} and nothing else.")
    labels.display_name(channel.get("display_name"), "notification_channel.display_name", required=False)
    labels.check(channel.get("user_labels"), "notification_channel.user_labels")


@rpc("NotificationChannelService.CreateNotificationChannel", executes="channels send")
def create_notification_channel(call: Call) -> Document:
    """Types email and pubsub. (The Python proto calls the field `type_`.)"""
    channel = dict(call.params.get("notification_channel", {}))
    _check(channel)
    account = account_of(call.world, str(call.params.get("name", "")))
    key = f"projects/{account}/notificationChannels/{names.new_id(call.world, notices.CHANNELS)}"
    record = {"mutate_time": call.stamp}
    channel.update(name=shown(call.world, key), creation_record=record, mutation_records=[record])
    channel.setdefault("enabled", True)
    return _table(call).put(key, channel)


@rpc("NotificationChannelService.GetNotificationChannel")
def get_notification_channel(call: Call) -> Document:
    """One channel."""
    return _found(call)


@rpc("NotificationChannelService.ListNotificationChannels")
def list_notification_channels(call: Call) -> Document:
    """By type, display_name, labels, user_labels, enabled."""
    fields = {"type": "type_", **{key: key for key in ("name", *_CHANGEABLE)}}
    result = listed(call, _table(call), "notification_channels", filters=fields, order=fields, default_order="name")
    return {**result, "total_size": len(_table(call))}


@rpc("NotificationChannelService.UpdateNotificationChannel")
def update_notification_channel(call: Call) -> Document:
    """By mask; without one the channel is replaced."""
    before, patch = _found(call), call.params["notification_channel"]
    paths = call.params.get("update_mask") or list(_CHANGEABLE)
    changed = masks.apply(before, patch, paths, _CHANGEABLE)
    _check(changed)
    changed.setdefault("enabled", True)
    changed["mutation_records"] = [*before.get("mutation_records", []), {"mutate_time": call.stamp}][-10:]
    return _table(call).put(call.name, changed)


@rpc("NotificationChannelService.DeleteNotificationChannel")
def delete_notification_channel(call: Call) -> None:
    """One that alert policies use goes by force only, which takes it out of them (`force` of the request)."""
    _found(call)
    policies = call.world.table(POLICIES, everywhere(call.scope.account))
    users = [
        (key, row)
        for key, row in policies.items()
        if any(notices.channel_key(call.world, name) == call.name for name in row.get("notification_channels", []))
    ]
    if users and not call.params.get("force"):
        raise failed_precondition(f"The notification channel is used by {len(users)} alert policies; force is not set.")
    for key, row in users:
        left = [name for name in row["notification_channels"] if notices.channel_key(call.world, name) != call.name]
        policies.put(key, {**row, "notification_channels": left})
    _table(call).delete(call.name)


@rpc("NotificationChannelService.ListNotificationChannelDescriptors")
def list_channel_descriptors(call: Call) -> Document:
    """The types that send here."""
    return page(call, [_descriptor(call, kind) for kind in sorted(_RULES)], "channel_descriptors")


@rpc("NotificationChannelService.GetNotificationChannelDescriptor")
def get_channel_descriptor(call: Call) -> Document:
    """One type."""
    kind = names.id_of(call.name)
    if kind not in _RULES:
        raise not_found(shown(call.world, call.name))
    return _descriptor(call, kind)


def _descriptor(call: Call, kind: str) -> Document:
    name = f"projects/{call.world.project_id(call.scope.account)}/notificationChannelDescriptors/{kind}"
    return {"name": name, "type_": kind, "display_name": kind.title(), "labels": [{"key": _RULES[kind][0]}]}
