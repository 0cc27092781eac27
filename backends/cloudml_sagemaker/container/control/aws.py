"""AWS's clients inside a job: made when they are needed, with time limits, errors as one line."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

CONNECT, READ, ATTEMPTS = 10, 70, 6
"""Seconds to connect, seconds to wait for an answer (an endpoint may take 60), and tries in all."""


def client(service: str, attempts: int = ATTEMPTS) -> Any:
    """A client of the job's region and role, made once a process: making one takes a tenth of a second."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return _made(service, region, os.environ.get("AWS_ENDPOINT_URL"), attempts)


@cache
def _made(service: str, region: str | None, _endpoint: str | None, attempts: int) -> Any:
    """boto3 reads the variable with the endpoint by itself; here it only tells one client from another."""
    import boto3
    from botocore.config import Config

    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    return boto3.client(
        service, region_name=region, config=Config(connect_timeout=CONNECT, read_timeout=READ, retries=retries)
    )


def code_of(error: BaseException) -> str:
    """AWS's code of an error, such as `ValidationException`; empty for one that AWS did not answer."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def told(error: BaseException) -> str:
    """An error in one line: code and message."""
    response = getattr(error, "response", None)
    message = response.get("Error", {}).get("Message") if isinstance(response, dict) else None
    return f"{code_of(error)}: {message}" if message else f"{type(error).__name__}: {error}"


def is_missing(error: BaseException) -> bool:
    """Whether the resource does not exist: SageMaker says so by code, or by a validation error's words."""
    words = told(error)
    known = code_of(error) in ("ResourceNotFound", "404", "NoSuchKey", "NotFound")
    return known or "Could not find" in words or "does not exist" in words


class Asking:
    """AWS by the names of its API reference, as `cloudml_sagemaker.hosting` asks it."""

    def call(self, service: str, operation: str, /, **request: Any) -> dict[str, Any]:
        """One call. Raises botocore's errors."""
        from botocore import xform_name

        found: dict[str, Any] = getattr(client(service), xform_name(operation))(**request)
        return found

    def find(self, service: str, operation: str, /, **request: Any) -> dict[str, Any] | None:
        """What a Describe tells; None when there is no such thing."""
        try:
            return self.call(service, operation, **request)
        except Exception as error:
            if is_missing(error):
                return None
            raise


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an s3:// address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def put_once(uri: str, source: Path | bytes, kms: str | None = None) -> None:
    """Bring content to an address that is named by it: what is there already is the same. `kms`: the target's key."""
    s3, (bucket, key) = client("s3"), split(uri)
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms} if kms else {}
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except Exception as error:
        if not is_missing(error):
            raise
        if isinstance(source, bytes):
            s3.put_object(Bucket=bucket, Key=key, Body=source, **encryption)
        else:
            s3.upload_file(str(source), bucket, key, ExtraArgs=encryption)


def get(uri: str) -> bytes:
    """The content at an address."""
    bucket, key = split(uri)
    content: bytes = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def download(uri: str, target: Path) -> None:
    """A large object into a file."""
    bucket, key = split(uri)
    client("s3").download_file(bucket, key, str(target))
