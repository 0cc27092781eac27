"""Notification channels of Cloud Monitoring: mail addresses that alert policies tell.

Google gives a channel its name; ours is the display name, and the user labels say whose it is. The document: `name`,
`type` (`email`), `labels` (`email_address`), `user_labels`.
"""

from __future__ import annotations

from collections.abc import Iterator

from cloudml_vertex.hosting.port import Document, Google

_SERVICE = "NotificationChannelService"
_SENT = ("type", "labels", "user_labels")


def find(google: Google, project: str, name: str) -> Document | None:
    """The channel of that display name, as Google tells it."""
    asked = f'display_name="{name}"'
    rpc = f"{_SERVICE}.ListNotificationChannels"
    return next(google.pages(rpc, "notification_channels", name=f"projects/{project}", filter=asked), None)


def read(google: Google, project: str, name: str) -> Document | None:
    """What there is, as the document has it."""
    found = find(google, project, name)
    return None if found is None else {"name": name, **{key: found.get(key, {}) for key in _SENT}}


def _sent(document: Document) -> Document:
    return {"display_name": document["name"], **{key: document[key] for key in _SENT}}


def create(google: Google, project: str, document: Document) -> None:
    """Make the channel; one that is there is brought to it."""
    if find(google, project, document["name"]) is not None:
        update(google, project, document)
        return
    name = f"projects/{project}"
    google.call(f"{_SERVICE}.CreateNotificationChannel", name=name, notification_channel=_sent(document))


def update(google: Google, project: str, document: Document) -> None:
    """Bring address and labels."""
    found = find(google, project, document["name"])
    if found is not None:
        channel = {"name": found["name"], **_sent(document)}
        rpc = f"{_SERVICE}.UpdateNotificationChannel"
        google.call(rpc, notification_channel=channel, update_mask="labels,user_labels")


def delete(google: Google, project: str, name: str) -> None:
    """Also where a policy still names it, which is then told no more; what is gone already is no error."""
    found = find(google, project, name)
    if found is not None:
        google.call(f"{_SERVICE}.DeleteNotificationChannel", name=found["name"], force=True)


def every(google: Google, project: str) -> Iterator[tuple[str, dict[str, str]]]:
    """All channels of the project: display name and labels."""
    rpc = f"{_SERVICE}.ListNotificationChannels"
    for one in google.pages(rpc, "notification_channels", name=f"projects/{project}"):
        yield str(one.get("display_name", "")), one.get("user_labels", {})


def names(google: Google, project: str) -> dict[str, str]:
    """Google's names by display names."""
    rpc = f"{_SERVICE}.ListNotificationChannels"
    found = google.pages(rpc, "notification_channels", name=f"projects/{project}")
    return {str(one.get("display_name", "")): str(one["name"]) for one in found}
