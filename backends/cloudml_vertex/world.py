"""Everything that the rooms of this backend need of the outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudml_vertex.hosting.port import Google
from cloudml_vertex.target import Place


@dataclass(frozen=True)
class World:
    """`client` asks Google; `source`: where the project's modules lie.

    `memory` is what a room keeps between two calls, by its own keys: nothing that Google could change.
    """

    client: Google
    place: Place
    source: Path
    memory: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
