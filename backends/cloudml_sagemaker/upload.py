"""Brings what a job needs to S3 (`cloudml.remote.upload`); S3 checks its SHA-256."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path

from cloudml.plan.resource import Resource
from cloudml.remote import upload as remote
from cloudml.remote.packing import Builder
from cloudml.remote.upload import MARK, Uploaded
from cloudml_sagemaker import library
from cloudml_sagemaker.client import Client, bucket_and_key

__all__ = ["Marked", "builder", "upload"]


def builder(source: Path, project: Path) -> Builder:
    """Who makes the bytes of this backend's job code; see `Builder`."""
    return Builder(source, project, library.files)


def upload(
    client: Client, resources: Iterable[Resource], source: Path, project: Path | None = None, kms: str | None = None
) -> tuple[Uploaded, ...]:
    """Put what is missing of every `job_code` among `resources`.

    `source` is where the project's modules lie, `project` its own folder (default: the same); `kms` the key that S3
    encrypts with (default: the bucket's own way). Raises AwsError, Refused.
    """
    return remote.upload(Marked(client, kms), builder(source, project or source), resources)


class Marked:
    """Objects of S3 with a mark in their user metadata."""

    def __init__(self, client: Client, kms: str | None = None) -> None:
        self._client = client
        self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms} if kms else {}

    def size(self, uri: str, marked: str) -> int | None:
        """Bytes of what lies there with that mark; None when nothing does. Raises AwsError."""
        bucket, key = bucket_and_key(uri)
        found = self._client.find("s3", "HeadObject", Bucket=bucket, Key=key)
        if found is None or found.get("Metadata", {}).get(MARK) != marked:
            return None
        return int(found["ContentLength"])

    def send(self, uri: str, content: bytes, marked: str) -> None:
        """Put an object whole. Raises AwsError."""
        bucket, key = bucket_and_key(uri)
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        self._client.call(
            "s3", "PutObject", Bucket=bucket, Key=key, Body=content, ChecksumSHA256=checksum, Metadata={MARK: marked},
            **self._encryption,
        )  # fmt: skip

    def copy(self, source: str, uri: str) -> bool:
        """Whether S3 copied it, metadata included; what was sent may be gone already. Raises AwsError."""
        bucket, key = bucket_and_key(uri)
        its_bucket, its_key = bucket_and_key(source)
        origin = {"Bucket": its_bucket, "Key": its_key}
        found = self._client.find("s3", "CopyObject", Bucket=bucket, Key=key, CopySource=origin, **self._encryption)
        return found is not None
