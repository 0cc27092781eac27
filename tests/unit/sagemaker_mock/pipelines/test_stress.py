"""A hundred executions of twenty processing steps at once: no lost update, no deadlock, memory below 1 GB."""

from __future__ import annotations

import resource

import pytest
from pipeline_lab import Lab, definition, processing


@pytest.mark.slow
def test_a_hundred_executions_of_twenty_jobs(lab: Lab) -> None:
    steps = [processing(f"S{number}", after=[f"S{number - 4}"] if number > 3 else []) for number in range(20)]
    name = lab.create(definition(*steps))
    arns = [lab.start(name) for _ in range(100)]
    lab.mock.world.clock.advance(0, patience=600)  # type: ignore[attr-defined]
    for arn in arns:
        done = lab.look(arn)
        assert (done.status, set(done.statuses.values()), len(done.steps)) == ("Succeeded", {"Succeeded"}, 20)
    rows = lab.sagemaker.get_paginator("list_processing_jobs").paginate(PaginationConfig={"PageSize": 100})
    jobs = [row["ProcessingJobName"] for page in rows for row in page["ProcessingJobSummaries"]]
    assert len(jobs) == len(set(jobs)) == 2000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_000_000
