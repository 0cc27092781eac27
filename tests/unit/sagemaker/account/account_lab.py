"""IAM as far as our policies use it: which action an operation asks for, and whether a document allows it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session

import cloudml_sagemaker

PREFIXES = {
    "sagemaker-runtime": "sagemaker",
    "service-quotas": "servicequotas",
    "cloudwatch": "cloudwatch",
    "application-autoscaling": "application-autoscaling",
}
"""Names of services in IAM where they differ from the client's."""

ACTIONS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("s3", "HeadObject"): ("s3:GetObject",),
    ("s3", "CopyObject"): ("s3:GetObject", "s3:PutObject"),
    ("s3", "HeadBucket"): ("s3:ListBucket",),
    ("s3", "ListObjects"): ("s3:ListBucket",),
    ("s3", "ListObjectsV2"): ("s3:ListBucket",),
    ("s3", "ListObjectVersions"): ("s3:ListBucketVersions",),
    ("s3", "ListMultipartUploads"): ("s3:ListBucketMultipartUploads",),
    ("s3", "DeleteObjects"): ("s3:DeleteObject",),
    ("s3", "CreateMultipartUpload"): ("s3:PutObject",),
    ("s3", "UploadPart"): ("s3:PutObject",),
    ("s3", "CompleteMultipartUpload"): ("s3:PutObject",),
    ("s3", "GetBucketEncryption"): ("s3:GetEncryptionConfiguration",),
    ("s3", "GetPublicAccessBlock"): ("s3:GetBucketPublicAccessBlock",),
}
"""Operations whose action has another name (S3 user guide, "Required permissions for Amazon S3 API operations")."""

NO_ACTION = {("sts", "GetCallerIdentity")}
"""Allowed to everybody (STS API reference)."""

NO_OPERATION = frozenset(
    {
        "iam:PassRole",
        "s3:ListBucketVersions",
        "s3:ListBucketMultipartUploads",
        "s3:GetEncryptionConfiguration",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetObjectVersion",
        "s3:DeleteObjectVersion",
        "s3:ListBucket",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    }
)
"""Actions without an operation of that name (service authorization reference)."""


def actions_of(service: str, operation: str) -> tuple[str, ...]:
    """What IAM asks for when an operation is called."""
    if (service, operation) in NO_ACTION:
        return ()
    prefix = PREFIXES.get(service, service)
    return ACTIONS.get((service, operation), (f"{prefix}:{operation}",))


@cache
def operations(service: str) -> frozenset[str]:
    """The operations of a service, by botocore's model."""
    return frozenset(botocore.session.get_session().get_service_model(service).operation_names)


def allowed(documents: Iterable[Mapping[str, Any]], action: str, resource: str | None = None) -> bool:
    """Whether a statement has the action, and the resource when one is given. Conditions are not looked at."""
    for document in documents:
        for one in document["Statement"]:
            named = any(_like(action, pattern) for pattern in listed(one["Action"]))
            if named and (resource is None or any(_like(resource, pattern) for pattern in listed(one["Resource"]))):
                return True
    return False


def statements(documents: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for document in documents:
        yield from document["Statement"]


def listed(value: Any) -> list[str]:
    """A text or a list of texts, as IAM takes both."""
    return [value] if isinstance(value, str) else list(value)


def _like(text: str, pattern: str) -> bool:
    """IAM's wildcards: `*` for any text, `?` for one character."""
    parts = re.split(r"([*?])", pattern)
    written = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(written, text) is not None


HOME = Path(cloudml_sagemaker.__file__).parent
SERVICES = frozenset(
    {
        "application-autoscaling", "cloudwatch", "ec2", "ecr", "iam", "kms", "logs", "s3", "sagemaker",
        "sagemaker-runtime", "scheduler", "secretsmanager", "service-quotas", "sns", "sqs", "sts",
    }
)  # fmt: skip


def written_calls(*, jobs: bool) -> set[tuple[str, str]]:
    """Service and operation of the calls that the source names: of the jobs' code, or of the command line's.

    A file's calls are the names of operations in it, of the services that it names. `hosting` is of both.
    """
    found: set[tuple[str, str]] = set()
    for path in sorted(HOME.rglob("*.py")):
        room = path.relative_to(HOME).parts[0]
        mine = room in ("container", "hosting") if jobs else room not in ("container", "policies", "mock", "service")
        if mine and room != "compile":
            found |= set(_calls(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def _calls(tree: ast.AST) -> Iterator[tuple[str, str]]:
    texts = {one.value for one in ast.walk(tree) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    methods = {one.attr for one in ast.walk(tree) if isinstance(one, ast.Attribute)}
    spoken = texts | {"".join(part.capitalize() for part in name.split("_")) for name in texts | methods if "_" in name}
    for service in texts & SERVICES:
        for operation in spoken & operations(service):
            yield service, operation
