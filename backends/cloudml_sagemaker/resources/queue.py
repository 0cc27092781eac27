"""Queues of SQS: where questions to people lie until they are answered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from cloudml.plan import Resource
from cloudml.remote.parallel import in_parallel
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources import tags
from cloudml_sagemaker.resources.kind import Kind, Live, Owned, World, reduced

KIND = "queue"
_DELETED_RECENTLY = "QueueDeletedRecently"
_PAUSE, _PAUSES = 5.0, 14
"""Seconds and times: a queue can be made again 60 seconds after it was deleted (SQS API reference, DeleteQueue)."""


def _url(world: World, name: str) -> str | None:
    found = world.client.find("sqs", "GetQueueUrl", QueueName=name)
    return None if found is None else str(found["QueueUrl"])


def _read(world: World, resource: Resource) -> Live | None:
    url = _url(world, resource.name)
    if url is None:
        return None
    attributes = world.client.find("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
    labels = world.client.find("sqs", "ListQueueTags", QueueUrl=url)
    if attributes is None or labels is None:  # a deleted queue is known by name for up to a minute
        return None
    live = {
        "QueueName": resource.name,
        "Attributes": attributes.get("Attributes", {}),
        "tags": labels.get("Tags", {}),
    }
    return Live(reduced(live, resource.document))


def _create(world: World, resource: Resource) -> None:
    for left in reversed(range(_PAUSES)):
        try:
            world.client.call("sqs", "CreateQueue", **resource.document)
        except AwsError as error:
            if error.kind == "exists":
                break
            if _DELETED_RECENTLY not in error.provider_code or not left:
                raise
            time.sleep(_PAUSE)
        else:
            return
    url = _url(world, resource.name)
    if url is not None:
        labels = world.client.call("sqs", "ListQueueTags", QueueUrl=url).get("Tags", {})
        tags.refuse_foreign(world, f"the queue {resource.name}", labels)
    _update(world, resource, ("Attributes", "tags"))


def _update(world: World, resource: Resource, fields: tuple[str, ...]) -> None:
    url = world.client.call("sqs", "GetQueueUrl", QueueName=resource.name)["QueueUrl"]
    changed = {path.partition(".")[0] for path in fields}
    attributes, labels = resource.document.get("Attributes", {}), resource.document.get("tags", {})
    if "Attributes" in changed and attributes:
        world.client.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes=attributes)
    if "tags" not in changed:
        return
    if labels:
        world.client.call("sqs", "TagQueue", QueueUrl=url, Tags=labels)
    gone = tags.superfluous(labels, fields, "tags")
    if gone:
        world.client.call("sqs", "UntagQueue", QueueUrl=url, TagKeys=gone)


def _delete(world: World, name: str) -> None:
    url = _url(world, name)
    if url is not None:
        world.client.find("sqs", "DeleteQueue", QueueUrl=url)


def _owned(world: World) -> Iterator[Owned]:
    prefix = tags.stem(world.place)
    more: dict[str, Any] = {"QueueNamePrefix": prefix} if prefix else {}
    urls = list(world.client.pages("sqs", "ListQueues", "QueueUrls", MaxResults=1000, **more))
    every = in_parallel(lambda url: world.client.find("sqs", "ListQueueTags", QueueUrl=url), urls)
    for url, found in zip(urls, every, strict=True):
        if tags.is_ours((found or {}).get("Tags", {}), world.place):
            yield Owned(url.rpartition("/")[2])


QUEUE = Kind(KIND, _read, _create, _update, _delete, _owned)
