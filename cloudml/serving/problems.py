"""What goes wrong with one request, as an HTTP status and a sentence for the client."""

from __future__ import annotations


class RequestProblem(Exception):
    """A request that gets an error answer. `retry_after` is in seconds."""

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after


def bad_request(message: str) -> RequestProblem:
    """The body is not what the model needs (400)."""
    return RequestProblem(400, message)


class ModelFailed(Exception):
    """The model raised, or answered with something that is no prediction; the cause is for the log only."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
