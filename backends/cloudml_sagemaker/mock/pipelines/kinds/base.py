"""What a kind of step is to the driver: how it begins, what it leaves to be read, how it is stopped and resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.pipelines.definition.model import Step
from cloudml_sagemaker.mock.pipelines.definition.values import Resolver, Unresolved
from cloudml_sagemaker.mock.pipelines.room import Run

T = TypeVar("T")

THROTTLING = "Step.THROTTLING"
SERVICE_FAULT = "Step.SERVICE_FAULT"
INTERNAL = "SageMaker.JOB_INTERNAL_ERROR"
CAPACITY = "SageMaker.CAPACITY_ERROR"
LIMIT = "SageMaker.RESOURCE_LIMIT"
"""Exception types of retry policies (developer guide, "pipelines-retry-policy")."""


@dataclass(frozen=True)
class Progress:
    """Where a step's attempt has come to. `status`: Executing, Succeeded, Failed or Stopped; `exception`: the type
    that a retry policy may name, empty when none may; `updates`: members of the step's record."""

    status: str
    reason: str = ""
    exception: str = ""
    updates: Mapping[str, Any] = field(default_factory=dict)


class StepFailed(Exception):
    """An attempt cannot go on. `exception`: the type that a retry policy may name."""

    def __init__(self, reason: str, exception: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.exception = exception


@dataclass
class Attempt:
    """One try of a step; `resolver` knows what the step's expressions stand for."""

    run: Run
    step: Step
    record: Document
    resolver: Resolver

    def resolve(self, value: Any) -> Any:
        """`value` without expressions. Raises StepFailed."""
        return self.guarded(lambda: self.resolver.resolve(value))

    def resolve_iteration(self, value: Any, iteration: Callable[[str], Document]) -> Any:
        """The same with `IterationOutput` read by `iteration`, a body step's properties by its name."""
        return self.guarded(lambda: replace(self.resolver, iteration=iteration).resolve(value))

    def guarded(self, call: Callable[[], T]) -> T:
        """Call something that resolves. Raises StepFailed with what has no value."""
        try:
            return call()
        except Unresolved as missing:
            raise StepFailed(f"ClientError: {missing.reason}") from None

    def call(self, operation: str, params: Document) -> Document:
        """Call an operation as the pipeline's role. Raises StepFailed with the exception type of a refusal."""
        strike = self.run.world.faults.strike("operation", f"step/{self.record['StepName']}", kinds=tuple(_FAULTS))
        try:
            if strike is not None:
                raise _FAULTS[strike.kind]
            return self.run.world.call(self.run.scope, operation, params)
        except AwsError as error:
            raise refused(error, operation) from error

    def note(self, metadata: str, **members: Any) -> None:
        """Put members into the step's Metadata."""
        found = self.record.setdefault("Metadata", {})
        found.setdefault(metadata, {}).update({name: value for name, value in members.items() if value is not None})


_FAULTS = {
    "throttle": AwsError("ThrottlingException", "Rate exceeded"),
    "internal-error": AwsError(
        "InternalFailure", "The request processing has failed because of an unknown error.", 500
    ),
    "unavailable": AwsError("ServiceUnavailable", "The service is unavailable.", 503),
}


def refused(error: AwsError, operation: str) -> StepFailed:
    """A refusal of an API as the step's failure, in the words that AWS's SDK for Java puts around one."""
    kind = ""
    if error.code in {"ThrottlingException", "Throttling", "TooManyRequestsException"}:
        kind = THROTTLING
    elif error.status >= 500:
        kind = SERVICE_FAULT
    elif error.code == "ResourceLimitExceeded":
        kind = LIMIT
    details = f"{error.message} (Service: AmazonSageMaker; Status Code: {error.status}; Error Code: {error.code})"
    blame = "InternalServerError" if error.status >= 500 else "ClientError"
    return StepFailed(f"{blame}: Failed to invoke sagemaker:{operation}. Error Details: {details}", kind)


class Kind:
    """The default: done at once, nothing to stop, nothing to read. `cached`: see `cache.key`."""

    cached: tuple[str, ...] | None = None
    """Members of the Arguments (`a.b`: of a member) that make up the cache's key; None: never cached."""

    def begin(self, attempt: Attempt) -> Progress:
        """Start it. Raises StepFailed."""
        raise NotImplementedError

    def properties(self, run: Run, record: Document) -> Document:
        """What other steps read of it once it has succeeded."""
        return {}

    def ended(self, run: Run, record: Document, document: Document, status: str) -> Progress | None:
        """What the new status of its job or endpoint means; None: it goes on."""
        return None

    def stop(self, run: Run, record: Document) -> Progress | None:
        """The execution is being stopped: how the step stands now; None: it is let end."""
        return None

    def resume(self, attempt: Attempt) -> Progress:
        """Go on after the mock was killed; by default from the beginning."""
        return self.begin(attempt)
