"""Endpoints as both sides handle them: the deploy job and the command line.

Standard library only. AWS is asked through whoever calls (`Aws`), so that one piece of code serves either side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

__all__ = ["Aws", "Document", "Failed", "labels", "labels_of", "tag_list"]

Document = dict[str, Any]


class Failed(Exception):
    """What was asked of an endpoint did not happen; the text says why and what to do."""


class Aws(Protocol):
    """How AWS is asked: operations by the names of the API reference. Errors are the caller's own."""

    def call(self, service: str, operation: str, /, **request: Any) -> Document:
        """One call."""

    def find(self, service: str, operation: str, /, **request: Any) -> Document | None:
        """What a Describe tells, or None when there is no such thing."""


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS takes them, in order of their keys."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def labels(found: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Tags as AWS lists them, by key."""
    return {one["Key"]: one["Value"] for one in found}


def labels_of(aws: Aws, arn: str) -> dict[str, str]:
    """The tags of a resource of SageMaker's, all pages of them."""
    found: dict[str, str] = {}
    more: dict[str, str] = {}
    while True:
        page = aws.call("sagemaker", "ListTags", ResourceArn=arn, **more)
        found |= labels(page.get("Tags", ()))
        if not page.get("NextToken"):
            return found
        more = {"NextToken": page["NextToken"]}
