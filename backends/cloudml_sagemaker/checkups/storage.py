"""The bucket: there, in the region, closed, encrypted, and its prefix ours to use."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cloudml.backend.records import Finding
from cloudml.remote.state import OWNER
from cloudml_sagemaker.checkups.patient import Patient

_OLD_NAMES = {None: "us-east-1", "": "us-east-1", "EU": "eu-west-1"}
"""What LocationConstraint says of the two oldest regions (S3 API reference, GetBucketLocation)."""
_CLOSED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def bucket(patient: Patient) -> Iterator[Finding]:
    """Each of its properties that matters."""
    place = patient.place
    found = patient.client.find("s3", "GetBucketLocation", Bucket=place.bucket)
    if found is None:
        yield Finding("bucket", "missing", f"there is no bucket {place.bucket}", _create(patient))
        return
    told = found.get("LocationConstraint")
    region = _OLD_NAMES.get(told, told)
    if region != place.region:
        fix = f"name a bucket in {place.region}, or correct the target's region"
        message = f"{place.bucket} lies in {region}; SageMaker reads and writes in its own region, {place.region}"
        yield Finding("bucket", "missing", message, fix)
        return
    yield Finding("bucket", "ok", f"{place.bucket} in {region}")
    yield from _encryption(patient)
    yield from _closed(patient)
    yield from _versions(patient)
    yield _prefix(patient)


def _create(patient: Patient) -> str:
    words = ["s3api", "create-bucket", "--bucket", patient.place.bucket]
    if patient.place.region != "us-east-1":  # where the constraint is refused (S3 API reference, CreateBucket)
        words += ["--create-bucket-configuration", f"LocationConstraint={patient.place.region}"]
    return patient.command(*words)


def _encryption(patient: Patient) -> Iterator[Finding]:
    found = patient.client.find("s3", "GetBucketEncryption", Bucket=patient.place.bucket) or {}
    rules = found.get("ServerSideEncryptionConfiguration", {}).get("Rules", ())
    ways = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm") for rule in rules]
    if any(ways):
        yield Finding("bucket encryption", "ok", ", ".join(str(way) for way in ways if way))
        return
    rule = '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}'
    words = ("s3api", "put-bucket-encryption", "--bucket", patient.place.bucket)
    fix = patient.command(*words, "--server-side-encryption-configuration", rule)
    yield Finding("bucket encryption", "warning", "the bucket names no encryption of its own", fix)


def _closed(patient: Patient) -> Iterator[Finding]:
    found = patient.client.find("s3", "GetPublicAccessBlock", Bucket=patient.place.bucket) or {}
    settings = found.get("PublicAccessBlockConfiguration", {})
    open_ways = [name for name in _CLOSED if not settings.get(name)]
    if not open_ways:
        yield Finding("bucket access", "ok", "closed to the public")
        return
    value = ",".join(f"{name}=true" for name in _CLOSED)
    words = ("s3api", "put-public-access-block", "--bucket", patient.place.bucket)
    fix = patient.command(*words, "--public-access-block-configuration", value)
    yield Finding(
        "bucket access", "warning", f"the bucket itself does not block the public: {', '.join(open_ways)}", fix
    )


def _versions(patient: Patient) -> Iterator[Finding]:
    status = patient.client.call("s3", "GetBucketVersioning", Bucket=patient.place.bucket).get("Status")
    words = "keeps old versions; destroy removes them too" if status == "Enabled" else "keeps no old versions"
    yield Finding("bucket versions", "ok", words)


def _prefix(patient: Patient) -> Finding:
    """Whether another project or target has put its mark there."""
    place = patient.place
    key = f"{place.prefix}/{OWNER}"
    if patient.client.find("s3", "HeadObject", Bucket=place.bucket, Key=key) is None:
        return Finding("prefix", "ok", f"{place.base} is free")
    told = json.loads(patient.client.read(f"{place.base}/{OWNER}"))
    owner = (told.get("project"), told.get("target"))
    if owner == (place.project, place.target):
        return Finding("prefix", "ok", f"{place.base} is this target's")
    message = f"{place.base} belongs to project {owner[0]}, target {owner[1]}"
    return Finding("prefix", "missing", message, f'write another prefix = "…" into [targets.{place.target}]')
