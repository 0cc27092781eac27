"""QualityCheck and ClarifyCheck: a processing job computes a new baseline and holds it against the previous one.

Which baseline is used and given on: developer guide, "pipelines-quality-clarify-baseline-lifecycle".
"""

from __future__ import annotations

import json
from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.pipelines.kinds.base import Attempt, Progress, StepFailed
from cloudml_sagemaker.mock.pipelines.kinds.jobs import Job, JobKind
from cloudml_sagemaker.mock.pipelines.room import Run

_FILES = {
    "QualityCheck": {"Constraints": "constraints.json", "Statistics": "statistics.json"},
    "ClarifyCheck": {"Constraints": "analysis.json"},
}
"""The files of a baseline among the job's outputs (AWS's SDK; Clarify's containers write analysis.json)."""

_VIOLATIONS = "constraint_violations.json"

_BASELINES = {
    "DATA_QUALITY": "ModelDataQuality",
    "MODEL_QUALITY": "ModelQuality",
    "DATA_BIAS": "Bias",
    "MODEL_BIAS": "Bias",
    "MODEL_EXPLAINABILITY": "Explainability",
}
_CONSTRAINTS = {"DATA_BIAS": "PreTrainingConstraints", "MODEL_BIAS": "PostTrainingConstraints"}
"""CheckType -> member of a model package's DriftCheckBaselines, and its member that names the constraints."""

_INSIDE = "/opt/ml/processing/baseline"


class CheckKind(JobKind):
    """A processing job whose outputs are baselines, and whose violations fail the step."""

    def __init__(self, job: Job, metadata: str, cached: tuple[str, ...]) -> None:
        super().__init__(job, cached)
        self._metadata = metadata

    def arguments(self, attempt: Attempt) -> Document:
        found = super().arguments(attempt)
        raw = attempt.resolve({name: value for name, value in attempt.step.raw.items() if name in _FLAGS})
        skip, register = raw.get("SkipCheck") is True, raw.get("RegisterNewBaseline") is True
        kind = str(raw.get("CheckType", ""))
        previous: Document = {}
        if not (skip and register):
            previous = _previous(attempt, kind, raw, tuple(_FILES[self._metadata]))
            if not previous:
                raise StepFailed(f"ClientError: there is no previous baseline of type {kind}")
        folder = _folder(found)
        new = {part: f"{folder}/{file}" for part, file in _FILES[self._metadata].items()}
        used = new if register else previous
        attempt.note(
            self._metadata,
            CheckType=kind,
            ModelPackageGroupName=raw.get("ModelPackageGroupName"),
            SkipCheck=skip,
            RegisterNewBaseline=register,
            **{f"CalculatedBaseline{part}": uri for part, uri in new.items()},
            **{f"BaselineUsedForDriftCheck{part}": uri for part, uri in used.items()},
        )
        attempt.record["_check"] = {"folder": folder, "fail": raw.get("FailOnViolation") is not False and not skip}
        return found if skip else _with_baseline(found, previous)

    def created(self, attempt: Attempt, arn: str) -> None:
        attempt.note(self._metadata, CheckJobArn=arn)

    def properties(self, run: Run, record: Document) -> Document:
        return dict(record["Metadata"][self._metadata])

    def completed(self, run: Run, record: Document) -> Progress:
        check, uri = record["_check"], f"{record['_check']['folder']}/{_VIOLATIONS}"
        try:
            found = json.loads(s3.read(run.world, run.scope, uri)).get("violations")
        except (s3.S3Missing, ValueError, AttributeError):
            found = None
        if not found:
            return Progress("Succeeded")
        record["Metadata"][self._metadata]["ViolationReport"] = uri
        if not check["fail"]:
            return Progress("Succeeded")
        return Progress("Failed", f"ClientError: {len(found)} drift check violations found. See the report at {uri}")


_FLAGS = frozenset(
    {
        "CheckType",
        "SkipCheck",
        "FailOnViolation",
        "RegisterNewBaseline",
        "ModelPackageGroupName",
        "SuppliedBaselineConstraints",
        "SuppliedBaselineStatistics",
    }
)


def _folder(arguments: Document) -> str:
    """Where the job writes its baseline: its first output. Raises StepFailed."""
    for output in arguments.get("ProcessingOutputConfig", {}).get("Outputs", []):
        if "S3Output" in output:
            return str(output["S3Output"]["S3Uri"]).rstrip("/")
    raise StepFailed("ClientError: the check has no output in Amazon S3 for its baseline")


def _previous(attempt: Attempt, kind: str, raw: Document, parts: tuple[str, ...]) -> Document:
    """The previous baseline: what is supplied, else that of the group's latest approved package."""
    supplied = {part: raw[f"SuppliedBaseline{part}"] for part in parts if raw.get(f"SuppliedBaseline{part}")}
    if supplied or not raw.get("ModelPackageGroupName"):
        return supplied
    run = attempt.run
    request: Document = {
        "ModelPackageGroupName": raw["ModelPackageGroupName"],
        "ModelApprovalStatus": "Approved",
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": 1,
    }
    try:
        approved = run.world.call(run.scope, "ListModelPackages", request)["ModelPackageSummaryList"]
        if not approved:
            return {}
        name = {"ModelPackageName": approved[0]["ModelPackageArn"]}
        package = run.world.call(run.scope, "DescribeModelPackage", name)
    except AwsError:
        return {}
    known: Any = package.get("DriftCheckBaselines", {}).get(_BASELINES.get(kind, ""), {})
    members = {"Constraints": _CONSTRAINTS.get(kind, "Constraints"), "Statistics": "Statistics"}
    return {part: known[members[part]]["S3Uri"] for part in parts if members[part] in known}


def _with_baseline(arguments: Document, previous: Document) -> Document:
    """The request with the previous baseline as inputs, told by the environment as a monitor's container is told."""
    inputs, environment = list(arguments.get("ProcessingInputs") or []), dict(arguments.get("Environment") or {})
    for part, uri in previous.items():
        word = part.lower()
        inputs.append(
            {
                "InputName": f"baseline_{word}",
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"{_INSIDE}/{word}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        )
        environment[f"baseline_{word}"] = f"{_INSIDE}/{word}/{uri.rpartition('/')[2]}"
    return {**arguments, "ProcessingInputs": inputs, "Environment": environment}
