"""Objects of the target's bucket, through Google's own client of Cloud Storage. Keys lie below no prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudml_vertex.world import World

_CLIENT = "objects.client"
SECONDS = 60.0
"""That one answer may take."""


def _bucket(world: World) -> Any:
    """The bucket; the client is made once, when it is first needed. It reads STORAGE_EMULATOR_HOST by itself."""
    if _CLIENT not in world.memory:
        from google.cloud import storage

        world.memory[_CLIENT] = storage.Client(project=world.place.account)
    return world.memory[_CLIENT].bucket(world.place.bucket)


def get(world: World, key: str) -> tuple[bytes, int] | None:
    """The content of an object and its generation; None when there is no such object."""
    from google.api_core.exceptions import NotFound

    blob = _bucket(world).blob(key)
    try:
        content: bytes = blob.download_as_bytes(timeout=SECONDS)
    except NotFound:
        return None
    return content, int(blob.generation)
