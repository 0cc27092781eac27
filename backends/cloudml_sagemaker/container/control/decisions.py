"""Who decided what of a version, when and why: one small object in S3 for each decision, beside the model.

A model package itself has room for one description only (ApprovalDescription, 1,024 characters), and what two people
write there at once overwrites one another. Objects with names of their own cannot get lost. Pure: reads and writes are
the caller's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

from cloudml_sagemaker.container.control.registration import record_of

APPROVED: Final = "approved"
REJECTED: Final = "rejected"
ADOPTED: Final = "adopted from "
Approval: TypeAlias = Literal["approved", "pending", "rejected"]
STATUS: dict[Approval, str] = {APPROVED: "Approved", REJECTED: "Rejected", "pending": "PendingManualApproval"}
"""Our words, and the values of ModelApprovalStatus."""
_WORDS = {value: word for word, value in STATUS.items()}
REGISTERED = "cloudml:approval"
"""The metadata that tells with which approval a version was registered."""
LONGEST = 1024
"""Characters of ApprovalDescription (service model)."""


@dataclass(frozen=True)
class Decision:
    """One decision. `at` is ISO 8601, UTC, in milliseconds."""

    action: str
    who: str
    reason: str
    at: str

    @classmethod
    def now(cls, action: str, who: str, reason: str) -> Decision:
        """A decision of this moment."""
        return cls(action, who, reason, moment(datetime.now(UTC)))

    def document(self) -> dict[str, Any]:
        """As the registry tells it."""
        return asdict(self)

    def content(self) -> bytes:
        """As S3 keeps it."""
        return json.dumps({"format": 1, **asdict(self)}, sort_keys=True).encode()

    def key(self) -> str:
        """Its object's name: in the order of time, and the same for the same decision."""
        digest = hashlib.sha256(self.content()).hexdigest()[:16]
        return f"{re.sub('[^0-9]', '', self.at)[:17]}-{digest}.json"

    def description(self) -> str:
        """As ApprovalDescription: one line."""
        return " ".join(f"{self.who}: {self.reason}".split())[:LONGEST]

    @property
    def approval(self) -> Approval | None:
        """The approval that it gives a version, if it gives one."""
        if self.action == APPROVED or self.action.startswith(ADOPTED):
            return APPROVED
        return REJECTED if self.action == REJECTED else None


def moment(when: datetime) -> str:
    """A time as records tell it."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds")


def approval(package: Mapping[str, Any]) -> Approval:
    """Of a package, as AWS describes it."""
    return _WORDS.get(package.get("ModelApprovalStatus", ""), "pending")


def parsed(content: bytes) -> Decision | None:
    """What an object holds; None when it is no decision."""
    try:
        found = json.loads(content)
        if found["format"] != 1:
            return None
        when = moment(datetime.fromisoformat(found["at"]))
        return Decision(str(found["action"]), str(found["who"]), str(found["reason"]), when)
    except (ValueError, KeyError, TypeError):
        return None


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
