"""Who decided what of a version, when and why: one small object for each decision, beside the model.

Objects with names of their own cannot get lost when two people decide at once. Pure: reads and writes are the caller's.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

APPROVED: Final = "approved"
REJECTED: Final = "rejected"
ADOPTED: Final = "adopted from "
Approval: TypeAlias = Literal["approved", "pending", "rejected"]


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
        """As its object has it."""
        return json.dumps({"format": 1, **asdict(self)}, sort_keys=True).encode()

    def key(self) -> str:
        """Its object's name: in the order of time, and the same for the same decision."""
        digest = hashlib.sha256(self.content()).hexdigest()[:16]
        return f"{re.sub('[^0-9]', '', self.at)[:17]}-{digest}.json"

    def line(self) -> str:
        """Who and why, in one line."""
        return " ".join(f"{self.who}: {self.reason}".split())

    @property
    def approval(self) -> Approval | None:
        """The approval that it gives a version, if it gives one."""
        if self.action == APPROVED or self.action.startswith(ADOPTED):
            return APPROVED
        return REJECTED if self.action == REJECTED else None


def moment(when: datetime) -> str:
    """A time as records tell it."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds")


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
