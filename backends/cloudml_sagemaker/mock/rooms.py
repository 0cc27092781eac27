"""The rooms, in the order in which they are installed: each enters its operations, subscribes, and goes on with what a
store from before holds unfinished."""

from __future__ import annotations

from importlib import import_module

from cloudml_sagemaker.mock.core.world import World

ROOMS = ("registry", "jobs", "tuning", "hosting", "transform", "pipelines", "monitors", "events", "tracking")


def load() -> None:
    """Import every room, so that its operations are in the table."""
    import_module("cloudml_sagemaker.mock.core.tags")
    for name in ROOMS:
        import_module(f"cloudml_sagemaker.mock.{name}")


def install(world: World) -> None:
    """Make every room part of the world."""
    load()
    for name in ROOMS:
        import_module(f"cloudml_sagemaker.mock.{name}").install(world)
