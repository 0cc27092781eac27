"""Waiting for a run: what a listener hears, when the wait ends, and how long it is patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from cloudml.backend.records import Event, RunRecord, RunStatus, TaskRecord, TaskStatus
from cloudml.errors import CloudmlError
from cloudml.remote.wait import Polling, wait

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Seen:
    record: RunRecord
    modified: datetime = BEGAN


def seen(status: RunStatus, task: TaskStatus, seconds: int = 0) -> Seen:
    tasks = (TaskRecord(id="fit", kind="processing", status=task),)
    record = RunRecord("r1", "train", status, {}, BEGAN.isoformat(), tasks=tasks)
    return Seen(record, BEGAN + timedelta(seconds=seconds))


def showing(*states: Seen | None) -> Callable[[bool], Seen | None]:
    """The states one after the other; to look once more is an error (StopIteration)."""
    left = iter(states)
    return lambda new: next(left)


def polling(slept: list[float] | None = None) -> Polling:
    return Polling(first=1.0, longest=3.0, growth=2.0, sleep=(slept if slept is not None else []).append)


def test_each_change_is_told_once_and_the_runs_end_last() -> None:
    heard: list[Event] = []
    states = showing(
        None, seen("running", "pending"), seen("running", "running"), seen("running", "running"),
        seen("succeeded", "succeeded"),
    )  # fmt: skip
    assert wait(states, "r1", heard.append, polling=polling()).status == "succeeded"
    assert [(one.task, one.status) for one in heard] == [
        (None, "running"), ("fit", "running"), ("fit", "succeeded"), (None, "succeeded"),
    ]  # fmt: skip


def test_a_task_that_was_never_seen_running_is_told_as_begun_first() -> None:
    heard: list[Event] = []
    wait(showing(seen("failed", "failed")), "r1", heard.append, polling=polling())
    assert [(one.task, one.status) for one in heard] == [
        (None, "running"), ("fit", "running"), ("fit", "failed"), (None, "failed"),
    ]  # fmt: skip


def test_pauses_grow_to_the_longest_and_begin_anew_with_a_change() -> None:
    slept: list[float] = []
    same = [seen("running", "pending")] * 4
    wait(showing(*same, seen("running", "running"), seen("stopped", "stopped")), "r1", polling=polling(slept))
    assert slept == [1.0, 2.0, 3.0, 3.0, 1.0]


def test_a_person_is_waited_for_only_when_told_to_stay() -> None:
    states = (seen("waiting", "waiting"), seen("succeeded", "succeeded"))
    assert wait(showing(*states), "r1", polling=polling()).status == "waiting"
    assert wait(showing(*states), "r1", stay=True, polling=polling()).status == "succeeded"


def test_a_state_from_before_what_was_asked_is_an_old_one() -> None:
    states = showing(seen("failed", "failed"), seen("succeeded", "succeeded", seconds=1))
    assert wait(states, "r1", polling=polling(), since=BEGAN).status == "succeeded"


def test_patience_ends() -> None:
    with pytest.raises(CloudmlError, match="r1 has not ended within 0 s"):
        wait(lambda new: seen("running", "running"), "r1", polling=polling(), patience=0.0)
