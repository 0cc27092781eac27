"""Topics of SNS: where alerts are sent, and who listens there because the pipeline says so.

People and services subscribe to a topic themselves, too: what cloudml subscribed is remembered in a tag of the topic,
as hashes, and nothing else is ever touched. A subscription that was never confirmed has no ARN by which it could be
removed, and vanishes by itself after some days (SNS API reference, Subscribe and Unsubscribe).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cloudml.plan import Resource
from cloudml.remote.parallel import in_parallel
from cloudml_sagemaker.resources import tags
from cloudml_sagemaker.resources.kind import Kind, Live, Owned, World, reduced

KIND = "topic"
SUBSCRIBED = "cloudml:subscribed"
"""The tag: eight hex digits for each subscription of ours. Never a part of a document."""
MOST = 28
"""Subscriptions that the tag's 256 characters hold."""

Subscription = Mapping[str, Any]


def _arn(world: World, name: str) -> str:
    place = world.place
    return f"arn:{place.partition}:sns:{place.region}:{place.account}:{name}"


def _there(world: World, arn: str) -> bool:
    return world.client.find("sns", "GetTopicAttributes", TopicArn=arn) is not None


def _labels(world: World, arn: str) -> dict[str, str]:
    found = world.client.find("sns", "ListTagsForResource", ResourceArn=arn)
    return tags.plain((found or {}).get("Tags"))


def mark(one: Subscription) -> str:
    """Eight hex digits of a subscription."""
    return hashlib.sha256(f"{one['Protocol']}\n{one['Endpoint']}".encode()).hexdigest()[:8]


def _read(world: World, resource: Resource) -> Live | None:
    arn = _arn(world, resource.name)
    if not _there(world, arn):
        return None
    labels = _labels(world, arn)
    declared = resource.document.get("Subscriptions", [])
    order = {mark(one): number for number, one in enumerate(declared)}
    own = sorted(_own(world, arn, labels, declared), key=lambda one: order.get(mark(one), len(order)))
    live: dict[str, Any] = {
        "Name": resource.name,
        "Subscriptions": [{"Protocol": one["Protocol"], "Endpoint": one["Endpoint"]} for one in own],
        "Tags": tags.listed({key: value for key, value in labels.items() if key != SUBSCRIBED}),
    }
    if "note" in resource.document:
        live["note"] = resource.document["note"]
    return Live(reduced(live, resource.document))


def _own(world: World, arn: str, labels: Mapping[str, str], declared: Iterable[Subscription]) -> list[Subscription]:
    """Of all subscriptions those that are declared, or that we made."""
    marks = {*labels.get(SUBSCRIBED, "").split(), *(mark(one) for one in declared)}
    every = world.client.pages("sns", "ListSubscriptionsByTopic", "Subscriptions", TopicArn=arn)
    return [one for one in every if mark(one) in marks]


def _create(world: World, resource: Resource) -> None:
    arn = _arn(world, resource.name)
    if _there(world, arn):
        tags.refuse_foreign(world, f"the topic {resource.name}", _labels(world, arn))
    else:
        world.client.call("sns", "CreateTopic", Name=resource.name, Tags=resource.document["Tags"])
    _update(world, resource, ("Subscriptions", "Tags"))


def _update(world: World, resource: Resource, fields: tuple[str, ...]) -> None:
    arn, wanted = _arn(world, resource.name), tags.plain(resource.document["Tags"])
    changed = {path.partition(".")[0] for path in fields}
    if "Tags" in changed:
        world.client.call("sns", "TagResource", ResourceArn=arn, Tags=tags.listed(wanted))
        gone = [key for key in tags.superfluous(wanted, fields, "Tags") if key != SUBSCRIBED]
        if gone:
            world.client.call("sns", "UntagResource", ResourceArn=arn, TagKeys=gone)
    if "Subscriptions" in changed:
        _subscribe(world, arn, resource.document.get("Subscriptions", []))


def _subscribe(world: World, arn: str, declared: list[dict[str, str]]) -> None:
    """Subscribe whom the pipeline names, and take away whom it names no more."""
    there = _own(world, arn, _labels(world, arn), declared)
    known, wanted = {mark(one) for one in there}, {mark(one) for one in declared}
    # First the tag, with the old and the new: a subscription that is ours is never without its mark.
    _remember(world, arn, [*wanted, *(known - wanted)])
    for one in declared:
        if mark(one) not in known:
            world.client.call("sns", "Subscribe", TopicArn=arn, ReturnSubscriptionArn=True, **one)
    for found in there:
        if mark(found) not in wanted and str(found.get("SubscriptionArn", "")).startswith("arn:"):
            world.client.call("sns", "Unsubscribe", SubscriptionArn=found["SubscriptionArn"])
    _remember(world, arn, wanted)


def _remember(world: World, arn: str, marks: Iterable[str]) -> None:
    text = " ".join(sorted(marks)[:MOST])
    if text:
        world.client.call("sns", "TagResource", ResourceArn=arn, Tags=tags.listed({SUBSCRIBED: text}))
    else:
        world.client.call("sns", "UntagResource", ResourceArn=arn, TagKeys=[SUBSCRIBED])


def _delete(world: World, name: str) -> None:
    world.client.find("sns", "DeleteTopic", TopicArn=_arn(world, name))


def _owned(world: World) -> Iterator[Owned]:
    stem = tags.stem(world.place)
    every = [one["TopicArn"] for one in world.client.pages("sns", "ListTopics", "Topics")]
    named = [arn for arn in every if arn.rpartition(":")[2].startswith(stem)]
    for arn, found in zip(named, in_parallel(lambda one: _labels(world, one), named), strict=True):
        if tags.is_ours(found, world.place):
            yield Owned(arn.rpartition(":")[2], found.get(tags.PIPELINE, ""))


def _loses(world: World, name: str) -> str:
    """Who subscribed by themselves would have to do so again."""
    arn = _arn(world, name)
    marks = _labels(world, arn).get(SUBSCRIBED, "").split()
    every = world.client.pages("sns", "ListSubscriptionsByTopic", "Subscriptions", TopicArn=arn)
    others = sum(1 for one in every if mark(one) not in marks)
    return f"{others} subscription{'s' if others != 1 else ''} that others made" if others else ""


TOPIC = Kind(KIND, _read, _create, _update, _delete, _owned, loses=_loses)
