"""Pub/Sub: leases, deadlines, dead letters, order, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from cloudml_vertex.mock.around import topics
from tests.unit.vertex_mock.around.vertex_around import PROJECT, Lab

TOPIC = f"projects/{PROJECT}/topics/news"
SUBSCRIPTION = f"projects/{PROJECT}/subscriptions/reader"


def setup(lab: Lab, **more: Any) -> None:
    lab.call("Publisher.CreateTopic", name=TOPIC)
    lab.call("Subscriber.CreateSubscription", name=SUBSCRIPTION, topic=TOPIC, **more)


def publish(lab: Lab, *texts: str, **more: Any) -> list[str]:
    messages = [{"data": base64.b64encode(text.encode()).decode(), **more} for text in texts]
    ids: list[str] = lab.call("Publisher.Publish", topic=TOPIC, messages=messages)["message_ids"]
    return ids


def pull(lab: Lab, most: int = 10, name: str = SUBSCRIPTION) -> list[dict[str, Any]]:
    got = lab.call("Subscriber.Pull", subscription=name, max_messages=most, return_immediately=True)
    found: list[dict[str, Any]] = got.get("received_messages", [])
    return found


def texts(found: list[dict[str, Any]]) -> list[str]:
    return [base64.b64decode(one["message"]["data"]).decode() for one in found]


def modify(lab: Lab, found: list[dict[str, Any]], seconds: int) -> None:
    ids = [one["ack_id"] for one in found]
    lab.call("Subscriber.ModifyAckDeadline", subscription=SUBSCRIPTION, ack_ids=ids, ack_deadline_seconds=seconds)


def acknowledge(lab: Lab, found: list[dict[str, Any]]) -> None:
    lab.call("Subscriber.Acknowledge", subscription=SUBSCRIPTION, ack_ids=[one["ack_id"] for one in found])


def test_each_subscription_gets_what_is_published_after_it_was_made(lab: Lab) -> None:
    setup(lab)
    ids = publish(lab, "a", "b")
    other = f"projects/{PROJECT}/subscriptions/late"
    lab.call("Subscriber.CreateSubscription", name=other, topic=TOPIC)
    publish(lab, "c")
    first = pull(lab, 2)
    assert [one["message"]["message_id"] for one in first] == ids
    assert texts(first) + texts(pull(lab)) == ["a", "b", "c"]
    assert texts(pull(lab, name=other)) == ["c"]


def test_an_unacknowledged_message_comes_again_after_its_deadline(lab: Lab) -> None:
    setup(lab, ack_deadline_seconds=20)
    publish(lab, "a", "b")
    acknowledge(lab, pull(lab, 1))
    held = pull(lab)
    lab.advance(19)
    assert pull(lab) == []
    modify(lab, held, 60)
    lab.advance(59)
    assert pull(lab) == []
    lab.advance(1)
    again = pull(lab)
    assert texts(again) == ["b"]
    acknowledge(lab, held)
    lab.advance(20)
    assert texts(pull(lab)) == ["b"], "the lease of the first delivery is no longer worth anything"


def test_a_message_given_back_comes_at_once(lab: Lab) -> None:
    setup(lab)
    publish(lab, "a")
    modify(lab, pull(lab), 0)
    assert texts(pull(lab)) == ["a"]


def test_messages_outlive_a_restart_and_not_their_retention(lab: Lab) -> None:
    setup(lab, message_retention_duration="600s")
    publish(lab, "a")
    lab.reopen()
    assert texts(pull(lab)) == ["a"]
    lab.advance(600)
    assert pull(lab) == []


def test_messages_of_one_key_keep_their_order(lab: Lab) -> None:
    setup(lab, enable_message_ordering=True)
    publish(lab, "a1", "a2", ordering_key="a")
    publish(lab, "b1", ordering_key="b")
    first = pull(lab, 1)
    assert texts(first) == ["a1"]
    assert texts(pull(lab)) == ["b1"]
    acknowledge(lab, first)
    assert texts(pull(lab)) == ["a2"]


def test_a_message_delivered_too_often_goes_to_the_dead_letters(lab: Lab) -> None:
    dead = f"projects/{PROJECT}/topics/dead"
    lab.call("Publisher.CreateTopic", name=dead)
    setup(lab, dead_letter_policy={"dead_letter_topic": dead, "max_delivery_attempts": 5})
    grave = f"projects/{PROJECT}/subscriptions/grave"
    lab.call("Subscriber.CreateSubscription", name=grave, topic=dead)
    publish(lab, "a")
    attempts = []
    for _ in range(5):
        got = pull(lab)
        attempts.append(got[0]["delivery_attempt"])
        modify(lab, got, 0)
    assert attempts == [1, 2, 3, 4, 5]
    assert pull(lab) == []
    (one,) = pull(lab, name=grave)
    assert one["message"]["attributes"]["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"


def test_a_deleted_topic_leaves_its_subscriptions(lab: Lab) -> None:
    setup(lab)
    assert lab.call("Publisher.ListTopicSubscriptions", topic=TOPIC)["subscriptions"] == [SUBSCRIPTION]
    lab.call("Publisher.DeleteTopic", topic=TOPIC)
    assert lab.call("Subscriber.GetSubscription", subscription=SUBSCRIPTION)["topic"] == "_deleted-topic_"
    lab.refused("Publisher.Publish", "NOT_FOUND", topic=TOPIC, messages=[{"data": "YQ=="}])
    lab.call("Subscriber.DeleteSubscription", subscription=SUBSCRIPTION)
    lab.refused("Subscriber.Pull", "NOT_FOUND", subscription=SUBSCRIPTION, max_messages=1)


def test_names_by_id_and_by_number_are_one(lab: Lab) -> None:
    setup(lab)
    by_number = f"projects/{lab.number}/topics/news"
    lab.refused("Publisher.CreateTopic", "ALREADY_EXISTS", name=by_number)
    assert lab.call("Publisher.GetTopic", topic=by_number)["name"] == TOPIC
    found = lab.call("Publisher.ListTopics", project=f"projects/{lab.number}")
    assert [topic["name"] for topic in found["topics"]] == [TOPIC]


def test_topics_and_subscriptions_are_changed_by_mask(lab: Lab) -> None:
    setup(lab)
    change = {"name": SUBSCRIPTION, "ack_deadline_seconds": 30, "labels": {"a": "b"}}
    changed = lab.call("Subscriber.UpdateSubscription", subscription=change, update_mask="ackDeadlineSeconds")
    assert changed["ack_deadline_seconds"] == 30
    assert "labels" not in changed
    topic = {"name": TOPIC, "labels": {"a": "b"}}
    assert lab.call("Publisher.UpdateTopic", topic=topic, update_mask="labels")["labels"] == {"a": "b"}
    lab.refused("Publisher.UpdateTopic", "INVALID_ARGUMENT", topic=topic)
    lab.refused("Subscriber.UpdateSubscription", "INVALID_ARGUMENT", subscription=change, update_mask="topic")


BAD_SUBSCRIPTIONS = [
    ({"push_config": {"push_endpoint": "https://example.org"}}, "UNIMPLEMENTED"),
    ({"filter": 'attributes.a="b"'}, "UNIMPLEMENTED"),
    ({"enable_exactly_once_delivery": True}, "UNIMPLEMENTED"),
    ({"bigquery_config": {"table": "p.d.t"}}, "UNIMPLEMENTED"),
    ({"ack_deadline_seconds": 601}, "INVALID_ARGUMENT"),
    ({"topic": f"projects/{PROJECT}/topics/none"}, "NOT_FOUND"),
    ({"name": f"projects/{PROJECT}/subscriptions/google"}, "INVALID_ARGUMENT"),
    ({"name": f"projects/{PROJECT}/subscriptions/x"}, "INVALID_ARGUMENT"),
    ({"name": SUBSCRIPTION}, "ALREADY_EXISTS"),
]


@pytest.mark.parametrize(("change", "code"), BAD_SUBSCRIPTIONS)
def test_subscriptions_that_are_refused(lab: Lab, change: dict[str, Any], code: str) -> None:
    setup(lab)
    given = {"name": f"projects/{PROJECT}/subscriptions/other", "topic": TOPIC, **change}
    lab.refused("Subscriber.CreateSubscription", code, **given)


BAD_MESSAGES: list[list[dict[str, Any]]] = [
    [],
    [{}],
    [{"data": "YQ==", "attributes": {"googclient": "x"}}],
    [{"attributes": {"a": "x" * 1025}}],
    [{"data": "YQ=="}] * 1001,
]


@pytest.mark.parametrize("messages", BAD_MESSAGES)
def test_messages_that_are_refused(lab: Lab, messages: list[dict[str, Any]]) -> None:
    setup(lab)
    lab.refused("Publisher.Publish", "INVALID_ARGUMENT", topic=TOPIC, messages=messages)


def test_what_waits_is_bounded(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_MOST_WAITING", 2)
    setup(lab)
    publish(lab, "a", "b", "c")
    assert texts(pull(lab)) == ["b", "c"]


def test_a_stream_needs_a_deadline_and_a_subscription(lab: Lab) -> None:
    setup(lab)
    given = {"subscription": SUBSCRIPTION, "stream_ack_deadline_seconds": 9}
    lab.refused("Subscriber.StreamingPull", "INVALID_ARGUMENT", **given)
    other = {"subscription": f"{SUBSCRIPTION}s", "stream_ack_deadline_seconds": 10}
    lab.refused("Subscriber.StreamingPull", "NOT_FOUND", **other)
