"""Pub/Sub subscriptions: pulled, acknowledged, delivered again after the deadline (google.pubsub.v1.Subscriber)."""

from __future__ import annotations

import time
from collections.abc import Sequence

from cloudml_vertex.mock.around import topics
from cloudml_vertex.mock.around.projects import shown
from cloudml_vertex.mock.around.topics import SUBSCRIPTIONS, key_of, table, waiting
from cloudml_vertex.mock.core import labels, masks, names
from cloudml_vertex.mock.core.errors import already_exists, invalid, not_executed, not_found
from cloudml_vertex.mock.core.listing import page
from cloudml_vertex.mock.core.operations import Call, Document, rpc
from cloudml_vertex.mock.core.times import duration
from cloudml_vertex.mock.core.world import World

_REFUSED = {
    "push_config": "pull, or stream",
    "bigquery_config": "pull, or stream",
    "cloud_storage_config": "pull, or stream",
    "filter": "filter what was pulled",
    "enable_exactly_once_delivery": "acknowledge, and expect a message twice",
    "message_transforms": "publish plain messages",
}
_CHANGEABLE = (
    "ack_deadline_seconds",
    "dead_letter_policy",
    "enable_message_ordering",
    "expiration_policy",
    "labels",
    "message_retention_duration",
    "retain_acked_messages",
    "retry_policy",
)
_DEADLINE, _SHORTEST, _LONGEST = 10, 10, 600
_RETENTION = 7 * 86400.0
_ATTEMPTS = (5, 100)
_PATIENCE = 2.0
"""Real seconds that a Pull waits for a message."""


def found(world: World, name: str) -> tuple[str, Document]:
    """Key and document of a subscription. Raises NOT_FOUND."""
    key = key_of(world, name, "subscriptions")
    row = table(world, SUBSCRIPTIONS, key).get(key)
    if row is None:
        raise not_found(shown(world, key))
    return key, row


def _check(world: World, subscription: Document) -> None:
    for field, instead in _REFUSED.items():
        value = subscription.get(field)
        if value and (field != "push_config" or value.get("push_endpoint")):
            raise not_executed(f"Subscription.{field}", instead)
    deadline = subscription.setdefault("ack_deadline_seconds", _DEADLINE)
    if not _SHORTEST <= deadline <= _LONGEST:
        raise invalid(f"ack_deadline_seconds must be between {_SHORTEST} and {_LONGEST}; it is {deadline}.")
    kept = duration(subscription.setdefault("message_retention_duration", f"{_RETENTION:g}s"))
    if not 600 <= kept <= 31 * 86400:
        raise invalid("message_retention_duration must be between 10 minutes and 31 days.")
    labels.check(subscription.get("labels"))
    policy = subscription.get("dead_letter_policy")
    if policy is not None:
        attempts = policy.setdefault("max_delivery_attempts", _ATTEMPTS[0])
        if not _ATTEMPTS[0] <= attempts <= _ATTEMPTS[1]:
            raise invalid(f"max_delivery_attempts must be between {_ATTEMPTS[0]} and {_ATTEMPTS[1]}; it is {attempts}.")
        topics.found(world, str(policy.get("dead_letter_topic", "")))


@rpc("Subscriber.CreateSubscription", executes="messages are delivered, and again after the deadline")
def create_subscription(call: Call) -> Document:
    """It gets what is published from now on."""
    row = dict(call.params)
    key = key_of(call.world, str(row.get("name", "")), "subscriptions")
    rows = table(call.world, SUBSCRIPTIONS, key)
    if key in rows:
        raise already_exists(f"Resource already exists in the project (resource={names.id_of(key)}).")
    _check(call.world, row)
    topic = topics.found(call.world, str(row.get("topic", "")))
    return rows.put(key, {**row, "name": shown(call.world, key), "topic": topic["name"], "state": "ACTIVE"})


@rpc("Subscriber.GetSubscription")
def get_subscription(call: Call) -> Document:
    """One subscription."""
    return found(call.world, str(call.params.get("subscription", "")))[1]


@rpc("Subscriber.UpdateSubscription")
def update_subscription(call: Call) -> Document:
    """By mask."""
    patch = call.params.get("subscription", {})
    key, before = found(call.world, str(patch.get("name", "")))
    paths = call.params.get("update_mask")
    if not paths:
        raise invalid("update_mask must be specified and non-empty.")
    changed = masks.apply(before, patch, paths, _CHANGEABLE)
    _check(call.world, changed)
    return table(call.world, SUBSCRIPTIONS, key).put(key, changed)


@rpc("Subscriber.ListSubscriptions")
def list_subscriptions(call: Call) -> Document:
    """The project's subscriptions."""
    rows = table(call.world, SUBSCRIPTIONS, str(call.params.get("project", "")))
    return page(call, list(rows), "subscriptions")


@rpc("Subscriber.DeleteSubscription")
def delete_subscription(call: Call) -> None:
    """Its messages are gone with it."""
    key, _ = found(call.world, str(call.params.get("subscription", "")))
    _drop_all(call.world, key)
    table(call.world, SUBSCRIPTIONS, key).delete(key)


@rpc("Publisher.DetachSubscription")
def detach_subscription(call: Call) -> Document:
    """It keeps nothing and gets nothing any more."""
    key, row = found(call.world, str(call.params.get("subscription", "")))
    _drop_all(call.world, key)
    table(call.world, SUBSCRIPTIONS, key).put(key, {**row, "detached": True, "topic": topics.DELETED})
    return {}


def _drop_all(world: World, key: str) -> None:
    rows = waiting(world, key)
    for entry in rows:
        rows.delete(entry["message"]["message_id"])


@rpc("Subscriber.ModifyPushConfig")
def modify_push_config(call: Call) -> None:
    """An empty configuration means: pull, and changes nothing here."""
    found(call.world, str(call.params.get("subscription", "")))
    if call.params.get("push_config", {}).get("push_endpoint"):
        raise not_executed("Subscription.push_config", _REFUSED["push_config"])


@rpc("Subscriber.Pull", locked=False)
def pull(call: Call) -> Document:
    """Up to max_messages; waits a little while there are none, unless return_immediately."""
    most = int(call.params.get("max_messages", 0))
    if most < 1:
        raise invalid("max_messages must be at least 1.")
    until = time.monotonic() + (0 if call.params.get("return_immediately") else _PATIENCE)
    while True:
        with call.world.lock:
            key, row = found(call.world, str(call.params.get("subscription", "")))
            got = take(call.world, key, row, most)
        left = until - time.monotonic()
        if got or left <= 0 or call.world.closing.is_set():
            return {"received_messages": got}
        wait(call.world, min(left, 0.2))


def wait(world: World, seconds: float) -> None:
    """Until something is published, so many real seconds at most."""
    condition = topics.news(world)
    with condition:
        condition.wait(seconds)


def take(world: World, key: str, row: Document, most: int, deadline: float | None = None) -> list[Document]:
    """Lease up to `most` messages that nobody holds: received messages. Needs the world's lock.

    `deadline`: seconds of the clock, the subscription's unless given. With ordering, a message waits while an earlier
    one of its key is held by somebody.
    """
    now = world.now()
    got: list[Document] = []
    held: set[str] = set()
    kept = duration(row["message_retention_duration"])
    rows = waiting(world, key)
    for identifier, entry in rows.items():
        if len(got) >= most:
            break
        if entry["published"] + kept <= now:
            rows.delete(identifier)
            continue
        ordering = entry["message"].get("ordering_key") if row.get("enable_message_ordering") else None
        if entry["until"] > now or (ordering and ordering in held):
            if ordering:
                held.add(ordering)
            continue
        if not _is_dead(world, key, row, identifier, entry):
            got.append(_lease(world, key, row, identifier, entry, now + (deadline or row["ack_deadline_seconds"])))
    return got


def _lease(world: World, key: str, row: Document, identifier: str, entry: Document, until: float) -> Document:
    attempts = entry["attempts"] + 1
    waiting(world, key).put(identifier, {**entry, "until": until, "attempts": attempts})
    received: Document = {"ack_id": f"{identifier}:{attempts}", "message": entry["message"]}
    if "dead_letter_policy" in row:
        received["delivery_attempt"] = attempts
    return received


def _is_dead(world: World, key: str, row: Document, identifier: str, entry: Document) -> bool:
    """A message that was delivered often enough goes to the dead letter topic."""
    policy = row.get("dead_letter_policy")
    if policy is None or entry["attempts"] < policy["max_delivery_attempts"]:
        return False
    topic = table(world, topics.TOPICS, policy["dead_letter_topic"]).get(
        names.canonical(world, policy["dead_letter_topic"])
    )
    if topic is None:
        return False
    waiting(world, key).delete(identifier)
    attributes = {
        **entry["message"].get("attributes", {}),
        "CloudPubSubDeadLetterSourceDeliveryCount": str(entry["attempts"]),
        "CloudPubSubDeadLetterSourceSubscription": names.id_of(key),
    }
    topics.deliver(world, topic["name"], [{**entry["message"], "attributes": attributes}])
    return True


def settle(world: World, key: str, ack_ids: Sequence[str]) -> None:
    """Acknowledge. An id whose deadline passed acknowledges as well, unless the message is another's by now.

    Needs the world's lock.
    """
    rows = waiting(world, key)
    for ack_id in ack_ids:
        identifier, _, attempt = ack_id.partition(":")
        entry = rows.get(identifier)
        if entry is not None and str(entry["attempts"]) == attempt:
            rows.delete(identifier)


def postpone(world: World, key: str, ack_ids: Sequence[str], seconds: int) -> None:
    """Move the deadline to so many seconds from now; 0 gives the messages back. INVALID_ARGUMENT. Needs the lock."""
    if not 0 <= seconds <= _LONGEST:
        raise invalid(f"ack_deadline_seconds must be between 0 and {_LONGEST}; it is {seconds}.")
    rows = waiting(world, key)
    for ack_id in ack_ids:
        identifier, _, attempt = ack_id.partition(":")
        entry = rows.get(identifier)
        if entry is not None and str(entry["attempts"]) == attempt and entry["until"] > world.now():
            rows.put(identifier, {**entry, "until": world.now() + seconds if seconds else 0.0})
    if not seconds:
        condition = topics.news(world)
        with condition:
            condition.notify_all()


@rpc("Subscriber.Acknowledge")
def acknowledge(call: Call) -> None:
    """Unknown ids are passed over: the deadline may have passed."""
    key, _ = found(call.world, str(call.params.get("subscription", "")))
    settle(call.world, key, _ids(call))


@rpc("Subscriber.ModifyAckDeadline")
def modify_ack_deadline(call: Call) -> None:
    """0 to 600 seconds from now."""
    key, _ = found(call.world, str(call.params.get("subscription", "")))
    postpone(call.world, key, _ids(call), int(call.params.get("ack_deadline_seconds", 0)))


def _ids(call: Call) -> list[str]:
    ids: list[str] = call.params.get("ack_ids", [])
    if not ids:
        raise invalid("ack_ids must not be empty.")
    return ids
