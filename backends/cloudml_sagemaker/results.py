"""What a job left in S3: the result that its container wrote, and where its outputs lie."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from cloudml.backend.records import ArtifactRecord
from cloudml.jobs.failure import CLASS
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.refusals import AwsError

RESULT = "result/result.json"
"""Below /opt/ml/processing/output, or /opt/ml/model in a training job's archive."""

_LINE = re.compile(r"(?:(?P<exception>[A-Za-z_][\w.]*): )?(?P<message>.*?)(?: \((?P<where>[^()]+:\d+)\))?", re.DOTALL)
_ALGORITHM = re.compile(r"AlgorithmError: (?P<text>.*?)(?:, exit code: -?\d+)?", re.DOTALL)


@dataclass(frozen=True)
class JobResult:
    """The end of a job. `message` is what its container said last; `document` what it wrote, if that was kept."""

    message: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    """S3 addresses by output; under "" that of an archive which holds all of them."""

    def of(self, member: str | None) -> Mapping[str, Any]:
        """The result of the job, or of one member of its group."""
        if member is None:
            return self.document
        found: Mapping[str, Any] = self.document.get("members", {}).get(member, {})
        return found

    def failure(self, member: str | None = None) -> dict[str, Any] | None:
        """The record of the failure: as the container wrote it, else read from its message."""
        written = self.of(member).get("failure")
        if written:
            return dict(written)
        return read_message(self.message) if self.message and not self.document else None

    def artifacts(self, member: str | None = None) -> tuple[ArtifactRecord, ...]:
        """The outputs, with the S3 address of each."""
        return tuple(
            ArtifactRecord(
                one["name"], one["type"], one["format"], one["digest"], int(one["size"]), self._place(one, member)
            )
            for one in self.of(member).get("outputs", ())
        )

    def _place(self, output: Mapping[str, Any], member: str | None) -> str:
        name, filename = output["name"], output.get("filename", output["name"])
        if "" in self.outputs:
            return f"{self.outputs['']}#{name}/{filename}"
        if member is not None and member in self.outputs:
            return f"{self.outputs[member]}/{name}/{filename}"
        return f"{self.outputs[name]}/{filename}" if name in self.outputs else ""


def read_message(message: str) -> dict[str, Any]:
    """A failure from what a container may leave: `ValueError: three is refused (steps.py:12)`, class, traceback.

    Both may be cut off; a container that is not cloudml's leaves a text of its own.
    """
    first, _, rest = message.strip().partition("\n")
    found = _LINE.fullmatch(first)
    assert found is not None, "every line matches"
    second, _, trace = rest.partition("\n")
    marked = second.startswith(CLASS)
    return {
        "class": second.removeprefix(CLASS) if marked else "error",
        "exception": found["exception"] or "",
        "message": found["message"],
        "traceback": trace if marked else "",
        "where": found["where"] or "",
        "bases": [],
    }


def processing_result(client: Client, job: str) -> JobResult:
    """Of a processing job that has ended. Raises AwsError."""
    told = client.call("sagemaker", "DescribeProcessingJob", ProcessingJobName=job)
    outputs = {
        one["OutputName"]: one["S3Output"]["S3Uri"].rstrip("/")
        for one in told.get("ProcessingOutputConfig", {}).get("Outputs", ())
        if "S3Output" in one
    }
    message = told.get("ExitMessage") or told.get("FailureReason") or ""
    place = outputs.get("result")
    document = _written(client, f"{place}/result.json") if place else {}
    return JobResult(str(message), document, outputs)


def training_result(client: Client, job: str) -> JobResult:
    """Of a training job that has ended. Raises AwsError."""
    told = client.call("sagemaker", "DescribeTrainingJob", TrainingJobName=job)
    archive = told.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")
    message = _said(str(told.get("FailureReason", "")))
    if not archive or told.get("TrainingJobStatus") != "Completed":
        return JobResult(message)
    return JobResult(message, _archived(client, archive), {"": archive})


def tuning_result(client: Client, job: str) -> JobResult:
    """Of a tuning job that has ended: why it failed. What it found is told by the step after it. Raises AwsError.

    AWS says only that no trial succeeded; what the first of them said is why.
    """
    name = {"HyperParameterTuningJobName": job}
    told = client.call("sagemaker", "DescribeHyperParameterTuningJob", **name)
    if told["HyperParameterTuningJobStatus"] != "Failed":
        return JobResult()
    about = {**name, "StatusEquals": "Failed", "SortBy": "CreationTime", "SortOrder": "Ascending"}
    failed = client.pages(
        "sagemaker", "ListTrainingJobsForHyperParameterTuningJob", "TrainingJobSummaries", limit=1, **about
    )
    first = next((str(trial.get("FailureReason", "")) for trial in failed), "")
    return JobResult(_said(first) or str(told.get("FailureReason", "")))


def _said(reason: str) -> str:
    """What the container said, out of AWS's reason for the failure of a training job."""
    found = _ALGORITHM.fullmatch(reason)
    return found["text"] if found is not None else reason


def _written(client: Client, uri: str) -> Mapping[str, Any]:
    """The document there; empty when there is none, as after a job that was killed."""
    try:
        return _object(client.read(uri))
    except AwsError as error:
        if error.kind == "missing":
            return {}
        raise


def _archived(client: Client, uri: str) -> Mapping[str, Any]:
    """The result in a model archive, read as it comes, nothing else of it kept."""

    def find(body: IO[bytes]) -> Mapping[str, Any]:
        with tarfile.open(fileobj=body, mode="r|gz") as tar:
            for member in tar:
                if member.name.removeprefix("./") == RESULT and member.isfile():
                    content = tar.extractfile(member)
                    return _object(content.read() if content is not None else b"{}")
        return {}

    try:
        return client.stream(uri, find)
    except AwsError as error:
        if error.kind == "missing":
            return {}
        raise
    except tarfile.TarError:
        return {}  # a user's own container may put anything there


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
