"""What the neutral sending side (`cloudml.remote`) is told of AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudml.plan import Resource
from cloudml.remote.world import Cloud, Overtaken
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.resources.table import KINDS
from cloudml_sagemaker.resources.tags import is_ours, plain

_LOST_RACE = ("PreconditionFailed", "ConditionalRequestConflict", "412")


def name_of(resources: Sequence[Resource]) -> str:
    """The name of the pipeline in AWS that these belong to: not that of a monitor's own pipeline."""
    for one in resources:
        labels = {tag["Key"] for tag in one.document.get("Tags", ())} if one.kind == "pipeline" else {"cloudml:monitor"}
        if "cloudml:monitor" not in labels:
            return one.name
    raise ValueError("no pipeline is among the resources")


def identity(world: World) -> str:
    """The ARN of whoever asks; empty when AWS does not tell. Known once a session."""
    if "identity" not in world.memory:
        try:
            world.memory["identity"] = str(world.client.call("sts", "GetCallerIdentity").get("Arn", ""))
        except AwsError:
            world.memory["identity"] = ""
    found: str = world.memory["identity"]
    return found


class Objects:
    """Objects of the target's bucket, with If-Match and If-None-Match (S3 user guide, "Conditional requests")."""

    def __init__(self, world: World) -> None:
        self._client = world.client
        self._place = world.place

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Content and ETag of an object. Raises AwsError."""
        found = self._client.find("s3", "GetObject", Bucket=self._place.bucket, Key=key)
        return None if found is None else (found["Body"].read(), found["ETag"])

    def put(self, key: str, content: bytes, tag: str) -> str:
        """Write over that version, or where nothing lies; the new ETag. Raises Overtaken, AwsError."""
        condition = {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
        try:
            made = self._client.call(
                "s3", "PutObject", Bucket=self._place.bucket, Key=key, Body=content, **condition
            )  # fmt: skip
        except AwsError as error:
            if error.provider_code in _LOST_RACE or (tag and error.kind == "missing"):
                raise Overtaken(key) from error
            if error.kind == "missing":
                raise self._bucketless(error) from error
            raise
        return str(made["ETag"])

    def listing(self, prefix: str) -> Iterator[str]:
        """Keys that begin so. Raises AwsError."""
        listed = self._client.pages("s3", "ListObjectsV2", "Contents", Bucket=self._place.bucket, Prefix=prefix)
        return (one["Key"] for one in listed)

    def _bucketless(self, error: AwsError) -> AwsError:
        return AwsError(
            "missing",
            error.operation,
            error.provider_code,
            f"there is no bucket {self._place.bucket}",
            hint=f"make it: aws s3 mb s3://{self._place.bucket} --region {self._place.region}",
        )


def _labels(document: Mapping[str, Any]) -> dict[str, str]:
    return plain(document.get("Tags") or document.get("tags"))


CLOUD = Cloud(KINDS, name_of, _labels, is_ours, identity, sdk="botocore", tag="Key")
