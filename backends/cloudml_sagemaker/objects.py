"""Objects of S3 whose content is known: small ones at once, large files in parts, each checked by S3 itself."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from cloudml.errors import CorruptArtifact
from cloudml_sagemaker.client import bucket_and_key
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources.kind import World

PART = 64 << 20
"""Bytes of a part: S3 takes 10,000 of 5 MiB to 5 GiB (user guide, "Amazon S3 multipart upload limits")."""


def put(world: World, bucket: str, key: str, content: bytes) -> None:
    """Put a small object whole. Raises AwsError."""
    world.client.call(
        "s3", "PutObject", Bucket=bucket, Key=key, Body=content, ChecksumSHA256=_checksum(content), **_encryption(world)
    )


def send(world: World, uri: str, path: Path, digest: str) -> None:
    """Bring a file to an address that its sha256 names, unless it is there. Raises AwsError, CorruptArtifact."""
    bucket, key = bucket_and_key(uri)
    size = path.stat().st_size
    there = world.client.find("s3", "HeadObject", Bucket=bucket, Key=key)
    if there is not None and there["ContentLength"] == size:
        return
    if size <= PART:
        content = path.read_bytes()
        _same(hashlib.sha256(content).hexdigest(), digest, path)
        put(world, bucket, key, content)
        return
    where = {"Bucket": bucket, "Key": key}
    begun = world.client.call("s3", "CreateMultipartUpload", **where, ChecksumAlgorithm="SHA256", **_encryption(world))
    where["UploadId"] = begun["UploadId"]
    try:
        parts = _parts(world, where, path, digest)
        world.client.call("s3", "CompleteMultipartUpload", **where, MultipartUpload={"Parts": parts})
    except AwsError as error:
        if error.kind == "missing" and world.client.find("s3", "HeadObject", Bucket=bucket, Key=key) is not None:
            return  # it was completed, and only the answer was lost
        _abort(world, where)
        raise
    except BaseException:
        _abort(world, where)
        raise


def _parts(world: World, where: dict[str, str], path: Path, digest: str) -> list[dict[str, Any]]:
    """Send the parts; the file is hashed again meanwhile, so that what is completed is what was checked."""
    found: list[dict[str, Any]] = []
    whole = hashlib.sha256()
    with open(path, "rb") as file:
        while content := file.read(PART):
            whole.update(content)
            number, checksum = len(found) + 1, _checksum(content)
            made = world.client.call(
                "s3", "UploadPart", **where, PartNumber=number, Body=content, ChecksumSHA256=checksum
            )
            found.append({"PartNumber": number, "ETag": made["ETag"], "ChecksumSHA256": checksum})
    _same(whole.hexdigest(), digest, path)
    return found


def _abort(world: World, where: dict[str, str]) -> None:
    """S3 keeps, and bills, the parts of an upload that nobody ends."""
    try:
        world.client.call("s3", "AbortMultipartUpload", **where)
    except AwsError:
        return  # the reason why it is given up is what counts


def _same(found: str, wanted: str, path: Path) -> None:
    if found != wanted:
        raise CorruptArtifact(f"{path.name} has changed while it was read", where=str(path))


def _checksum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _encryption(world: World) -> dict[str, str]:
    kms = world.place.kms
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms} if kms else {}
