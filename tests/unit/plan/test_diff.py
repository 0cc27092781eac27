"""Desired against observed."""

from __future__ import annotations

from typing import Any

import pytest

from cloudml.plan import Observed, Plan, Resource, after, canonical, desired_state, diff, digest_of, state_of


def resource(name: str, **document: Any) -> Resource:
    return Resource.of("endpoint", name, document)


def seen(name: str, **document: Any) -> Observed:
    return Observed(resource(name, **document))


def test_each_resource_has_one_change() -> None:
    desired = [resource("new", size=1), resource("same", size=1), resource("grown", size=2, deep={"a": 1, "b": [1]})]
    observed = [seen("same", size=1), seen("grown", size=1, deep={"a": 1, "b": [2]}), seen("gone")]
    plan = diff(desired, observed)
    assert [(one.action, one.name, one.fields) for one in plan.changes] == [
        ("create", "new", ()),
        ("none", "same", ()),
        ("update", "grown", ("deep.b", "size")),
        ("delete", "gone", ()),
    ]
    assert plan.has_changes


def test_nothing_to_do_is_no_change() -> None:
    plan = diff([resource("same", a=1, b=2)], [seen("same", b=2, a=1)])
    assert not plan.has_changes
    assert plan.to_dict()["changes"] == [{"action": "none", "kind": "endpoint", "name": "same", "fields": []}]


def test_kinds_keep_names_apart() -> None:
    plan = diff([Resource.of("pipeline", "churn", {})], [Observed(Resource.of("endpoint", "churn", {}))])
    assert [(one.action, one.kind) for one in plan.changes] == [("create", "pipeline"), ("delete", "endpoint")]


@pytest.mark.parametrize("key", ["name", "Name", "Key"])
def test_lists_of_named_things_are_compared_by_name(key: str) -> None:
    old = seen("e", variants=[{key: "blue", "weight": 1}, {key: "green", "weight": 0}])
    new = resource("e", variants=[{key: "green", "weight": 1}, {key: "blue", "weight": 1}])
    [change] = diff([new], [old]).changes
    assert change.fields == ("variants.green.weight",)


def test_what_others_changed_is_told_apart_from_what_the_code_changed() -> None:
    declared, live, desired = resource("e", size=1, role="a"), resource("e", size=1, role="b"), resource("e", size=2)
    [change] = diff([desired], [Observed(live, declared, "arn:aws:iam::1:user/eva", "2024-05-06T07:08:09Z")]).changes
    assert (change.action, change.fields, change.drift) == ("update", ("role", "size"), ("role",))
    assert (change.changed_by, change.changed_at) == ("arn:aws:iam::1:user/eva", "2024-05-06T07:08:09Z")
    [change] = diff([desired], [Observed(declared, declared, "arn:aws:iam::1:user/us")]).changes
    assert (change.drift, change.changed_by) == ((), ""), "who applied last is no drift"


def test_drift_back_to_what_is_desired_needs_nothing() -> None:
    [change] = diff([resource("e", size=2)], [Observed(resource("e", size=2), resource("e", size=1))]).changes
    assert change.action == "none"


@pytest.mark.parametrize(
    ("path", "action"),
    [("network", "replace"), ("network.zone", "replace"), ("network.zone.deep", "replace"), ("net", "update"),
     ("size", "update")],
)  # fmt: skip
def test_a_field_that_cannot_be_changed_in_place_replaces(path: str, action: str) -> None:
    old = Observed(resource("e", network={"zone": 1}, size=1), replaces=(path,), lost="the queue's messages")
    [change] = diff([resource("e", network={"zone": 2}, size=1)], [old]).changes
    assert change.action == action
    assert change.lost == ("the queue's messages" if action == "replace" else "")


def test_what_would_be_lost_for_good_goes_only_when_asked_for() -> None:
    old = Observed(Resource.of("model_group", "churn", {}), lost="3 versions of the model")
    kept = diff([], [old])
    assert not kept.has_changes
    [note] = kept.notes
    assert "model_group churn" in note and "3 versions of the model" in note
    pruned = diff([], [old], prune=True)
    assert [(one.action, one.lost) for one in pruned.irreversible] == [("delete", "3 versions of the model")]
    assert not diff([], [seen("gone")]).irreversible, "it can be made again"


def test_what_a_run_makes_is_no_work_of_an_apply() -> None:
    new, old = diff([resource("e", a=1)], [], deferred={"endpoint"}), diff([resource("e", a=1)], [seen("e", a=2)])
    assert (new.has_changes, new.changes[0].action, new.changes[0].deferred) == (False, "create", True)
    assert old.has_changes, "one that is there already is brought up to date"


def test_the_states_tell_a_stale_plan() -> None:
    one, two = resource("a", x=1), resource("b", x=1)
    plan = diff([one, two], [Observed(one)])
    assert plan.base == state_of([Observed(one)]) != state_of([Observed(two)])
    assert plan.desired == desired_state([two, one]) != desired_state([one])
    assert plan.base != diff([one, two], [Observed(resource("a", x=2))]).base


def test_the_facts_stand_in_the_document() -> None:
    found = diff([], [], ("a note",), facts={"botocore": "1.2.3"}).to_dict()
    assert (found["botocore"], found["notes"], found["changes"]) == ("1.2.3", ["a note"], [])


def test_the_world_after_an_apply() -> None:
    later = Resource.of("run_made", "e", {})
    old = [seen("gone"), Observed(resource("grown", a=1), replaces=("b",)), Observed(resource("kept"), lost="data")]
    desired = [resource("grown", a=2), resource("new"), later]
    plan = diff(desired, old, deferred={"run_made"})
    found = {one.live.name: one for one in after(plan, desired, old)}
    assert set(found) == {"grown", "new", "kept"}
    assert (found["grown"].live, found["grown"].declared, found["grown"].replaces) == (desired[0], desired[0], ("b",))
    assert not diff(desired, list(found.values()), deferred={"run_made"}).has_changes


def test_what_was_observed_becomes_json_and_back() -> None:
    one = Observed(resource("e", a=1), resource("e", a=2), "eva", "2024", ("a.b",), "data", "cut off")
    assert Observed.of_dict(one.to_dict()) == one
    assert Observed.of_dict(seen("e").to_dict()) == seen("e")


def test_an_empty_plan_changes_nothing() -> None:
    assert not Plan(()).has_changes


def test_the_order_of_keys_does_not_matter_to_a_digest() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1}) != digest_of({"a": 1, "b": [2, 1]})
    assert canonical({"b": "ž", "a": None}) == '{"a":null,"b":"ž"}'
