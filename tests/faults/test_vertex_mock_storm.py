"""Many pipelines at a time on one Vertex AI mock: all end, every task ran once, and nothing is left over."""

from __future__ import annotations

import collections
import time
from pathlib import Path

import pytest
from vertex_lab import PARENT, SHELL_RULE, job_name, job_request, note, spec

from cloudml.mocks.port import MockOptions
from cloudml.mocks.remote import MockControl
from cloudml_vertex.mock.start import start
from tests.e2e.vertex_mock.vertex_stage import Clients

OVER = {"PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED"}


@pytest.mark.parametrize(("jobs", "tasks"), [(5, 6), pytest.param(100, 20, marks=pytest.mark.slow)])
def test_all_of_them_end_and_each_task_ran_once(jobs: int, tasks: int) -> None:
    mock = start(MockOptions(images=(SHELL_RULE,), hold=True))
    clients = Clients(mock.endpoint)
    try:
        pipelines = clients("PipelineServiceClient")
        # Four chains side by side; the last task waits for all.
        after = {f"t{n}": [f"t{n - 4}"] for n in range(4, tasks - 1)}
        after[f"t{tasks - 1}"] = [f"t{n}" for n in range(max(0, tasks - 5), tasks - 1)]
        for number in range(jobs):
            programs = {f"t{n}": note(f"j{number}-t{n}") for n in range(tasks)}
            pipelines.create_pipeline_job(job_request(f"j{number}", spec("storm", programs, after)))
        limit = time.monotonic() + 30 + 0.5 * jobs * tasks
        told = MockControl(mock.url, timeout=600)
        while any(one.state.name not in OVER for one in pipelines.list_pipeline_jobs(parent=PARENT)):
            told.advance(1)
            assert time.monotonic() < limit
        for number in range(jobs):
            job = pipelines.get_pipeline_job(name=job_name(f"j{number}"))
            assert job.state.name == "PIPELINE_STATE_SUCCEEDED", job.error
            ends = {one.task_name: (one.start_time, one.end_time) for one in job.job_detail.task_details}
            assert len(ends) == tasks
            assert all(ends[task][0] >= ends[one][1] for task, before in after.items() for one in before)
        folder: Path = mock.world.gcs / "lab-data"
        said = collections.Counter((folder / "said").read_text().splitlines())
        assert said == collections.Counter(f"j{j}-t{t}" for j in range(jobs) for t in range(tasks))
    finally:
        clients.close()
        mock.stop()
