"""ScheduleService, by the field comments of Schedule and the docstrings of its methods."""

from __future__ import annotations

from typing import Any

import pytest

from cloudml_vertex.mock.core.errors import GoogleError


def code(action: Any) -> str:
    with pytest.raises(GoogleError) as refused:
        action()
    return refused.value.code


def test_runs_at_the_times_of_its_cron(bench: Any) -> None:
    name = bench.create()
    assert bench.get(name)["next_run_time"] == "2026-11-24T11:00:00Z"
    bench.hours(2.5)
    assert bench.started == ["2026-11-24T11:00:00Z", "2026-11-24T12:00:00Z"]
    found = bench.get(name)
    assert found["started_run_count"] == 2 and found["state"] == "ACTIVE"
    assert found["next_run_time"] == "2026-11-24T13:00:00Z"
    answer = {"scheduled_run_time": "2026-11-24T12:00:00Z", "run_response": "OK"}
    assert found["last_scheduled_run_response"] == answer


def test_start_and_end(bench: Any) -> None:
    name = bench.create(start_time="2026-11-24T12:00:00Z", end_time="2026-11-24T14:30:00Z")
    bench.hours(3)
    assert bench.started == ["2026-11-24T12:00:00Z", "2026-11-24T13:00:00Z"]
    bench.hours(3)
    assert len(bench.started) == 3
    found = bench.get(name)
    assert found["state"] == "COMPLETED" and "next_run_time" not in found


def test_the_start_itself_can_be_left_out(bench: Any) -> None:
    bench.world.switches.set("schedule-start", "exclusive")
    bench.create(start_time="2026-11-24T12:00:00Z")
    bench.hours(3)
    assert bench.started == ["2026-11-24T13:00:00Z"]


def test_completed_after_so_many_runs(bench: Any) -> None:
    name = bench.create(max_run_count=2)
    bench.hours(10)
    assert len(bench.started) == 2 and bench.get(name)["state"] == "COMPLETED"
    assert code(lambda: bench.call("PauseSchedule", name=name)) == "FAILED_PRECONDITION"
    assert code(lambda: bench.call("ResumeSchedule", name=name)) == "FAILED_PRECONDITION"


def test_max_concurrent_run_count_does_not_limit_running_jobs(bench: Any) -> None:
    bench.create(max_concurrent_run_count=1)
    bench.hours(3)
    assert len(bench.started) == 3


def test_what_is_over_the_active_limit_is_skipped(bench: Any) -> None:
    name = bench.create(max_concurrent_active_run_count=1)
    bench.hours(2)
    found = bench.get(name)
    assert len(bench.jobs) == 1 and found["started_run_count"] == 1
    answer = found["last_scheduled_run_response"]
    assert answer["scheduled_run_time"] == "2026-11-24T12:00:00Z" and answer["run_response"] != "OK"
    bench.end(bench.jobs[0])
    assert len(bench.jobs) == 1
    bench.hours(1)
    assert bench.started[-1] == "2026-11-24T13:00:00Z"


def test_or_waits_when_queueing_is_allowed(bench: Any) -> None:
    name = bench.create(max_concurrent_active_run_count=1, allow_queueing=True)
    bench.hours(3.5)
    assert len(bench.jobs) == 1
    assert bench.get(name)["next_run_time"] == "2026-11-24T12:00:00Z"  # in the past: behind schedule
    bench.end(bench.jobs[0])
    assert bench.started == ["2026-11-24T11:00:00Z", "2026-11-24T13:30:00Z"]
    assert bench.get(name)["last_scheduled_run_response"]["scheduled_run_time"] == "2026-11-24T12:00:00Z"


@pytest.mark.parametrize(("catch_up", "runs"), [(True, 4), (False, 1)])
def test_pause_and_resume(bench: Any, catch_up: bool, runs: int) -> None:
    name = bench.create()
    bench.hours(1)
    bench.call("PauseSchedule", name=name)
    assert bench.get(name)["state"] == "PAUSED" and "next_run_time" not in bench.get(name)
    bench.hours(3.5)
    assert len(bench.jobs) == 1
    bench.call("ResumeSchedule", name=name, catch_up=catch_up)
    found = bench.get(name)
    assert len(bench.jobs) == runs and found["state"] == "ACTIVE"
    assert found.get("catch_up", False) is catch_up and found["last_resume_time"] == "2026-11-24T14:30:00Z"
    assert found["next_run_time"] == "2026-11-24T15:00:00Z"
    assert code(lambda: bench.call("ResumeSchedule", name=name)) == "FAILED_PRECONDITION"


def test_catch_up_keeps_to_the_limit(bench: Any) -> None:
    name = bench.create(max_concurrent_active_run_count=1)
    bench.call("PauseSchedule", name=name)
    bench.hours(3.5)
    bench.call("ResumeSchedule", name=name, catch_up=True)
    assert len(bench.jobs) == 1
    bench.end(bench.jobs[0])
    bench.end(bench.jobs[1])
    assert len(bench.jobs) == 3


def test_a_refused_run_is_told_and_not_counted(bench: Any) -> None:
    name = bench.create()
    bench.refuse = "no quota"
    bench.hours(1)
    found = bench.get(name)
    assert "started_run_count" not in found
    assert "no quota" in found["last_scheduled_run_response"]["run_response"]


def test_update_follows_the_new_cron_and_drops_what_waits(bench: Any) -> None:
    name = bench.create(max_concurrent_active_run_count=1, allow_queueing=True)
    bench.hours(2.5)
    schedule = {"name": name, "cron": "TZ=Asia/Tokyo 0 0 * * *"}
    found = bench.call("UpdateSchedule", schedule=schedule, update_mask="cron")
    assert found["next_run_time"] == "2026-11-24T15:00:00Z"
    bench.end(bench.jobs[0])
    assert len(bench.jobs) == 1


@pytest.mark.parametrize(
    ("patch", "mask"),
    [
        ({"cron": "x"}, "cron"),
        ({"cron": ""}, "cron"),
        ({}, "max_concurrent_run_count"),
        ({"state": "PAUSED"}, "labels"),
        ({"create_model_monitoring_job_request": {"parent": "p"}}, "create_model_monitoring_job_request"),
    ],
)
def test_updates_that_are_refused(bench: Any, patch: dict, mask: str) -> None:
    name = bench.create()
    change = {"schedule": {"name": name, **patch}, "update_mask": mask}
    assert code(lambda: bench.call("UpdateSchedule", "v1beta1", **change)) == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "wrong",
    [
        {"cron": "every day"},
        {"max_concurrent_run_count": 0},
        {"display_name": "x" * 129},
        {"end_time": "2026-11-24T09:00:00Z", "start_time": "2026-11-24T10:00:00Z"},
        {"create_pipeline_job_request": {"parent": "projects/1/locations/europe-west1", "pipeline_job": {}}},
        {
            "create_pipeline_job_request": {
                "parent": "projects/123456789/locations/us-central1",
                "pipeline_job": {"display_name": "bad"},
            }
        },
    ],
)
def test_schedules_that_are_refused(bench: Any, wrong: dict) -> None:
    assert code(lambda: bench.create(**wrong)) == "INVALID_ARGUMENT"
    assert not bench.call("ListSchedules").get("schedules")


def test_list_with_filters(bench: Any) -> None:
    first = bench.create(display_name="one", end_time="2027-01-01T00:00:00Z")
    second = bench.create(display_name="two")
    bench.call("PauseSchedule", name=second)

    def listed(filter_: str) -> list[str]:
        return [row["name"] for row in bench.call("ListSchedules", filter=filter_).get("schedules", [])]

    assert listed('state="PAUSED"') == [second]
    assert listed("NOT end_time:*") == [second]
    assert listed('display_name="one" AND create_pipeline_job_request:*') == [first]


def test_delete(bench: Any) -> None:
    name = bench.create()
    operation = bench.call("DeleteSchedule", name=name)
    bench.world.clock.settle()
    assert bench.world.table("Operation", bench_scope())[operation["name"]]["done"]
    assert code(lambda: bench.get(name)) == "NOT_FOUND"
    bench.hours(2)
    assert bench.started == []


def bench_scope() -> Any:
    from cloudml.mocks.store import Scope

    return Scope("123456789", "us-central1")


def test_a_mock_that_was_killed_goes_on(bench: Any) -> None:
    name = bench.create(max_concurrent_active_run_count=1, allow_queueing=True)
    bench.hours(2.5)
    bench.close()
    bench.world = bench.open()
    assert bench.get(name)["started_run_count"] == 1
    bench.end(bench.jobs[0])
    assert len(bench.jobs) == 2
    bench.hours(1)
    assert len(bench.jobs) == 2 and bench.get(name)["next_run_time"] == "2026-11-24T13:00:00Z"


def test_a_time_that_passed_while_it_was_down_is_made_up_for(bench: Any) -> None:
    from datetime import timedelta

    bench.create()
    bench.close()
    bench.now += timedelta(hours=5, minutes=30)
    bench.world = bench.open()
    bench.hours(0)
    assert bench.started == ["2026-11-24T15:30:00Z"]
