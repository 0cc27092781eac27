"""Refusals as AWS words them. An `AwsError` raised anywhere while a request is handled becomes its response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class AwsError(Exception):
    """An error response: `code` goes into `__type`, `message` is AWS's text, `status` the HTTP status.

    `details` are further members of the error's shape (ModelError has OriginalStatusCode, for example).
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.details: dict[str, Any] = {}


def validation(message: str) -> AwsError:
    """ValidationException: the request is wrong in itself, or (for many older calls) names what does not exist."""
    return AwsError("ValidationException", message)


def constraints(problems: Sequence[str]) -> AwsError:
    """ValidationException in the wording that AWS's services use for broken constraints of their model."""
    count = len(problems)
    plural = "s" if count != 1 else ""
    return validation(f"{count} validation error{plural} detected: {'; '.join(problems)}")


def not_found(message: str) -> AwsError:
    """ResourceNotFound."""
    return AwsError("ResourceNotFound", message)


def in_use(message: str) -> AwsError:
    """ResourceInUse: the name is taken, or the resource is needed by another."""
    return AwsError("ResourceInUse", message)


def limit_exceeded(message: str) -> AwsError:
    """ResourceLimitExceeded."""
    return AwsError("ResourceLimitExceeded", message)


def conflict(message: str) -> AwsError:
    """ConflictException: a change at the same time, or the same idempotency token for another request."""
    return AwsError("ConflictException", message)


def internal(message: str = "An internal failure occurred. Try your request again.") -> AwsError:
    """InternalFailure, HTTP 500."""
    return AwsError("InternalFailure", message, 500)


def not_executed(what: str, instead: str) -> AwsError:
    """ValidationException of the mock itself: AWS has `what`, and this mock would only pretend to."""
    return validation(f"{what} is not executed by this mock; {instead}")
