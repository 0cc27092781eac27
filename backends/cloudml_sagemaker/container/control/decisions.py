"""What of a version was decided, as SageMaker keeps it: the objects beside the model, and what AWS itself shows.

A model package itself has room for one description only (ApprovalDescription, 1,024 characters), and what two people
write there at once overwrites one another. Pure: reads and writes are the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudml.jobs.control.decisions import ADOPTED, APPROVED, REJECTED, Approval, Decision, moment, parsed
from cloudml_sagemaker.container.control.registration import record_of

__all__ = [
    "ADOPTED",
    "APPROVED",
    "REJECTED",
    "STATUS",
    "Approval",
    "Decision",
    "approval",
    "description",
    "home",
    "label",
    "moment",
    "parsed",
    "standing",
]

STATUS: dict[Approval, str] = {APPROVED: "Approved", REJECTED: "Rejected", "pending": "PendingManualApproval"}
"""Our words, and the values of ModelApprovalStatus."""
_WORDS = {value: word for word, value in STATUS.items()}
REGISTERED = "cloudml:approval"
"""The metadata that tells with which approval a version was registered."""
LONGEST = 1024
"""Characters of ApprovalDescription (service model)."""


def description(made: Decision) -> str:
    """A decision as ApprovalDescription."""
    return made.line()[:LONGEST]


def approval(package: Mapping[str, Any]) -> Approval:
    """Of a package, as AWS describes it."""
    return _WORDS.get(package.get("ModelApprovalStatus", ""), "pending")


def home(package: Mapping[str, Any], otherwise: str) -> str:
    """The folder of a model's decisions, of all its versions; `otherwise` is the model's folder when it has no record.

    A version's record is `<model's folder>/<archive>/<origin>/<name>.json`.
    """
    parts = record_of(package).rsplit("/", 3)
    return f"{parts[0] if len(parts) == 4 else otherwise}/decisions"


def label(package: Mapping[str, Any]) -> str:
    """The version's own folder in it: a number that is given again after its group was made anew is another one."""
    return f"{package['ModelPackageVersion']}-{int(package['CreationTime'].timestamp())}"


def standing(package: Mapping[str, Any], written: Iterable[Decision]) -> list[Decision]:
    """The decisions that hold, oldest first, one that was made outside of cloudml (in Studio, by the API) included.

    The last approval that is written may not be what AWS shows: somebody changed it later by other means, or whoever
    wrote it was cut off before it took effect, and then it is none.
    """
    found = sorted(written, key=lambda one: (one.at, one.key()))
    status = approval(package)
    last = next((one for one in reversed(found) if one.approval is not None), None)
    before = last.approval if last else package.get("CustomerMetadataProperties", {}).get(REGISTERED, status)
    if before == status:
        return found
    changed = package.get("LastModifiedTime")
    if changed is not None and (last is None or moment(changed) > last.at):
        who = package.get("LastModifiedBy", {}).get("IamIdentity", {}).get("Arn", "")
        return [*found, Decision(status, who, package.get("ApprovalDescription", ""), moment(changed))]
    return standing(package, [one for one in found if one is not last])
