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
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.resources.tags import is_ours

__all__ = ["Kept"]


class Kept:
    """The notes of a target's stopped endpoints, by their names in the account."""

    def __init__(self, world: World) -> None:
        self._client = world.client
        self._place = world.place
        self._folder = f"{world.place.prefix}/endpoints/"

    def write(self, sight: Sight) -> None:
        """Before the endpoint is deleted. Raises AwsError."""
        document = {
            "format": 1,
            "EndpointName": sight.name,
            "name": sight.tags.get("cloudml:endpoint", sight.name),
            "config": sight.found["EndpointConfigName"],
            "settings": reading.settings_of(self._client, sight),
            "tags": sight.tags,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        body = json.dumps(document, sort_keys=True, default=str).encode()
        self._client.call(
            "s3",
            "PutObject",
            Bucket=self._place.bucket,
            Key=self._key(sight.name),
            Body=body,
            ContentType="application/json",
        )

    def read(self, name: str) -> Document | None:
        """The note; None when there is none of this project and target. Raises AwsError."""
        try:
            found: dict[str, Any] = json.loads(self._client.read(f"s3://{self._place.bucket}/{self._key(name)}"))
        except AwsError as error:
            if error.kind == "missing":
                return None
            raise
        return found if is_ours(found.get("tags") or {}, self._place) else None

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
