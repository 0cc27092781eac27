"""What is kept of a stopped endpoint: one object `<prefix>/endpoints/<EndpointName>.json`, so that it can be started.

The configuration and the model stay in SageMaker, where they cost nothing; this says which, and all that only the
endpoint knew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from cloudml_sagemaker.hosting import Document, reading
from cloudml_sagemaker.hosting.reading import Sight
from cloudml_sagemaker.objects import put
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.resources.tags import is_ours

__all__ = ["Kept", "made_at"]


class Kept:
    """The notes of a target's stopped endpoints, by their names in the account."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._client = world.client
        self._place = world.place
        self._folder = f"{world.place.prefix}/endpoints/"

    def write(self, sight: Sight) -> None:
        """Before the endpoint is deleted. Raises AwsError.

        A stop that was cut off has taken the scaling away already: then that of its note holds.
        """
        settings, before = reading.settings_of(self._client, sight), self.read(sight.name)
        if before is not None and "scaling" in before["settings"] and tells_of(before, sight):
            settings.setdefault("scaling", before["settings"]["scaling"])
        document = {
            "format": 1,
            "EndpointName": sight.name,
            "name": sight.tags.get("cloudml:endpoint", sight.name),
            "made": made_at(sight),
            "config": sight.found["EndpointConfigName"],
            "settings": settings,
            "tags": sight.tags,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        content = json.dumps(document, sort_keys=True, default=str).encode()
        put(self._world, self._place.bucket, self._key(sight.name), content)

    def read(self, name: str) -> Document | None:
        """The note; None when there is none of this project and target, or none that can be read. Raises AwsError."""
        try:
            found: Any = json.loads(self._client.read(f"s3://{self._place.bucket}/{self._key(name)}"))
        except ValueError:
            return None
        except AwsError as error:
            if error.kind == "missing":
                return None
            raise
        whole = isinstance(found, dict) and found.get("format") == 1
        return found if whole and is_ours(found.get("tags") or {}, self._place) else None

    def names(self) -> Iterator[str]:
        """Of all notes. Raises AwsError."""
        where: dict[str, Any] = {"Bucket": self._place.bucket, "Prefix": self._folder}
        for one in self._client.pages("s3", "ListObjectsV2", "Contents", **where):
            yield one["Key"].removeprefix(self._folder).removesuffix(".json")

    def remove(self, name: str) -> None:
        """The endpoint serves again. Raises AwsError."""
        self._client.find("s3", "DeleteObject", Bucket=self._place.bucket, Key=self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._folder}{name}.json"


def made_at(sight: Sight) -> str:
    """When the endpoint was made, which tells it from an earlier or later one of its name."""
    return str(sight.found["CreationTime"].isoformat())


def tells_of(note: Document, sight: Sight) -> bool:
    """Whether the note was written of the very endpoint that is there: its stop has not come to its end."""
    return bool(note.get("made") == made_at(sight) and note["config"] == sight.found["EndpointConfigName"])
