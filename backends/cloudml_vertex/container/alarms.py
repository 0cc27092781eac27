"""Messages that Cloud Monitoring mails: each is a point of a metric of ours, for which an alert policy waits.

Pub/Sub sends no mail. A policy opens an incident for each of a metric's series, and mails when one opens: so every
message is a series of its own, told by its subject and its minute, which the policy's text quotes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from cloudml.jobs.control.posting import Message
from cloudml_vertex.container import google
from cloudml_vertex.container.control import telling
from cloudml_vertex.container.google import GoogleError
from cloudml_vertex.hosting.alert_policies import METRIC


def tell(project: str, labels: Mapping[str, str], message: Message) -> str:
    """Write the point; what went wrong, else empty. `project`: `projects/<id>`; `labels`: which alert it is of."""
    now = datetime.now(UTC)
    told = {**labels, "subject": message.subject, "at": f"{now:%Y-%m-%dT%H:%MZ}"}
    try:
        telling.write(google, project, [telling.point(project, METRIC, told, 1.0, now)])
    except GoogleError as error:
        return f"the message was not taken by Cloud Monitoring: {error}"
    return ""
