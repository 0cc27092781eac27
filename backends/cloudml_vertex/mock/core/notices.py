"""Notices to people and programs: notification channels of Cloud Monitoring, and plain e-mails, which are kept."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_vertex.mock.core.entries import everywhere
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.world import World

log = logging.getLogger(__name__)

CHANNELS = "NotificationChannel"
"""The table of channels, by `projects/NUMBER/notificationChannels/ID`."""
EMAILS = "Email"
MOST_EMAILS = 1_000
"""E-mails of one project that are kept; the oldest go first."""


def notify(world: World, scope: Scope, channel_names: Iterable[str], message: Mapping[str, Any]) -> list[str]:
    """Send the message to each channel; returns the names of those that took it. Takes the world's lock.

    A Pub/Sub channel gets the message as JSON in `data`; an e-mail channel an e-mail that is kept. A channel that does
    not exist, is disabled, or whose topic refuses is passed over, as Cloud Monitoring does: a notice is never an error
    of what it tells about.
    """
    reached = []
    with world.lock:
        table = world.table(CHANNELS, everywhere(scope.account))
        for name in channel_names:
            channel = table.get(channel_key(world, name))
            if channel is None or channel.get("enabled") is False:
                log.info("the notification channel %s does not exist or is disabled", name)
            elif _send(world, scope, channel, message):
                reached.append(name)
    return reached


def channel_key(world: World, name: str) -> str:
    """A channel's name as tables have it: with the project's number."""
    parts = name.split("/")
    if len(parts) > 1:
        parts[1] = world.project_number(parts[1])
    return "/".join(parts)


def email(world: World, scope: Scope, to: Iterable[str], subject: str, message: Mapping[str, Any]) -> None:
    """Keep an e-mail to each address. Takes the world's lock."""
    with world.lock:
        table = world.table(EMAILS, everywhere(scope.account))
        for address in to:
            number = world.unique_number("email")
            row = {"to": address, "subject": subject, "message": dict(message), "at": world.stamp()}
            table.put(number, row)
        for name, _ in table.items()[: max(0, len(table) - MOST_EMAILS)]:
            table.delete(name)


def emails(world: World, scope: Scope) -> list[Document]:
    """The e-mails of the project, oldest first: to, subject, message, at. Takes the world's lock."""
    with world.lock:
        return [dict(row) for row in world.table(EMAILS, everywhere(scope.account))]


def _send(world: World, scope: Scope, channel: Document, message: Mapping[str, Any]) -> bool:
    labels = channel.get("labels", {})
    if channel["type_"] == "email":
        subject = str(message.get("subject") or message.get("summary") or "Notification")
        email(world, scope, [labels["email_address"]], subject, message)
        return True
    data = base64.b64encode(json.dumps(message).encode()).decode()
    try:
        world.call(scope, "Publisher.Publish", {"topic": labels["topic"], "messages": [{"data": data}]})
    except GoogleError as error:
        log.info("the channel %s could not publish: %s", channel["name"], error)
        return False
    return True
