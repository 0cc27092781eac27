"""Tags: kept by ARN for whatever the mock owns. AddTags merges, at most 50 a resource, keys unlike `aws:...`."""

from __future__ import annotations

from cloudml.mocks.store import Document, Table
from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.core.listing import page
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation

LIMIT = 50
"""Tags a resource (AWS general reference, tag restrictions)."""


def _table(call: Call) -> Table:
    return call.table("_tags")


def attach(call: Call, arn: str) -> None:
    """Make the resource known to the tag calls, with the `Tags` of the request that creates it.

    Raises ValidationException for a key given twice or reserved.
    """
    _table(call).put(arn, _merge({}, call.params.get("Tags") or []))


def detach(call: Call, arn: str) -> None:
    """The resource is gone, and its tags with it."""
    _table(call).delete(arn)


def of(call: Call, arn: str) -> list[Document]:
    """The tags of a resource, as AWS lists them."""
    return [{"Key": key, "Value": value} for key, value in (_table(call).get(arn) or {}).items()]


def knows(call: Call, arn: str) -> bool:
    """Whether the mock owns a resource of that ARN."""
    return arn in _table(call)


def _merge(present: Document, tags: list[Document]) -> Document:
    keys = [tag["Key"] for tag in tags]
    if len(set(keys)) != len(keys):
        raise validation("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.lower().startswith("aws:") for key in keys):
        raise validation("aws: prefixed tag key names are not allowed for external use.")
    merged = {**present, **{tag["Key"]: tag["Value"] for tag in tags}}
    if len(merged) > LIMIT:
        raise validation(f"The number of tags exceeds the limit of {LIMIT} for the resource.")
    return merged


def _existing(call: Call) -> Document:
    arn = call.params["ResourceArn"]
    row = _table(call).get(arn)
    if row is None:
        raise validation(f"Could not find resource {arn}.")
    return row


@operation("AddTags")
def add_tags(call: Call) -> Parameters:
    """Add or overwrite."""
    arn = call.params["ResourceArn"]
    _table(call).put(arn, _merge(_existing(call), call.params["Tags"]))
    return {"Tags": of(call, arn)}


@operation("DeleteTags")
def delete_tags(call: Call) -> Parameters:
    """Remove by key; unknown keys are no error."""
    arn = call.params["ResourceArn"]
    gone = set(call.params["TagKeys"])
    _table(call).put(arn, {key: value for key, value in _existing(call).items() if key not in gone})
    return {}


@operation("ListTags")
def list_tags(call: Call) -> Parameters:
    """Pages of 50."""
    _existing(call)
    return page(call, of(call, call.params["ResourceArn"]), "Tags", size=50)
