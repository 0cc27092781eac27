"""When something runs, and who is told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cloudml.spec.node import Name, Node, Seconds
from cloudml.spec.values import SecretRef


class Cron(Node):
    """Five cron fields (minute, hour, day of month, month, day of week) in a time zone of the IANA database."""

    kind: Literal["cron"] = "cron"
    expression: Annotated[str, Field(pattern=r"^\S+(\s+\S+){4}$")]
    timezone: str = "UTC"


class Every(Node):
    """A fixed interval in seconds, one minute at least."""

    kind: Literal["every"] = "every"
    interval: Annotated[float, Field(ge=60)]


Schedule = Annotated[Cron | Every, Field(discriminator="kind")]


class Alert(Node):
    """A channel for messages. The address (a webhook URL, a routing key, a mail address list) may be a secret."""

    name: Name
    channel: Literal["slack", "email", "webhook", "pagerduty", "log"]
    target: str | SecretRef | None = None


class Retrain(Node):
    """Start the pipeline again, `cooldown` seconds after the last time or later, at most `limit` times in `period`."""

    cooldown: Seconds = 86400.0
    limit: Annotated[int, Field(ge=1)] | None = None
    period: Seconds | None = None
