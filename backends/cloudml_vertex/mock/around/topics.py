"""Pub/Sub topics: made, published to; each subscription gets every message (google.pubsub.v1.Publisher)."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterable

from cloudml.mocks.store import Scope, Table
from cloudml_vertex.mock.around.projects import account_of, shown
from cloudml_vertex.mock.core import labels, masks, names
from cloudml_vertex.mock.core.entries import everywhere
from cloudml_vertex.mock.core.errors import already_exists, invalid, not_executed, not_found
from cloudml_vertex.mock.core.listing import page
from cloudml_vertex.mock.core.operations import Call, Document, rpc
from cloudml_vertex.mock.core.times import duration
from cloudml_vertex.mock.core.world import World

TOPICS, SUBSCRIPTIONS = "Topic", "Subscription"
DELETED = "_deleted-topic_"
"""What a subscription names as its topic once that was deleted (Subscription.topic)."""
_ID = re.compile(r"(?!goog)[A-Za-z][-A-Za-z0-9._~+%]{2,254}")
_MOST, _MOST_BYTES, _MOST_ATTRIBUTES = 1_000, 10_000_000, 100
_MOST_WAITING = 10_000
"""Messages that one subscription keeps; the oldest go first."""
_REFUSED = ("schema_settings", "ingestion_data_source_settings", "message_transforms")
_CHANGEABLE = ("labels", "message_retention_duration", "message_storage_policy", "kms_key_name")


def table(world: World, kind: str, name: str) -> Table:
    """The topics or subscriptions of the project that a name belongs to."""
    return world.table(kind, everywhere(account_of(world, name)))


def key_of(world: World, name: str, collection: str) -> str:
    """The full name with the project's number. Raises INVALID_ARGUMENT for anything else, and for a bad id."""
    key = names.canonical(world, name)
    _, identifier = names.parse(key, f"projects/*/{collection}/*")
    names.check_id(identifier, _ID, "name", "3 to 255 letters, digits and -._~+%, from a letter on, not 'goog'")
    return key


def news(world: World) -> threading.Condition:
    """Notified when messages come to subscriptions."""
    found: threading.Condition = world.rooms.setdefault("pubsub-news", threading.Condition())
    return found


def waiting(world: World, subscription: str) -> Table:
    """The messages that a subscription (full name with the number) has not seen acknowledged."""
    account = account_of(world, subscription)
    return world.table(f"PubsubMessage:{names.id_of(subscription)}", Scope(account, "global"))


def found(world: World, name: str) -> Document:
    """The topic. Raises NOT_FOUND."""
    key = key_of(world, name, "topics")
    topic = table(world, TOPICS, key).get(key)
    if topic is None:
        raise not_found(shown(world, key))
    return topic


@rpc("Publisher.CreateTopic")
def create_topic(call: Call) -> Document:
    """A topic by the name in the request."""
    topic = dict(call.params)
    key = key_of(call.world, str(topic.get("name", "")), "topics")
    for field in _REFUSED:
        if field in topic:
            raise not_executed(f"Topic.{field}", "publish plain messages")
    labels.check(topic.get("labels"))
    _retention(topic)
    rows = table(call.world, TOPICS, key)
    if key in rows:
        raise already_exists(f"Resource already exists in the project (resource={names.id_of(key)}).")
    return rows.put(key, {**topic, "name": shown(call.world, key), "state": "ACTIVE"})


def _retention(topic: Document) -> None:
    if "message_retention_duration" in topic and not 600 <= duration(topic["message_retention_duration"]) <= 31 * 86400:
        raise invalid("message_retention_duration must be between 10 minutes and 31 days.")


@rpc("Publisher.GetTopic")
def get_topic(call: Call) -> Document:
    """One topic."""
    return found(call.world, str(call.params.get("topic", "")))


@rpc("Publisher.UpdateTopic")
def update_topic(call: Call) -> Document:
    """By mask."""
    topic = call.params.get("topic", {})
    before = found(call.world, str(topic.get("name", "")))
    paths = call.params.get("update_mask")
    if not paths:
        raise invalid("update_mask must be specified and non-empty.")
    changed = masks.apply(before, topic, paths, _CHANGEABLE)
    labels.check(changed.get("labels"))
    _retention(changed)
    key = names.canonical(call.world, changed["name"])
    return table(call.world, TOPICS, key).put(key, changed)


@rpc("Publisher.ListTopics")
def list_topics(call: Call) -> Document:
    """The project's topics."""
    project = str(call.params.get("project", ""))
    return page(call, list(table(call.world, TOPICS, project)), "topics")


@rpc("Publisher.ListTopicSubscriptions")
def list_topic_subscriptions(call: Call) -> Document:
    """Names of the subscriptions that are attached."""
    topic = found(call.world, str(call.params.get("topic", "")))
    return page(call, [row["name"] for row in attached(call.world, topic["name"])], "subscriptions")


@rpc("Publisher.ListTopicSnapshots")
def list_topic_snapshots(call: Call) -> Document:
    """There are none: snapshots are not kept."""
    found(call.world, str(call.params.get("topic", "")))
    return {}


@rpc("Publisher.DeleteTopic")
def delete_topic(call: Call) -> None:
    """Its subscriptions stay, with `_deleted-topic_` for a topic."""
    topic = found(call.world, str(call.params.get("topic", "")))
    rows = table(call.world, SUBSCRIPTIONS, topic["name"])
    for row in attached(call.world, topic["name"]):
        rows.put(names.canonical(call.world, row["name"]), {**row, "topic": DELETED})
    key = names.canonical(call.world, topic["name"])
    table(call.world, TOPICS, key).delete(key)


def attached(world: World, topic: str) -> list[Document]:
    """The subscriptions of a topic, of its own project and of others."""
    key = names.canonical(world, topic)
    return [
        row
        for rows in world.store.tables(SUBSCRIPTIONS)
        for row in rows
        if row["topic"] != DELETED and names.canonical(world, row["topic"]) == key
    ]


@rpc("Publisher.Publish", executes="every subscription gets the messages")
def publish(call: Call) -> Document:
    """1 to 1,000 messages, each with data or attributes."""
    topic = found(call.world, str(call.params.get("topic", "")))
    messages = call.params.get("messages", [])
    if not 1 <= len(messages) <= _MOST:
        raise invalid(f"messages: 1 to {_MOST} messages can be published at a time, not {len(messages)}.")
    for message in messages:
        _check(message)
    if sum(len(base64.b64decode(message.get("data", ""))) for message in messages) > _MOST_BYTES:
        raise invalid(f"The request is larger than {_MOST_BYTES} bytes.")
    return {"message_ids": deliver(call.world, topic["name"], messages)}


def _check(message: Document) -> None:
    attributes = message.get("attributes", {})
    if not message.get("data") and not attributes:
        raise invalid("Some messages in the list are empty: a message must have non-empty data or an attribute.")
    if len(attributes) > _MOST_ATTRIBUTES:
        raise invalid(f"A message has at most {_MOST_ATTRIBUTES} attributes.")
    for key, value in attributes.items():
        if not key or len(key.encode()) > 256 or len(value.encode()) > 1024 or key.startswith("goog"):
            raise invalid(f"The attribute {key!r} is too long, empty, or begins with 'goog'.")


def deliver(world: World, topic: str, messages: Iterable[Document]) -> list[str]:
    """Hand messages to the topic's subscriptions; their ids. Needs the world's lock."""
    subscriptions = [names.canonical(world, row["name"]) for row in attached(world, topic)]
    identifiers = []
    for message in messages:
        identifier = world.unique_number("message")[:16]
        identifiers.append(identifier)
        full = {**message, "message_id": identifier, "publish_time": world.stamp()}
        for subscription in subscriptions:
            rows = waiting(world, subscription)
            rows.put(identifier, {"message": full, "until": 0.0, "attempts": 0, "published": world.now()})
            if len(rows) > _MOST_WAITING:
                rows.delete(rows.items()[0][0])
    condition = news(world)
    with condition:
        condition.notify_all()
    return identifiers
