"""Room `around`: what Vertex AI's users stand among — Cloud Monitoring, Pub/Sub, Cloud Logging, projects, policies."""

from __future__ import annotations

from cloudml_vertex.mock.around import (
    alerting,
    channels,
    descriptors,
    logs,
    policies,
    projects,
    streaming,
    subscriptions,
    timeseries,
    topics,
)
from cloudml_vertex.mock.core.world import World

__all__ = [
    "channels",
    "descriptors",
    "install",
    "logs",
    "policies",
    "projects",
    "streaming",
    "subscriptions",
    "timeseries",
    "topics",
]


def install(world: World) -> None:
    """Go on evaluating the alert policies that the store holds."""
    alerting.resume(world)
