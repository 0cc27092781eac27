"""Room `monitors`: model monitoring v1 (of deployments) and v2 (of model versions), both really computed."""

from __future__ import annotations

from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.monitors import deployment_jobs, model_monitors, monitoring_jobs, searching

__all__ = ["deployment_jobs", "install", "model_monitors", "monitoring_jobs", "searching"]


def install(world: World) -> None:
    """Register works, and go on with what the store holds."""
    deployment_jobs.install(world)
    model_monitors.install(world)
    monitoring_jobs.install(world)
