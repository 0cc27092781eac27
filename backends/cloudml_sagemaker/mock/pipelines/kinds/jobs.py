"""Steps that run a job: Processing, Training, Tuning and Transform."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.pipelines import experiments, records
from cloudml_sagemaker.mock.pipelines.kinds.base import CAPACITY, INTERNAL, LIMIT, Attempt, Kind, Progress
from cloudml_sagemaker.mock.pipelines.room import Run

_ENDS = {"Completed": "Succeeded", "Failed": "Failed", "Stopped": "Stopped"}

_EXCEPTIONS = (("InternalServerError", INTERNAL), ("CapacityError", CAPACITY), ("ResourceLimitExceeded", LIMIT))
"""How a job's FailureReason begins -> exception type; an AlgorithmError is never tried again."""


@dataclass(frozen=True)
class Job:
    """One kind of job: `table` is the noun of its operations and members; `limit`: characters of its name."""

    table: str
    metadata: str
    limit: int = 63

    @property
    def name(self) -> str:
        """The request's member with the job's name."""
        return f"{self.table}Name"

    @property
    def arn(self) -> str:
        """The response's member with the job's ARN."""
        return f"{self.table}Arn"

    @property
    def status(self) -> str:
        """The member with the job's status."""
        return f"{self.table}Status"


PROCESSING = Job("ProcessingJob", "ProcessingJob")
TRAINING = Job("TrainingJob", "TrainingJob")
TRANSFORM = Job("TransformJob", "TransformJob")
TUNING = Job("HyperParameterTuningJob", "TuningJob", limit=32)


def generated_name(run: Run, step: str, limit: int = 63, prefix: str | None = None) -> str:
    """A name as Pipelines makes them: `pipelines-EXECUTION-STEP-RANDOM`, the step's name cut so that all fits.

    Names that may have only 32 characters go without the first part. `prefix`: a name that the definition gives (the
    SDK's custom job prefix) stands in place of "pipelines" and the step.
    """
    execution, random = records.execution_id(run.arn), run.world.unique("pipelines", step)[:10]
    if prefix:
        head, middle, tail = "", _alphabet(prefix), f"{execution}-{random}"
    elif limit < 40:
        head, middle, tail = f"{execution}-", _alphabet(step), random
    else:
        head, middle, tail = f"pipelines-{execution}-", _alphabet(step), random
    middle = middle[: limit - len(head) - len(tail) - 1].strip("-")
    return f"{head}{middle}-{tail}" if middle else f"{head}{tail}"


def _alphabet(name: str) -> str:
    return re.sub("[^A-Za-z0-9-]", "-", name).strip("-")


class JobKind(Kind):
    """A step that creates a job and waits for its end."""

    def __init__(self, job: Job, cached: tuple[str, ...]) -> None:
        self.job = job
        self.cached = cached

    def begin(self, attempt: Attempt) -> Progress:
        run, record = attempt.run, attempt.record
        name = self.choose_name(attempt)
        tracked = experiments.of_job(run.record, self.job.table, record["StepName"])
        arguments = {**tracked, **self.arguments(attempt), self.job.name: name}
        # Kept before the job exists: the mock may be killed between the two.
        record["_job"] = {"kind": self.job.table, "name": name}
        run.keep(record)
        created = attempt.call(f"Create{self.job.table}", arguments)
        run.room.waiting[(self.job.table, run.scope, name)] = (run.arn, record["StepName"])
        self.created(attempt, str(created[self.job.arn]))
        return Progress("Executing")

    def choose_name(self, attempt: Attempt) -> str:
        """The job's name, settled before the arguments: they may read it (`Execution.ProcessingJobName`)."""
        if "_name" not in attempt.record:
            given = attempt.step.arguments.get(self.job.name)
            prefix = attempt.resolve(given) if given is not None else None
            name = generated_name(attempt.run, attempt.record["StepName"], self.job.limit, prefix)
            attempt.record["_name"] = name
        return str(attempt.record["_name"])

    def arguments(self, attempt: Attempt) -> Document:
        """The request, but for the job's name."""
        found: Document = attempt.resolve(attempt.step.arguments)
        return found

    def created(self, attempt: Attempt, arn: str) -> None:
        """Put the job's ARN where the step list shows it."""
        attempt.note(self.job.metadata, Arn=arn)

    def describe(self, run: Run, record: Document) -> Document:
        """The job's Describe response. Raises AwsError when it is gone."""
        return run.world.call(run.scope, f"Describe{self.job.table}", {self.job.name: record["_job"]["name"]})

    def properties(self, run: Run, record: Document) -> Document:
        return self.describe(run, record)

    def ended(self, run: Run, record: Document, document: Document, status: str) -> Progress | None:
        if status not in _ENDS:
            return None
        run.room.waiting.pop((self.job.table, run.scope, record["_job"]["name"]), None)
        if status == "Completed":
            return self.completed(run, record)
        reason = str(document.get("FailureReason", ""))
        exception = next((kind for start, kind in _EXCEPTIONS if reason.startswith(start)), "")
        # AWS's SDK, its integration tests of steps: "ClientError: AlgorithmError: ...".
        told = reason if exception or not reason else f"ClientError: {reason}"
        return Progress(_ENDS[status], told, exception)

    def completed(self, run: Run, record: Document) -> Progress:
        """The job has completed."""
        return Progress("Succeeded")

    def stop(self, run: Run, record: Document) -> Progress | None:
        if "_job" not in record:
            return Progress("Stopped")
        # A job that ends in this moment refuses to be stopped; its end is told all the same.
        with contextlib.suppress(AwsError):
            run.world.call(run.scope, f"Stop{self.job.table}", {self.job.name: record["_job"]["name"]})
        return Progress("Stopping")

    def resume(self, attempt: Attempt) -> Progress:
        run, record = attempt.run, attempt.record
        if "_job" not in record:
            return self.begin(attempt)
        try:
            document = self.describe(run, record)
        except AwsError:
            return self.begin(attempt)
        run.room.waiting[(self.job.table, run.scope, record["_job"]["name"])] = (run.arn, record["StepName"])
        self.created(attempt, str(document[self.job.arn]))
        over = self.ended(run, record, document, str(document[self.job.status]))
        return over or Progress(record["StepStatus"] if record["StepStatus"] == "Stopping" else "Executing")


class TuningKind(JobKind):
    """A tuning step; of its training jobs the best fifty can be read, the best first.

    An internal error of a tuning job is never tried again (developer guide, "pipelines-retry-policy").
    """

    def properties(self, run: Run, record: Document) -> Document:
        found = self.describe(run, record)
        objective = found.get("HyperParameterTuningJobConfig", {}).get("HyperParameterTuningJobObjective", {})
        request = {
            self.job.name: record["_job"]["name"],
            "SortBy": "FinalObjectiveMetricValue",
            "SortOrder": "Ascending" if objective.get("Type") == "Minimize" else "Descending",
            "MaxResults": 50,
        }
        listed = run.world.call(run.scope, "ListTrainingJobsForHyperParameterTuningJob", request)
        return {**found, "TrainingJobSummaries": listed.get("TrainingJobSummaries", [])}

    def ended(self, run: Run, record: Document, document: Document, status: str) -> Progress | None:
        over = super().ended(run, record, document, status)
        if over is not None and over.exception == INTERNAL:
            return Progress(over.status, over.reason)
        return over
