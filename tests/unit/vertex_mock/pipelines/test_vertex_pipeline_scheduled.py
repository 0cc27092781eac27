"""Pipelines that a schedule starts: both rooms together."""

from __future__ import annotations

import pytest
from vertex_pipeline_bench import HERE, PARENT, Bench, Spec, task

from cloudml_vertex.mock import schedules
from cloudml_vertex.mock.core.errors import GoogleError


def scheduled(bench: Bench, spec: Spec, **more: object) -> str:
    schedules.install(bench.world)
    job = {"pipeline_spec": spec.document(), "runtime_config": {"gcs_output_directory": "gs://bucket/root"}}
    request = {"parent": PARENT, "pipeline_job": {"display_name": "nightly run", **job}}
    schedule = {
        "display_name": "nightly",
        "cron": "* * * * *",
        "max_concurrent_run_count": 1,
        "create_pipeline_job_request": request,
        **more,
    }
    return str(bench.world.call(HERE, "ScheduleService.CreateSchedule", {"schedule": schedule})["name"])


def stuck() -> Spec:
    spec = Spec()
    spec.container("one", "hang", "{{$.pipeline_job_schedule_time_utc}}")
    return spec.main({"a": task("one")})


def test_runs_name_their_schedule(bench: Bench) -> None:
    name = scheduled(bench, stuck(), max_run_count=2)
    bench.world.clock.advance(300)
    listed = bench.call("ListPipelineJobs", filter=f"schedule_name={name}")["pipeline_jobs"]
    assert len(listed) == 2 and {job["schedule_name"] for job in listed} == {name}
    assert len({job["name"] for job in listed}) == 2
    found = bench.world.call(HERE, "ScheduleService.GetSchedule", {"name": name})
    assert found["state"] == "COMPLETED" and found["started_run_count"] == 2


def test_the_run_knows_its_scheduled_time(bench: Bench) -> None:
    name = scheduled(bench, stuck(), max_run_count=1)
    first = bench.world.call(HERE, "ScheduleService.GetSchedule", {"name": name})["next_run_time"]
    bench.world.clock.advance(120)
    assert bench.ran == [("hang", [first])]


def test_an_active_run_keeps_the_next_one_waiting(bench: Bench) -> None:
    scheduled(bench, stuck(), max_concurrent_active_run_count=1, allow_queueing=True)
    bench.world.clock.advance(180)
    assert len(bench.jobs) == 1
    bench.end(bench.jobs[0]["name"], "SUCCEEDED")
    bench.settle()
    assert len(bench.jobs) == 2


def test_a_bad_spec_is_refused_when_the_schedule_is_created(bench: Bench) -> None:
    spec = stuck()
    spec.root["dag"]["tasks"]["a"]["componentRef"]["name"] = "nowhere"
    with pytest.raises(GoogleError) as refused:
        scheduled(bench, spec)
    assert refused.value.code == "INVALID_ARGUMENT"
