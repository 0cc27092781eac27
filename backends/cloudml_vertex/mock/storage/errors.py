"""Refusals of Cloud Storage's JSON API (https://cloud.google.com/storage/docs/json_api/v1/status-codes)."""

from __future__ import annotations

from typing import Any


class StorageError(Exception):
    """An error response, or the empty answers 304 and 499. `reason` is the API's word for the kind of error."""

    def __init__(self, status: int, reason: str, message: str, **where: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.where = where

    def envelope(self) -> dict[str, Any]:
        """The body, as every Google API of that age has it."""
        one = {"message": self.message, "domain": "global", "reason": self.reason, **self.where}
        return {"error": {"code": self.status, "message": self.message, "errors": [one]}}


def invalid(message: str) -> StorageError:
    """400: wrong whatever the state of the system."""
    return StorageError(400, "invalid", message)


def required(message: str) -> StorageError:
    """400: something is not there that must be."""
    return StorageError(400, "required", message)


def no_object(bucket: str, name: str) -> StorageError:
    """404 of an object."""
    return StorageError(404, "notFound", f"No such object: {bucket}/{name}")


def no_bucket() -> StorageError:
    """404 of a bucket."""
    return StorageError(404, "notFound", "The specified bucket does not exist.")


def conflict(message: str) -> StorageError:
    """409."""
    return StorageError(409, "conflict", message)


def unmet(header: str = "If-Match") -> StorageError:
    """412: a precondition did not hold."""
    message = "At least one of the pre-conditions you specified did not hold."
    return StorageError(412, "conditionNotMet", message, locationType="header", location=header)


def not_modified() -> StorageError:
    """304: the reader has it already. No body."""
    return StorageError(304, "notModified", "Not Modified")


def not_executed(what: str, instead: str) -> StorageError:
    """501 of the mock itself: Cloud Storage has `what`, and this mock would only pretend to."""
    return StorageError(501, "notImplemented", f"{what}: not executed by this mock; {instead}")
