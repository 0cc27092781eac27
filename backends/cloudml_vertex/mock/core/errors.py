"""Refusals as Google APIs give them: a canonical code, a message, and details (https://google.aip.dev/193)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

CODES: dict[str, tuple[int, int]] = {
    "OK": (0, 200),
    "CANCELLED": (1, 499),
    "UNKNOWN": (2, 500),
    "INVALID_ARGUMENT": (3, 400),
    "DEADLINE_EXCEEDED": (4, 504),
    "NOT_FOUND": (5, 404),
    "ALREADY_EXISTS": (6, 409),
    "PERMISSION_DENIED": (7, 403),
    "RESOURCE_EXHAUSTED": (8, 429),
    "FAILED_PRECONDITION": (9, 400),
    "ABORTED": (10, 409),
    "OUT_OF_RANGE": (11, 400),
    "UNIMPLEMENTED": (12, 501),
    "INTERNAL": (13, 500),
    "UNAVAILABLE": (14, 503),
    "DATA_LOSS": (15, 500),
    "UNAUTHENTICATED": (16, 401),
}
"""Canonical codes: number in google.rpc.Status, and HTTP status (google/rpc/code.proto)."""


class GoogleError(Exception):
    """An error response. `details` are documents of messages with "@type", as google.rpc.Status carries them.

    ValueError for a code that google.rpc does not know.
    """

    def __init__(self, code: str, message: str, details: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(f"{code}: {message}")
        if code not in CODES:
            raise ValueError(f"{code!r} is no canonical code")
        self.code = code
        self.message = message
        self.details = tuple(details)

    @property
    def number(self) -> int:
        """As google.rpc.Status has it."""
        return CODES[self.code][0]

    @property
    def http(self) -> int:
        """The HTTP status."""
        return CODES[self.code][1]

    def status(self) -> dict[str, Any]:
        """A google.rpc.Status document."""
        found: dict[str, Any] = {"code": self.number, "message": self.message}
        if self.details:
            found["details"] = list(self.details)
        return found


def of_status(status: dict[str, Any]) -> GoogleError:
    """The error that a google.rpc.Status document tells."""
    number = int(status.get("code", 2))
    code = next((name for name, (known, _) in CODES.items() if known == number), "UNKNOWN")
    return GoogleError(code, str(status.get("message", "")), tuple(status.get("details", ())))


def invalid(message: str) -> GoogleError:
    """INVALID_ARGUMENT: wrong whatever the state of the system."""
    return GoogleError("INVALID_ARGUMENT", message)


def field_violations(pairs: Iterable[tuple[str, str]]) -> GoogleError:
    """INVALID_ARGUMENT with google.rpc.BadRequest: every wrong field and what is wrong with it."""
    found = list(pairs)
    violations = [{"field": where, "description": what} for where, what in found]
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "field_violations": violations}
    text = "; ".join(f"{where}: {what}" if where else what for where, what in found)
    return GoogleError("INVALID_ARGUMENT", f"List of found errors: {text}", (detail,))


def not_found(name: str) -> GoogleError:
    """NOT_FOUND of a resource by its full name."""
    return GoogleError("NOT_FOUND", f"The resource '{name}' was not found.")


def already_exists(message: str) -> GoogleError:
    """ALREADY_EXISTS."""
    return GoogleError("ALREADY_EXISTS", message)


def failed_precondition(message: str) -> GoogleError:
    """FAILED_PRECONDITION: right in itself, but not in this state."""
    return GoogleError("FAILED_PRECONDITION", message)


def resource_exhausted(message: str) -> GoogleError:
    """RESOURCE_EXHAUSTED: a quota."""
    return GoogleError("RESOURCE_EXHAUSTED", message)


def aborted(message: str) -> GoogleError:
    """ABORTED: somebody else changed it in the meantime."""
    return GoogleError("ABORTED", message)


def permission_denied(message: str) -> GoogleError:
    """PERMISSION_DENIED."""
    return GoogleError("PERMISSION_DENIED", message)


def unimplemented(message: str) -> GoogleError:
    """UNIMPLEMENTED: not served."""
    return GoogleError("UNIMPLEMENTED", message)


def internal(message: str = "Internal error encountered.") -> GoogleError:
    """INTERNAL."""
    return GoogleError("INTERNAL", message)


def not_executed(what: str, instead: str) -> GoogleError:
    """UNIMPLEMENTED of the mock itself: Vertex AI has `what`, and this mock would only pretend to."""
    return GoogleError("UNIMPLEMENTED", f"{what} is not executed by this mock; {instead}")
