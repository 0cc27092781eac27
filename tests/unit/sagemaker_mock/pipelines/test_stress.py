"""A hundred executions of twenty processing steps at once: no lost update, no deadlock, memory below 1 GB."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from pipeline_lab import Lab, definition, processing

BASE_KILOBYTES = 160_000
"""What a process with a mock in it has before any request; this one has run other tests too."""


def _resident() -> int:
    """Kilobytes in memory."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1])


@pytest.mark.parametrize("executions", [20, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_many_executions_of_twenty_jobs(lab: Lab, executions: int) -> None:
    steps = [processing(f"S{number}", after=[f"S{number - 4}"] if number > 3 else []) for number in range(20)]
    name = lab.create(definition(*steps))
    before = _resident()
    seen, ended = [before], threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            seen.append(_resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    arns = [lab.start(name) for _ in range(executions)]
    lab.mock.world.clock.advance(0, patience=600)  # type: ignore[attr-defined]
    ended.set()
    watcher.join()
    for arn in arns:
        done = lab.look(arn)
        assert (done.status, set(done.statuses.values()), len(done.steps)) == ("Succeeded", {"Succeeded"}, 20)
    rows = lab.sagemaker.get_paginator("list_processing_jobs").paginate(PaginationConfig={"PageSize": 100})
    jobs = [row["ProcessingJobName"] for page in rows for row in page["ProcessingJobSummaries"]]
    assert len(jobs) == len(set(jobs)) == 20 * executions
    assert BASE_KILOBYTES + max(seen) - before < 1_000_000
