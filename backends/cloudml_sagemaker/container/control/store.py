"""S3 as a job's store of objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloudml_sagemaker.container.control import aws
from cloudml_sagemaker.container.control.aws import client, code_of, is_missing, split

_CHANGED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


class S3:
    """The `cloudml.jobs.platform.Store` of the job's role. Errors besides FileNotFoundError are botocore's."""

    def get(self, uri: str) -> bytes:
        """The content. Raises FileNotFoundError."""
        found = self.find(uri)
        if found is None:
            raise FileNotFoundError(uri)
        return found[0]

    def find(self, uri: str) -> tuple[bytes, str] | None:
        """The content and its ETag."""
        bucket, key = split(uri)
        try:
            answer = client("s3").get_object(Bucket=bucket, Key=key)
        except Exception as error:
            if is_missing(error):
                return None
            raise
        return answer["Body"].read(), str(answer["ETag"])

    def put(self, uri: str, content: bytes, *, kms: str | None = None) -> None:
        """Write the object."""
        self._put(uri, content, kms)

    def put_once(self, uri: str, content: bytes | Path, *, kms: str | None = None) -> None:
        """Write the object unless there is one."""
        aws.put_once(uri, content, kms)

    def put_if(self, uri: str, content: bytes, version: str | None, *, kms: str | None = None) -> bool:
        """By S3's conditional writes (user guide, "Prevent object overwrites with conditional writes")."""
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        try:
            self._put(uri, content, kms, **condition)
        except Exception as error:
            if code_of(error) in _CHANGED:
                return False
            raise
        return True

    def _put(self, uri: str, content: bytes, kms: str | None, **more: Any) -> None:
        bucket, key = split(uri)
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms} if kms else {}
        kind = {"ContentType": "application/json"} if key.endswith(".json") else {}
        client("s3").put_object(Bucket=bucket, Key=key, Body=content, **kind, **encryption, **more)

    def list(self, prefix: str) -> Iterator[str]:
        """All pages; S3 lists in the order of the keys."""
        bucket, key = split(prefix)
        for page in client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
            yield from (f"s3://{bucket}/{one['Key']}" for one in page.get("Contents", ()))

    def download(self, uri: str, target: Path) -> None:
        """A large object into a file. Raises FileNotFoundError."""
        try:
            aws.download(uri, target)
        except Exception as error:
            if is_missing(error):
                raise FileNotFoundError(uri) from error
            raise
