"""Logs of a task's jobs out of CloudWatch: pages, attempts, trials, and what to say when there is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fake_aws import FakeClient

from cloudml.backend.records import RunRecord, TaskRecord
from cloudml_sagemaker.describe import Execution
from cloudml_sagemaker.logs import log_lines, tail
from cloudml_sagemaker.outline import Part
from cloudml_sagemaker.tasks import Step
from cloudml_sagemaker.wait import Polling

PAGE = 2
STILL = Polling(sleep=lambda seconds: None)


def client(logs: dict[str, list[str]], **more: Callable[..., Any]) -> FakeClient:
    """CloudWatch with one stream a job; pages of two events, the last token given again at the end (GetLogEvents)."""

    def streams(logGroupName: str, logStreamNamePrefix: str) -> Any:
        found = [f"{job}/algo-1-17" for job in logs]
        return {"logStreams": [{"logStreamName": one} for one in found if one.startswith(logStreamNamePrefix)]}

    def events(logGroupName: str, logStreamName: str, nextToken: str = "0", startFromHead: bool = False) -> Any:
        lines, start = logs[logStreamName.partition("/")[0]], int(nextToken)
        page = lines[start : start + PAGE]
        return {"events": [{"message": one} for one in page], "nextForwardToken": str(start + len(page))}

    return FakeClient(DescribeLogStreams=streams, GetLogEvents=events, **more)


def run(status: str, kind: str = "processing", *steps: Step, ended: bool = True, **record: Any) -> Execution:
    task = TaskRecord("fit", kind, status, **record)  # type: ignore[arg-type]
    whole = RunRecord("abc", "p", "succeeded" if ended else "running", {}, "", tasks=(task,))
    started = {"fit": tuple((Part(one.name, "Processing"), one) for one in steps)}
    return Execution("arn", {"Steps": []}, (), whole, started, "Succeeded", datetime.now(UTC))


def job(name: str, kind: str = "ProcessingJob", **more: Any) -> Step:
    return Step("fit", "Succeeded", job=(kind, name), **more)


def lines(aws: FakeClient, found: Execution, follow: bool = False) -> list[str]:
    return list(log_lines(aws, lambda: found, "fit", follow, STILL))


def test_every_page_is_read() -> None:
    written = [f"line {n}" for n in range(5)]
    assert lines(client({"j": written}), run("succeeded", "processing", job("j"))) == written


def test_attempts_are_told_apart_and_other_jobs_left_out() -> None:
    names = ["pipelines-x-fit-1", "pipelines-x-fit-2", "pipelines-x-fit-more-3"]
    listed = {"ProcessingJobSummaries": [{"ProcessingJobName": one} for one in names]}
    aws = client({one: [one[-1]] for one in names}, ListProcessingJobs=lambda **_: listed)
    found = lines(aws, run("succeeded", "processing", job("pipelines-x-fit-2", attempts=2)))
    assert found == ["==> pipelines-x-fit-1 <==", "1", "==> pipelines-x-fit-2 <==", "2"]


def test_a_search_shows_its_trials() -> None:
    trials = {"TrainingJobSummaries": [{"TrainingJobName": "t-1"}, {"TrainingJobName": "t-2"}]}
    aws = client({"t-1": ["a"], "t-2": ["b"]}, ListTrainingJobsForHyperParameterTuningJob=lambda **_: trials)
    found = lines(aws, run("succeeded", "tuning", job("search", "TuningJob")))
    assert found == ["==> t-1 <==", "a", "==> t-2 <==", "b"]


def test_following_tells_each_line_once_and_ends_with_the_task() -> None:
    logs = {"j": ["one"]}
    aws = client(logs)
    states = iter([run("running", "processing", job("j"), ended=False), run("succeeded", "processing", job("j"))])
    last = run("succeeded", "processing", job("j"))
    seen: list[str] = []
    for line in log_lines(aws, lambda: next(states, last), "fit", True, STILL):
        seen.append(line)
        if line == "one":
            logs["j"].append("two")
    assert seen == ["one", "two"]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (run("succeeded", "condition"), "decides the condition itself"),
        (run("skipped", reason="better was false"), "better was false"),
        (run("cached", "processing", job("j", cached_from="old"), cached_from="old"), "cloudml logs old fit"),
    ],
)
def test_why_there_is_no_log(found: Execution, why: str) -> None:
    [line] = lines(client({"j": ["not ours"]}), found)
    assert why in line


def test_a_job_that_printed_nothing_has_no_lines() -> None:
    assert lines(client({}), run("succeeded", "processing", job("j"))) == []


def test_the_tail_is_that_of_the_last_job_that_wrote() -> None:
    from cloudml_sagemaker.logs import Job

    aws = client({"a": ["1", "2", "3"], "b": []})
    assert tail(aws, [Job("ProcessingJob", "a"), Job("ProcessingJob", "b")], 2) == ("2", "3")
