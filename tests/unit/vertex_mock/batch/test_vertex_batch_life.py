"""The lives of batch prediction jobs: cancel, faults, times by a clock that the test holds, a mock that is killed."""

from __future__ import annotations

import time

import pytest

from cloudml_vertex.mock.core.errors import GoogleError
from tests.unit.vertex_mock.batch.vertex_batch_bench import BatchBench
from tests.unit.vertex_mock.jobs.vertex_bench import HERE


def waiting(bench: BatchBench) -> str:
    """A job whose first batch of two is predicted, and whose second hangs in the container."""
    bench.put("in.jsonl", 1, 2, "wait", 4)
    name = bench.score(manual_batch_tuning_parameters={"batch_size": 2})
    bench.wait_for("hold")
    return name


def test_cancel_stops_the_container_and_keeps_what_is_predicted(bench: BatchBench) -> None:
    name = waiting(bench)
    with pytest.raises(GoogleError) as caught:
        bench.call("DeleteBatchPredictionJob", name=name)  # it can only be called on jobs that have finished
    assert caught.value.code == "FAILED_PRECONDITION"
    began = time.monotonic()
    bench.call("CancelBatchPredictionJob", name=name)
    job = bench.ended(name)
    assert time.monotonic() - began < 10
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_CANCELLED", 1)
    assert bench.states(name) == ["PENDING", "RUNNING", "CANCELLING", "CANCELLED"]
    assert job["completion_stats"] == {"successful_count": 2, "failed_count": 0, "incomplete_count": 2}
    assert bench.predictions(job) == [3, 6]
    assert job["end_time"]


def test_cancel_before_there_are_machines(bench: BatchBench) -> None:
    bench.arm("hang:BatchPredictionJob/score")
    bench.put("in.jsonl", 1)
    name = bench.score()
    bench.state(name, "RUNNING")
    bench.call("CancelBatchPredictionJob", name=name)
    job = bench.ended(name)
    assert job["state"] == "JOB_STATE_CANCELLED"
    assert job["completion_stats"] == {"incomplete_count": -1}  # nobody knows how many instances there are


def test_replica_hours_are_the_machines_by_the_time(bench: BatchBench) -> None:
    bench.arm("slow:*,seconds=5400")
    bench.put("in.jsonl", 1)
    machines = {"machine_spec": {"machine_type": "n1-standard-2"}, "starting_replica_count": 4}
    name = bench.score(dedicated_resources=machines)
    bench.state(name, "RUNNING")
    bench.advance(5400)
    job = bench.ended(name)
    assert job["resources_consumed"]["replica_hours"] == pytest.approx(6.0, rel=0.01)
    assert bench.predictions(job) == [3]


@pytest.mark.parametrize(
    ("kind", "code", "says"), [("capacity", 8, "Resources are insufficient"), ("internal", 13, "Internal error")]
)
def test_faults_fail_the_job(bench: BatchBench, kind: str, code: int, says: str) -> None:
    bench.arm(f"{kind}:BatchPredictionJob/score")
    job = bench.scored(1)
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", code)
    assert says in job["error"]["message"]


def test_a_quota_refuses_the_request(bench: BatchBench) -> None:
    bench.arm("quota:BatchPredictionJob/score")
    error = bench.refused()
    assert error.code == "RESOURCE_EXHAUSTED"
    assert error.message.startswith("Quota exhausted.")


def test_a_container_that_is_killed_is_started_again(bench: BatchBench) -> None:
    bench.arm("die:BatchPredictionJob/score")
    job = bench.scored(1, 2)
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert bench.predictions(job) == [3, 6]


def test_a_mock_that_is_started_again_begins_the_job_anew(bench: BatchBench) -> None:
    name = waiting(bench)
    bench.put("in.jsonl", 1, 2, 3, 4)
    bench.reopen()
    bench.world.rooms["hosting"].patience = 10.0
    job = bench.ended(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert bench.predictions(job) == [3, 6, 9, 12]


def test_what_was_being_cancelled_is_cancelled(bench: BatchBench) -> None:
    bench.arm("hang:*")
    name = bench.score()
    bench.state(name, "RUNNING")
    with bench.world.lock:
        bench.world.change(bench.world.table("BatchPredictionJob", HERE), name, "state", "JOB_STATE_CANCELLING")
    bench.reopen()
    assert bench.ended(name)["state"] == "JOB_STATE_CANCELLED"
