"""What the jobs of a task wrote, from CloudWatch Logs: every attempt, every trial of a search, every item of a map."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cloudml.backend.records import ENDED
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.describe import Execution
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.wait import Polling

GROUPS = {"ProcessingJob": "/aws/sagemaker/ProcessingJobs", "TrainingJob": "/aws/sagemaker/TrainingJobs"}
"""Developer guide, "Log groups and streams that Amazon SageMaker AI sends to Amazon CloudWatch Logs"."""
_LISTS = {
    "ProcessingJob": ("ListProcessingJobs", "ProcessingJobSummaries", "ProcessingJobName"),
    "TrainingJob": ("ListTrainingJobs", "TrainingJobSummaries", "TrainingJobName"),
}
_WITHOUT = {
    "condition": "SageMaker decides the condition itself",
    "map": "SageMaker goes over the items itself: see the logs of its steps",
    "approve": "a person decides it",
    "fail": "SageMaker ends the run itself",
}
_TRAILING = 3
"""Looks after the end: the last lines arrive a moment after the job's own end."""


@dataclass(frozen=True)
class Job:
    """A job that has a log: its kind and name, and when it was made (for the order)."""

    kind: str
    name: str


def log_lines(
    client: Client, look: Callable[[], Execution], task: str, follow: bool, polling: Polling
) -> Iterator[str]:
    """The lines of a task's jobs; a task's name without an item means all items. Following ends with the task.

    A task that has no job tells so in one line. Raises AwsError.
    """
    reader, pause, rest = _Reader(client), polling.first, _TRAILING
    while True:
        found = look()
        over = not follow or _over(found, task)
        jobs = jobs_of(client, found, task)
        new = False
        for line in reader.lines(jobs):
            new = True
            yield line
        if over and not jobs and not reader.told:
            yield from _none(found, task)
        if not follow or (over and (rest == 0 or not jobs)):
            return
        rest -= over
        pause = polling.first if new or over else min(pause * polling.growth, polling.longest)
        polling.sleep(pause)


def jobs_of(client: Client, found: Execution, task: str) -> list[Job]:
    """The jobs of a task, the earlier attempts before the last, the trials of a search in order. Raises AwsError."""
    jobs: list[Job] = []
    for name, started in found.started.items():
        if name != task and not name.startswith(f"{task}["):
            continue
        for _, step in started:
            if step.job is None or step.cached_from is not None:
                continue
            kind, job = step.job
            if kind == "TuningJob":
                jobs += _trials(client, job)
            else:
                jobs += _attempts(client, kind, job) if step.attempts > 1 else [Job(kind, job)]
    return jobs


def _attempts(client: Client, kind: str, job: str) -> list[Job]:
    """SageMaker names the jobs of a step's attempts alike but for the random end."""
    operation, member, name = _LISTS[kind]
    stem = job.rpartition("-")[0]
    about: dict[str, Any] = {"NameContains": stem, "SortBy": "CreationTime", "SortOrder": "Ascending"}
    found = [Job(kind, str(one[name])) for one in client.pages("sagemaker", operation, member, **about)]
    return [one for one in found if one.name.rpartition("-")[0] == stem]


def _trials(client: Client, job: str) -> list[Job]:
    about: dict[str, Any] = {"HyperParameterTuningJobName": job, "SortBy": "CreationTime", "SortOrder": "Ascending"}
    operation = "ListTrainingJobsForHyperParameterTuningJob"
    rows = client.pages("sagemaker", operation, "TrainingJobSummaries", **about)
    return [Job("TrainingJob", str(one["TrainingJobName"])) for one in rows]


def tail(client: Client, jobs: Sequence[Job], count: int) -> tuple[str, ...]:
    """The last lines of the last job that wrote any. Raises AwsError."""
    for job in reversed(jobs):
        lines = list(_Reader(client).lines([job]))
        if lines:
            return tuple(lines[-count:])
    return ()


class _Reader:
    """Reads logs on from where it left off."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tokens: dict[tuple[str, str], str] = {}
        self.told = False

    def lines(self, jobs: Sequence[Job]) -> Iterator[str]:
        """The lines that are new. A heading stands before each log when there are several."""
        several = len(jobs) > 1
        for job in jobs:
            group = GROUPS[job.kind]
            for stream in self._streams(group, job.name):
                fresh = (group, stream) not in self._tokens
                for number, line in enumerate(self._read(group, stream)):
                    if number == 0 and fresh and several:
                        yield f"==> {stream.partition('/')[0]} <=="
                    self.told = True
                    yield line

    def _streams(self, group: str, job: str) -> list[str]:
        """One for each machine of the job: `<job>/algo-1-<number>`."""
        about: dict[str, Any] = {"logGroupName": group, "logStreamNamePrefix": f"{job}/"}
        try:
            rows = self._client.pages("logs", "DescribeLogStreams", "logStreams", **about)
            return sorted(str(one["logStreamName"]) for one in rows)
        except AwsError as error:
            if error.kind == "missing":
                return []
            raise

    def _read(self, group: str, stream: str) -> Iterator[str]:
        """Page by page; the end is where the next token is the one that was given (GetLogEvents)."""
        place = (group, stream)
        while True:
            token = self._tokens.get(place)
            about = {"nextToken": token} if token else {"startFromHead": True}
            page = self._client.call("logs", "GetLogEvents", logGroupName=group, logStreamName=stream, **about)
            yield from (str(event["message"]).rstrip("\n") for event in page.get("events", ()))
            following = page.get("nextForwardToken")
            if not following or following == token:
                return
            self._tokens[place] = following


def _over(found: Execution, task: str) -> bool:
    mine = [one for one in found.record.tasks if one.id == task or one.id.startswith(f"{task}[")]
    return found.record.status not in ("running", "waiting") or (
        bool(mine) and all(one.status in ENDED for one in mine)
    )


def _none(found: Execution, task: str) -> Iterator[str]:
    """Why a task has no log."""
    record = found.record.task(task)
    why = None
    if record is not None and record.status == "cached":
        why = f"nothing ran: its result is that of {record.cached_from} (cloudml logs {record.cached_from} {task})"
    elif record is not None and record.status in ("pending", "skipped"):
        why = f"it has not run: {record.reason or record.status}"
    elif record is not None:
        why = _WITHOUT.get(record.kind)
    if why is not None:
        yield f"(no log: {why})"
