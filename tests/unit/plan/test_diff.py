"""Desired against observed."""

from __future__ import annotations

from typing import Any

from cloudml.plan import Resource, canonical, diff, digest_of


def resource(name: str, **document: Any) -> Resource:
    return Resource.of("endpoint", name, document)


def test_each_resource_has_one_change() -> None:
    desired = [resource("new", size=1), resource("same", size=1), resource("grown", size=2, deep={"a": 1, "b": [1]})]
    observed = [resource("same", size=1), resource("grown", size=1, deep={"a": 1, "b": [2]}), resource("gone")]
    plan = diff(desired, observed)
    assert [(one.action, one.name, one.fields) for one in plan.changes] == [
        ("create", "new", ()),
        ("none", "same", ()),
        ("update", "grown", ("deep.b", "size")),
        ("delete", "gone", ()),
    ]
    assert plan.has_changes


def test_nothing_to_do_is_no_change() -> None:
    plan = diff([resource("same", a=1, b=2)], [resource("same", b=2, a=1)])
    assert not plan.has_changes
    assert plan.to_dict()["changes"] == [{"action": "none", "kind": "endpoint", "name": "same", "fields": []}]


def test_kinds_keep_names_apart() -> None:
    plan = diff([Resource.of("pipeline", "churn", {})], [Resource.of("endpoint", "churn", {})])
    assert [(one.action, one.kind) for one in plan.changes] == [("create", "pipeline"), ("delete", "endpoint")]


def test_lists_of_named_things_are_compared_by_name() -> None:
    old = resource("e", variants=[{"name": "blue", "weight": 1}, {"name": "green", "weight": 0}])
    new = resource("e", variants=[{"name": "green", "weight": 1}, {"name": "blue", "weight": 1}])
    [change] = diff([new], [old]).changes
    assert change.fields == ("variants.green.weight",)


def test_the_order_of_keys_does_not_matter_to_a_digest() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1}) != digest_of({"a": 1, "b": [2, 1]})
    assert canonical({"b": "ž", "a": None}) == '{"a":null,"b":"ž"}'
