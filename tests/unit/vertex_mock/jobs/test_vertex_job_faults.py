"""What goes wrong with custom jobs, on demand; and their times by a clock that the test holds."""

from __future__ import annotations

import pytest

from cloudml_vertex.mock.core.errors import GoogleError
from tests.unit.vertex_mock.jobs.vertex_bench import Bench, pool

OUT = {"output_uri_prefix": "gs://bucket/out"}


@pytest.mark.parametrize(
    ("choice", "state", "code"), [("cancelled", "CANCELLED", 1), ("failed", "FAILED", 4), ("expired", "EXPIRED", 4)]
)
def test_a_timeout_counts_from_the_start_and_ends_as_the_switch_says(
    bench: Bench, choice: str, state: str, code: int
) -> None:
    bench.world.switches.set("job-timeout", choice)
    name = bench.create(worker_pool_specs=[pool("sleep 600")], scheduling={"timeout": "3600s"})
    bench.state(name, "RUNNING")
    bench.advance(3599)
    assert bench.call("GetCustomJob", name=name)["state"] == "JOB_STATE_RUNNING"
    bench.advance(2)
    job = bench.ended(name)
    assert (job["state"], job["error"]["code"]) == (f"JOB_STATE_{state}", code)


def test_seven_days_are_the_limit_unless_told(bench: Bench) -> None:
    bench.arm("hang:*")
    name = bench.create(worker_pool_specs=[pool("true")])
    bench.state(name, "RUNNING")
    bench.advance(7 * 86_400 - 60)
    assert bench.call("GetCustomJob", name=name)["state"] == "JOB_STATE_RUNNING"
    bench.advance(120)
    assert bench.ended(name)["state"] == "JOB_STATE_CANCELLED"


def test_a_stockout_is_resource_exhausted(bench: Bench) -> None:
    bench.arm("capacity:CustomJob/job")
    job = bench.run("true")
    assert job["error"]["code"] == 8
    assert "Resources are insufficient in region: us-central1" in job["error"]["message"]
    assert bench.states(job["name"]) == ["PENDING", "FAILED"]


def test_flex_start_waits_for_machines(bench: Bench) -> None:
    bench.arm("capacity:*,seconds=600")
    name = bench.create(worker_pool_specs=[pool("true")], scheduling={"strategy": "FLEX_START"})
    bench.advance(0)
    assert bench.call("GetCustomJob", name=name)["state"] == "JOB_STATE_QUEUED"
    bench.advance(600)
    assert bench.ended(name)["state"] == "JOB_STATE_SUCCEEDED"
    assert bench.states(name) == ["QUEUED", "PENDING", "RUNNING", "SUCCEEDED"]


def test_flex_start_gives_up_after_max_wait_duration(bench: Bench) -> None:
    bench.arm("capacity:*")
    scheduling = {"strategy": "FLEX_START", "max_wait_duration": "3600s"}
    name = bench.create(worker_pool_specs=[pool("true")], scheduling=scheduling)
    bench.advance(3601)
    job = bench.ended(name)
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_EXPIRED", 8)
    assert "start_time" not in job


def test_quota_refuses_the_request(bench: Bench) -> None:
    bench.arm("quota:*,count=1")
    with pytest.raises(GoogleError) as refused:
        bench.create(worker_pool_specs=[pool("true")])
    assert refused.value.code == "RESOURCE_EXHAUSTED"
    assert bench.call("ListCustomJobs").get("custom_jobs", []) == []
    assert bench.run("true")["state"] == "JOB_STATE_SUCCEEDED"


@pytest.mark.parametrize(("kind", "code", "text"), [("internal", 13, "Internal error"), ("die", 3, "status of 137.")])
def test_other_failures(bench: Bench, kind: str, code: int, text: str) -> None:
    bench.arm(f"{kind}:*")
    job = bench.run("sleep 600")
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", code)
    assert text in job["error"]["message"]


def test_a_slow_job_takes_the_clocks_time(bench: Bench) -> None:
    bench.arm("slow:*,seconds=50")
    name = bench.create(worker_pool_specs=[pool("true")])
    bench.advance(49)
    assert bench.call("GetCustomJob", name=name)["state"] == "JOB_STATE_RUNNING"
    bench.advance(2)
    assert bench.ended(name)["state"] == "JOB_STATE_SUCCEEDED"


def test_a_hanging_job_can_be_cancelled(bench: Bench) -> None:
    bench.arm("hang:*")
    name = bench.create(worker_pool_specs=[pool("true")])
    bench.state(name, "RUNNING")
    bench.call("CancelCustomJob", name=name)
    assert bench.ended(name)["state"] == "JOB_STATE_CANCELLED"


CHECKPOINTING = (
    "d=/gcs/bucket/out/checkpoints; if [ -e $d/1 ]; then echo resumed > /gcs/bucket/end; exit 0; fi; "
    "trap 'exit 143' TERM; mkdir -p $d; touch $d/1; while :; do sleep 0.05; done"
)


def test_a_preempted_spot_job_begins_again_from_its_checkpoint(bench: Bench) -> None:
    bench.arm("preempt:*,count=1,seconds=30")
    spec = {"scheduling": {"strategy": "SPOT"}, "base_output_directory": OUT}
    name = bench.create(worker_pool_specs=[pool(CHECKPOINTING)], **spec)
    bench.wait_for("out/checkpoints/1")
    start = bench.state(name, "RUNNING")["start_time"]
    while bench.states(name)[-1] != "PENDING":
        bench.advance(0)
    bench.advance(31)
    job = bench.ended(name)
    assert bench.states(name) == ["PENDING", "RUNNING", "PENDING", "RUNNING", "SUCCEEDED"]
    assert bench.text("end") == "resumed\n"
    assert job["start_time"] == start  # of the first time that it ran


def test_a_preempted_job_fails_when_retries_are_disabled(bench: Bench) -> None:
    bench.arm("preempt:*")
    spec = {"scheduling": {"strategy": "SPOT", "disable_retries": True}, "base_output_directory": OUT}
    job = bench.ended(bench.create(worker_pool_specs=[pool(CHECKPOINTING)], **spec))
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", 8)


def test_jobs_on_demand_are_not_preempted(bench: Bench) -> None:
    bench.arm("preempt:*")
    assert bench.run("true", base_output_directory=OUT)["state"] == "JOB_STATE_SUCCEEDED"


def test_a_pipelines_job_is_hit_by_the_tasks_name(bench: Bench) -> None:
    bench.world.rooms["pipeline-task-names"] = {"caip_pipelines_1_1": "train"}
    bench.arm("internal:task/train")
    assert bench.run("true", display_name="caip_pipelines_1_1")["state"] == "JOB_STATE_FAILED"
    assert bench.run("true", display_name="other")["state"] == "JOB_STATE_SUCCEEDED"
