"""Room `registry`: model package groups, model packages and their approval, model cards."""

from __future__ import annotations

from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.registry import cards, create, groups, packages

__all__ = ["cards", "create", "groups", "install", "packages"]


def install(world: World) -> None:
    """Nothing runs here by itself, and nothing is left unfinished by a kill: documents are all there is."""
