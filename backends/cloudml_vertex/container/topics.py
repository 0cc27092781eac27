"""Messages to topics of Pub/Sub."""

from __future__ import annotations

import base64

from cloudml.jobs.control.posting import Message
from cloudml_vertex.container.google import GoogleError, call


def publish(topic: str, message: Message) -> str:
    """Send it to `projects/*/topics/*`; what went wrong, else empty."""
    entry = {
        "data": base64.b64encode(message.text.encode()).decode(),
        "attributes": {"subject": message.subject, "source": message.source},
    }
    try:
        call("Publisher.Publish", topic=topic, messages=[entry])
    except GoogleError as error:
        return f"the message was not taken by {topic}: {error}"
    return ""
