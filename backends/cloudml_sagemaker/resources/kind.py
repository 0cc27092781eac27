"""Kinds of resources as SageMaker's backend has them: the world that they need, and how AWS's lists are compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from cloudml.remote import kind as remote
from cloudml.remote.kind import Live, Owned
from cloudml.remote.world import Cloud, Objects
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.target import Place

__all__ = ["Kind", "Live", "Owned", "World", "reduced"]


@dataclass(frozen=True)
class World:
    """Everything a kind needs. `source`: where the project's modules lie.

    `memory` is what a kind keeps between two calls, by its own keys: nothing that AWS could change.
    """

    client: Client
    place: Place
    source: Path
    memory: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def objects(self) -> Objects:
        """The objects of the target's bucket."""
        from cloudml_sagemaker.resources.cloud import Objects as OfS3

        return OfS3(self)

    @property
    def cloud(self) -> Cloud:
        """What `cloudml.remote` is told of AWS. Looked up late: the kinds are made of this module's types."""
        from cloudml_sagemaker.resources.cloud import CLOUD

        return CLOUD


Kind: TypeAlias = remote.Kind[World]
"""A kind of AWS's."""

_TAG = "Key"
_NAMES = (_TAG, "Name", "VariantName", "Id")
"""Members by which AWS's lists of objects tell one from another."""


def reduced(live: Any, declared: Any) -> Any:
    """`cloudml.remote.kind.reduced`; tags that are not declared vanish."""
    return remote.reduced(live, declared, _NAMES, _TAG)
