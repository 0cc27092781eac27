"""Applies that are cut off, that meet one another, that come too late, or that a bad line disturbs."""

from __future__ import annotations

import itertools
import json
import os
import threading
from dataclasses import replace
from typing import Any

import pytest
from resources_lab import Lab, actions, named

from cloudml.errors import BackendError, Refused
from cloudml.plan import Plan, Resource
from cloudml.remote import applying, journal, state
from cloudml.remote.journal import Journal, Writer
from cloudml.remote.state import Pending, Step
from cloudml_sagemaker.resources import cloud

MAKES = ("CreateModelPackageGroup", "CreateQueue", "CreatePipeline", "CreateScheduleGroup", "CreateSchedule")


STRIDE = 1 if os.environ.get("CLOUDML_SLOW") else 3
"""Every write is a place to die at; a quick run takes every third."""


class Killed(BaseException):
    """The process ends here."""


def dying(lab: Lab, at: int) -> list[str]:
    """Let the client die before its write number `at`; the writes that it had come to."""
    count = itertools.count()

    def before(operation: str) -> None:
        if next(count) >= at:
            raise Killed(operation)

    lab.client.before = before
    lab.client.writes.clear()
    return lab.client.writes


def test_killed_before_any_write_the_next_apply_ends_it_and_makes_nothing_twice(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = lab.resources()
    whole = lab.apply(resources)
    wanted = lab.account()
    lab.fresh()
    monkeypatch.setattr(journal, "_runs", lambda pid: False)
    for at in range(0, len(whole), STRIDE):
        victim = lab.anew()
        writes = dying(victim, at)
        with pytest.raises(Killed):
            victim.apply(resources)
        done = [*writes]
        survivor = lab.anew()
        done += survivor.apply(resources)
        assert survivor.account() == wanted, at
        assert not survivor.plan(resources).has_changes
        for operation in MAKES:
            assert done.count(operation) == 1, (at, operation)
        lab.fresh()


def test_a_change_that_fails_is_told_with_what_stands_and_what_is_left(lab: Lab) -> None:
    resources = lab.resources()
    pipeline = named(resources, "pipeline")
    wrong = Resource.of("pipeline", pipeline.name, {**pipeline.document, "RoleArn": "arn:aws:iam::1:role/none"})
    with pytest.raises(BackendError) as caught:
        lab.apply([wrong if one is pipeline else one for one in resources])
    assert caught.value.code == "CML535"
    assert f"pipeline {pipeline.name} could not be made" in caught.value.message
    done, _, left = caught.value.message.partition("Left: ")
    assert all(name in done for name in ("job_code", "model_group", "queue"))
    assert all(name in left for name in ("pipeline", "schedule_group", "schedule"))
    assert "apply again" in caught.value.hint
    plan = lab.plan(resources)
    assert {kind for kind, action in actions(plan).items() if action == "create"} == {
        "pipeline",
        "schedule_group",
        "schedule",
    }
    lab.apply(resources, plan)
    assert not lab.plan(resources).has_changes


def test_what_a_dead_apply_was_at_is_told(lab: Lab) -> None:
    resources = lab.resources()
    lab.apply(resources)
    changed = lab.resources(description="new", schedule=None)
    victim = lab.anew()
    victim.client.before = lambda operation: (_ for _ in ()).throw(Killed()) if operation == "UpdatePipeline" else None
    with pytest.raises(Killed):
        victim.apply(changed)
    changes = {change.kind: change for change in lab.plan(changed).changes if change.kind != "job_code"}
    assert "was cut off here" in changes["pipeline"].problem
    assert "user" in changes["pipeline"].problem, "by whom"
    lab.apply(changed)
    assert not [change.problem for change in lab.plan(changed).changes if change.problem]


def test_what_a_dead_apply_did_is_no_drift(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = lab.resources()
    lab.apply(resources)
    changed = [one for one in lab.resources(description="new") if one.kind != "job_code"] + [
        one for one in resources if one.kind == "job_code"
    ]
    victim = lab.anew()
    # What is done is noted by the next write of the state.
    victim.client.before = lambda operation: (
        (_ for _ in ()).throw(Killed())
        if operation == "PutObject" and "UpdatePipeline" in victim.client.writes
        else None
    )
    with pytest.raises(Killed):
        victim.apply(changed)
    [going] = [change.problem for change in lab.plan(changed).changes if change.problem]
    assert "has not come to this yet" in going, "its process is there"
    monkeypatch.setattr(journal, "_runs", lambda pid: False)
    plan = lab.plan(changed)
    assert [change.drift for change in plan.changes if change.drift] == []
    assert not plan.has_changes
    assert [change.kind for change in plan.changes if change.problem] == ["pipeline"]
    assert lab.apply(changed, plan) == ["PutObject"] * 3, "the prefix's mark, and a journal begun and ended"
    assert not [change.problem for change in lab.plan(changed).changes if change.problem]


@pytest.mark.parametrize("what", ["world", "code"])
def test_a_stale_plan_changes_nothing_and_says_what_moved(lab: Lab, what: str) -> None:
    resources = lab.resources()
    lab.apply(resources)
    changed = [one for one in lab.resources(description="new") if one.kind != "job_code"]
    plan = lab.plan(changed)
    if what == "world":
        url = lab.client.call("sqs", "GetQueueUrl", QueueName=named(resources, "queue").name)["QueueUrl"]
        lab.client.call("sqs", "DeleteQueue", QueueUrl=url)
    else:
        changed = [one for one in lab.resources(description="newer") if one.kind != "job_code"]
    lab.client.writes.clear()
    with pytest.raises(Refused) as caught:
        applying.apply(lab.world, changed, plan)
    assert caught.value.code == "CML530"
    assert ("queue" in caught.value.message) == (what == "world")
    assert lab.client.writes == []


def test_of_two_applies_at_once_one_wins(lab: Lab) -> None:
    resources = lab.resources()
    labs = [lab.anew() for _ in range(3)]
    plans = [one.plan(resources) for one in labs]
    together, ended = threading.Barrier(len(labs)), []

    def run(one: Lab, plan: Plan) -> None:
        together.wait()
        try:
            ended.append(one.apply(resources, plan))
        except Refused as error:
            ended.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in zip(labs, plans, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [one for one in ended if isinstance(one, list)]
    refused = [one for one in ended if isinstance(one, Refused)]
    assert len(won) == 1, ended
    assert {one.code for one in refused} <= {"CML530", "CML531"}
    assert not lab.plan(resources).has_changes
    done = [operation for one in labs for operation in one.client.writes]
    assert [done.count(operation) for operation in MAKES] == [1] * len(MAKES)


def pending(**changes: Any) -> Pending:
    made = Pending(
        id="1", by="ada", host="elsewhere", pid=1, at="2026-01-01", beat=1000.0, changes=(Step("create", "queue", "q"),)
    )
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("found", "alive"),
    [
        (pending(), True),
        (pending(beat=1000.0 - journal.SILENT - 1), False),
        (pending(failed="throttled"), False),
        (pending(host="here", pid=2**22 + 1), False),  # beyond Linux's highest process id
        (pending(host="here", pid=1), True),
    ],
)
def test_who_is_dead(found: Pending, alive: bool) -> None:
    assert Writer("here", 4, clock=lambda: 1000.0).alive(found) is alive


def test_an_apply_that_is_alive_is_left_alone_and_a_silent_one_is_taken_over(lab: Lab) -> None:
    resources = lab.resources()
    lab.apply(resources)
    changed = [one for one in lab.resources(description="new") if one.kind != "job_code"]
    name = cloud.name_of(resources)
    now = journal.Writer.here().clock()
    known = state.read(lab.world, name)
    busy = state.write(lab.world, name, replace(known, pending=pending(beat=now)))
    with pytest.raises(Refused, match="ada applies since 2026-01-01") as caught:
        lab.apply(changed)
    assert caught.value.code == "CML531"
    state.write(lab.world, name, replace(busy, pending=pending(beat=now - journal.SILENT - 1)))
    lab.apply(changed)
    assert state.read(lab.world, name).pending is None


def test_who_was_thought_dead_stops_when_it_comes_back(lab: Lab) -> None:
    lab.apply(lab.resources())
    name = cloud.name_of(lab.resources())
    steps = [Step("create", "queue", "q")]
    writer = Writer("here", 4, clock=lambda: 1000.0)
    with Journal(lab.world, name, state.read(lab.world, name), steps, writer) as slow:
        late = Writer("there", 5, clock=lambda: 1000.0 + journal.SILENT + 1)
        with Journal(lab.anew().world, name, state.read(lab.world, name), steps, late) as next_one:
            next_one.end([])
        with pytest.raises(Refused) as caught:
            slow.done(steps)
    assert caught.value.code == "CML531"
    assert state.read(lab.world, name).applied == ()


def test_a_sign_of_life_is_given_while_it_takes_long(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "BEAT", 0.01)
    times = itertools.count(1000)
    writer = Writer("here", 4, clock=lambda: float(next(times)))
    first = state.State()
    with Journal(lab.world, "p", first, [], writer) as going:
        beats = set()
        while len(beats) < 3:
            found = state.read(lab.world, "p").pending
            assert found is not None
            beats.add(found.beat)
        going.end([])
    assert state.read(lab.world, "p").pending is None


def test_a_lost_answer_to_our_own_write_is_no_race(lab: Lab) -> None:
    lab.mock.add_fault("lost-response:s3:PutObject,count=1")
    made = state.write(lab.world, "p", state.State(by="me"))
    again = state.write(lab.world, "p", replace(made, by="still me"))
    assert state.read(lab.world, "p") == again
    with pytest.raises(Refused):
        state.write(lab.world, "p", replace(made, by="too late"))


@pytest.mark.parametrize("ours", [True, False])
def test_a_write_whose_answer_never_came_is_written_over_when_it_is_our_own(lab: Lab, ours: bool) -> None:
    steps = [Step("create", "queue", "q")]
    with Journal(lab.world, "p", state.State(), steps) as going:
        found = state.read(lab.world, "p")
        assert found.pending is not None
        beat = replace(found.pending, beat=found.pending.beat + 30, id=found.pending.id if ours else "another")
        state.write(lab.world, "p", replace(found, pending=beat))
        if not ours:
            with pytest.raises(Refused):
                going.done(steps)
            return
        going.done(steps)
    assert state.read(lab.world, "p").pending is not None


def test_state_that_cannot_be_read_is_told(lab: Lab) -> None:
    lab.client.call("s3", "PutObject", Bucket="data", Key="samples/test/state/p.json", Body=b'{"format": 9}')
    with pytest.raises(Exception, match="format 9"):
        state.read(lab.world, "p")


@pytest.mark.parametrize("rules", [
    {"throttle:*": 0.1, "internal-error:*": 0.1, "unavailable:*": 0.1}, {"lost-response:*": 0.2, "stale:*": 0.2},
])  # fmt: skip
def test_under_faults_applies_converge(lab: Lab, rules: dict[str, float]) -> None:
    resources = lab.resources()
    for rule, probability in rules.items():
        lab.mock.add_fault(f"{rule},probability={probability},seed=4")
    for _ in range(6):
        try:
            lab.apply(resources)
        except (BackendError, Refused):
            continue
        if not lab.plan(resources).has_changes:
            break
    assert all(one["struck"] > 0 for one in lab.mock.faults() if one["kind"] != "stale")
    lab.mock.clear_faults()
    if lab.plan(resources).has_changes:
        lab.apply(resources)
    assert not lab.plan(resources).has_changes
    versions = lab.client.pages(
        "sagemaker", "ListPipelineVersions", "PipelineVersionSummaries", PipelineName=named(resources, "pipeline").name
    )
    assert len(list(versions)) == 1, "nothing was made twice"


def test_a_lost_state_is_made_anew_from_what_is_there(lab: Lab) -> None:
    resources = lab.resources()
    lab.apply(resources)
    lab.client.call("s3", "DeleteObject", Bucket="data", Key=f"samples/test/state/{cloud.name_of(resources)}.json")
    plan = lab.plan(resources)
    assert not plan.has_changes
    changed = [one for one in lab.resources(description="new") if one.kind != "job_code"]
    assert lab.apply(changed).count("UpdatePipeline") == 1
    assert json.loads(lab.client.read(f"s3://data/samples/test/state/{cloud.name_of(resources)}.json"))["applied"]


def test_ensure_makes_what_a_run_needs_and_removes_nothing(lab: Lab) -> None:
    resources = lab.resources()
    kinds = frozenset({"job_code", "model_group", "queue", "pipeline"})
    made = applying.ensure(lab.world, resources, kinds)
    assert {change.kind for change in made} == kinds
    assert lab.account()["schedules"] == []
    lab.client.writes.clear()
    assert applying.ensure(lab.world, resources, kinds) == ()
    assert lab.client.writes == []
    assert {kind for kind, action in actions(lab.plan(resources)).items() if action != "none"} == {
        "schedule",
        "schedule_group",
    }
    lab.apply(resources)
    without = [one for one in resources if not one.kind.startswith("schedule")]
    assert applying.ensure(lab.world, without, kinds) == ()
    assert len(lab.account()["schedules"]) == 1
