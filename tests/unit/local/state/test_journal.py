"""What is written down of runs, tasks, trials and decisions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudml.errors import NotFound, StateError
from cloudml_local.state.database import SCHEMA_VERSION, Database
from cloudml_local.state.journal import Journal

OUTPUT = {"output": {"digest": "sha256:ab", "type": "int", "format": "json", "size": 1, "filename": "output.json"}}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    database = Database(tmp_path / "state.db")
    yield Journal(database)
    database.close()


def begin(journal: Journal, **fields: Any) -> str:
    return journal.create_run("toy", {"tasks": []}, "digest", {"n": 1}, **fields)


def test_run_ids_grow_and_are_never_used_again(journal: Journal) -> None:
    assert [begin(journal), begin(journal)] == ["toy-1", "toy-2"]
    journal.database.execute("DELETE FROM runs")
    assert begin(journal) == "toy-3", "a decision on toy-1 must not speak for another run"


def test_a_run_is_found_by_id_and_as_the_last(journal: Journal) -> None:
    with pytest.raises(NotFound, match="no run yet"):
        journal.run("last")
    first, second = begin(journal), begin(journal, parent="toy-1", fresh=["a"])
    assert (journal.run("last").id, journal.run(first).parameters) == (second, {"n": 1})
    assert (journal.run(second).parent, journal.run(second).fresh) == ("toy-1", ["a"])
    with pytest.raises(NotFound) as caught:
        journal.run("toy-9")
    assert "toy-2, toy-1" in caught.value.hint


def test_elapsed_time_adds_up_over_drivers(journal: Journal) -> None:
    run = begin(journal)
    journal.set_status(run, "stopped", "on request", 1.5)
    journal.set_status(run, "succeeded", "", 2.0)
    row = journal.run(run)
    assert (row.status, row.duration, row.reason) == ("succeeded", 3.5, "")


def test_a_task_that_has_only_begun_has_no_outputs(journal: Journal) -> None:
    run = begin(journal)
    journal.begin_task(run, "a", "processing", 1)
    task = journal.task(run, "a")
    assert task is not None
    assert (task["status"], task["outputs"], task["vals"]) == ("running", {}, {})


def test_the_end_of_a_task_and_its_cache_entry_are_one(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin(journal)

    def broken() -> float:
        raise RuntimeError("between the two")

    with monkeypatch.context() as patch:
        patch.setattr("cloudml_local.state.journal.time.time", broken)
        with pytest.raises(RuntimeError):
            journal.end_task(run, "a", "processing", "succeeded", outputs=OUTPUT, key="k", reusable=True)
    assert (journal.task(run, "a"), journal.cached("k")) == (None, None)
    journal.end_task(run, "a", "processing", "succeeded", outputs=OUTPUT, values={"output": 7}, key="k", reusable=True)
    entry = journal.cached("k")
    assert entry is not None
    assert (entry.run, entry.task, entry.outputs, entry.values) == (run, "a", OUTPUT, {"output": 7})


def test_a_failure_is_forgotten_when_the_task_succeeds_later(journal: Journal) -> None:
    run = begin(journal)
    journal.begin_task(run, "a", "processing", 1)
    journal.end_task(run, "a", "processing", "failed", reason="no", failure={"class": "error"})
    journal.begin_task(run, "a", "processing", 2)
    journal.end_task(run, "a", "processing", "succeeded", outputs=OUTPUT)
    task = journal.task(run, "a")
    assert task is not None
    assert (task["status"], task["failure"], task["reason"], task["attempts"]) == ("succeeded", None, "", 2)


def test_open_tasks_are_closed_and_ended_ones_left_alone(journal: Journal) -> None:
    run = begin(journal)
    for name in ("open", "asked", "done"):
        journal.begin_task(run, name, "processing", 1)
    journal.wait_task(run, "asked", "2030-01-01T00:00:00+00:00")
    journal.end_task(run, "done", "processing", "succeeded")
    journal.close_open_tasks(run, "interrupted")
    found = {name: task["status"] for name, task in journal.tasks(run).items()}
    assert found == {"open": "interrupted", "asked": "interrupted", "done": "succeeded"}


def test_an_entry_from_the_future_is_new_not_old(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin(journal)
    monkeypatch.setattr("cloudml_local.state.journal.time.time", lambda: 2_000.0)
    journal.end_task(run, "a", "processing", "succeeded", key="k", reusable=True)
    for clock, age in ((2_010.0, 10.0), (1_000.0, 0.0)):
        monkeypatch.setattr("cloudml_local.state.journal.time.time", lambda clock=clock: clock)
        entry = journal.cached("k")
        assert entry is not None and entry.age == age


def test_a_damaged_artifact_is_forgotten_wherever_it_was_cached(journal: Journal) -> None:
    run = begin(journal)
    other = {"output": {**OUTPUT["output"], "digest": "sha256:cd"}}
    for name, outputs in (("a", OUTPUT), ("b", OUTPUT), ("c", other)):
        journal.end_task(run, name, "processing", "succeeded", outputs=outputs, key=name, reusable=True)
    assert sorted(journal.drop_cached("sha256:ab")) == ["a", "b"]
    assert [journal.cached(name) is None for name in "abc"] == [True, True, False]


def test_trials_are_kept_by_number_and_replaced(journal: Journal) -> None:
    run = begin(journal)
    for number, state in ((1, "failed"), (0, "succeeded"), (1, "succeeded")):
        journal.save_trial(run, "fit", number, state, params={"x": number}, value=0.5, reports=[[1, 0.25]])
    found = [(one["number"], one["state"], one["params"], one["reports"]) for one in journal.trials(run, "fit")]
    assert found == [(0, "succeeded", {"x": 0}, [[1, 0.25]]), (1, "succeeded", {"x": 1}, [[1, 0.25]])]


def test_decisions_keep_their_order(journal: Journal) -> None:
    for word in ("rejected", "approved"):
        journal.decide("run:toy-1/gate", word, "ada", "because")
    assert [one["action"] for one in journal.decisions("run:toy-1/gate")] == ["rejected", "approved"]
    assert journal.decisions("run:toy-1/other") == []


def test_a_transaction_is_all_or_nothing(journal: Journal) -> None:
    begin(journal)

    def fail_half_way() -> None:
        with journal.database.transaction():
            journal.database.execute("UPDATE runs SET status = 'failed'")
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        fail_half_way()
    assert journal.run("last").status == "running"


def test_a_full_disk_inside_a_transaction_is_told_as_such(journal: Journal) -> None:
    database = journal.database
    pages = database._connection.execute("PRAGMA page_count").fetchone()[0]
    database._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateError, match="the disk is full"):
        journal.create_run("toy", {"tasks": ["x" * 1_000_000]}, "digest", {"n": 1})
    database._connection.execute("PRAGMA max_page_count = 1000000")
    assert begin(journal).startswith("toy-"), "the connection is of use again"


def test_a_state_of_a_newer_cloudml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    base = sqlite3.connect(path)
    base.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    base.close()
    with pytest.raises(StateError, match="newer cloudml"):
        Database(path)


def test_a_busy_database_says_so(tmp_path: Path) -> None:
    first, second = Database(tmp_path / "state.db"), Database(tmp_path / "state.db")
    second._connection.execute("PRAGMA busy_timeout = 50")
    with first.transaction(), pytest.raises(StateError, match="for too long"), second.transaction():
        pass
    with second.transaction():
        pass
    first.close()
    second.close()
