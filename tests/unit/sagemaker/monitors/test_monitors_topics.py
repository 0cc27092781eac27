"""Topics on the mock: what is ours is made, changed and removed; what others subscribed stays untouched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from monitor_account import Account, compiled, monitor, of_kind, pipeline

from cloudml import spec
from cloudml.errors import Refused
from cloudml.plan import Resource, differences
from cloudml_sagemaker.resources.topic import TOPIC


def topic(*addresses: str, **fields: Any) -> Resource:
    """The topic of a mail alert."""
    alert = spec.Alert(name="team", channel="email", target=", ".join(addresses))
    (found,) = of_kind(compiled(pipeline(monitor(alerts=("team",)), alerts=(alert,), **fields)), "topic")
    return found


def arn(one: Resource) -> str:
    return f"arn:aws:sns:us-east-1:123456789012:{one.name}"


def addresses(account: Account, one: Resource) -> set[str]:
    found = account.client.pages("sns", "ListSubscriptionsByTopic", "Subscriptions", TopicArn=arn(one))
    return {row["Endpoint"] for row in found}


def difference(account: Account, one: Resource) -> Sequence[str]:
    live = TOPIC.read(account.world, one)
    assert live is not None
    return list(differences(live.document, one.document))


def test_a_topic_is_made_once_and_is_as_declared(account: Account) -> None:
    wanted = topic("b@example.com", "a@example.com")
    assert TOPIC.read(account.world, wanted) is None
    TOPIC.create(account.world, wanted)
    TOPIC.create(account.world, wanted)
    assert difference(account, wanted) == []
    assert addresses(account, wanted) == {"a@example.com", "b@example.com"}
    assert [(one.name, one.pipeline) for one in TOPIC.owned(account.world)] == [(wanted.name, "made")]


def test_subscriptions_change_and_those_of_others_stay(account: Account) -> None:
    before, after = topic("a@example.com", "b@example.com"), topic("b@example.com", "c@example.com")
    TOPIC.create(account.world, before)
    account.client.call("sns", "Subscribe", TopicArn=arn(before), Protocol="email", Endpoint="mine@example.com")
    assert difference(account, before) == []
    fields = difference(account, after)
    assert fields
    TOPIC.update(account.world, after, tuple(fields))
    assert addresses(account, after) == {"b@example.com", "c@example.com", "mine@example.com"}
    assert difference(account, after) == []
    assert TOPIC.loses is not None
    assert TOPIC.loses(account.world, after.name) == "1 subscription that others made"


def test_a_subscription_that_somebody_removed_is_seen_and_made_again(account: Account) -> None:
    wanted = topic("a@example.com", "b@example.com")
    TOPIC.create(account.world, wanted)
    rows = account.client.pages("sns", "ListSubscriptionsByTopic", "Subscriptions", TopicArn=arn(wanted))
    gone = next(row for row in rows if row["Endpoint"] == "a@example.com")
    account.client.call("sns", "Unsubscribe", SubscriptionArn=gone["SubscriptionArn"])
    fields = difference(account, wanted)
    assert any(field.startswith("Subscriptions") for field in fields)
    TOPIC.update(account.world, wanted, tuple(fields))
    assert difference(account, wanted) == []


def test_tags_that_somebody_changed_are_brought_back(account: Account) -> None:
    wanted = topic("a@example.com")
    TOPIC.create(account.world, wanted)
    call = account.client.call
    call("sns", "TagResource", ResourceArn=arn(wanted), Tags=[{"Key": "cloudml:alert", "Value": "other"}])
    fields = difference(account, wanted)
    assert any(field.startswith("Tags.cloudml:alert") for field in fields)
    TOPIC.update(account.world, wanted, tuple(fields))
    assert difference(account, wanted) == []
    assert addresses(account, wanted) == {"a@example.com"}


def test_a_topic_of_somebody_elses_is_never_taken_over_nor_listed(account: Account) -> None:
    wanted = topic("a@example.com")
    account.client.call("sns", "CreateTopic", Name=wanted.name)
    with pytest.raises(Refused, match="does not belong to project samples"):
        TOPIC.create(account.world, wanted)
    assert list(TOPIC.owned(account.world)) == []
    assert addresses(account, wanted) == set()


def test_a_topic_goes_and_may_be_gone(account: Account) -> None:
    wanted = topic("a@example.com")
    TOPIC.create(account.world, wanted)
    TOPIC.delete(account.world, wanted.name)
    TOPIC.delete(account.world, wanted.name)
    assert TOPIC.read(account.world, wanted) is None
