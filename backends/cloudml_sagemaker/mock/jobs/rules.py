"""Rules that both kinds of job keep beyond the service model's shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import AwsError, in_use, validation
from cloudml_sagemaker.mock.core.operations import Call

FINAL = frozenset({"Completed", "Failed", "Stopped"})


def unique_name(call: Call, kind: str, name: str, arn: str) -> None:
    """Raises ResourceInUse, in AWS's words, when there is such a job."""
    if name in call.table(kind):
        raise in_use(
            f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})"
        )


def distinct(names: Iterable[str], what: str) -> None:
    """Raises ValidationException for names given twice."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise validation(f"{what} must be unique. Duplicates: {', '.join(twice)}")


def only_one(given: Document, members: tuple[str, ...], what: str) -> str:
    """The one of `members` that `given` has. Raises ValidationException for none or several."""
    present = [member for member in members if member in given]
    if len(present) != 1:
        raise validation(f"{what} must have exactly one of {', '.join(members)}.")
    return present[0]


def local_path(path: Any, base: str, what: str) -> None:
    """Raises ValidationException for a path that is not an absolute one below `base`, without steps out of it."""
    text = str(path or "").rstrip("/")
    if not (text == base or text.startswith(base + "/")) or {"..", "."} & set(text.split("/")) or "\0" in text:
        raise validation(f"The LocalPath of {what} must be an absolute path under {base}.")


def s3_uri(uri: str, what: str) -> None:
    """Raises ValidationException for anything but `s3://bucket...`."""
    scheme, _, rest = uri.partition("://")
    if scheme != "s3" or not rest.split("/", 1)[0]:
        raise validation(f"The S3Uri of {what} must be of the form s3://bucket/prefix, not {uri}.")


def not_executed(what: str) -> AwsError:
    """The refusal of what AWS has and this mock cannot run; it names it, so that nobody takes it for AWS's answer."""
    return validation(f"cloudml mock sagemaker does not execute {what}.")


def instances(cluster: Document, what: str) -> int:
    """How many instances a cluster or resource configuration asks for; the first of its preferences when it has some.

    Raises ValidationException when it names no instance type or count.
    """
    first = {**(cluster.get("InstancePreferences") or [{}])[0], **cluster}
    if not first.get("InstanceType") or not first.get("InstanceCount"):
        raise validation(f"{what} must have an InstanceType and an InstanceCount of at least 1.")
    return int(first["InstanceCount"])
