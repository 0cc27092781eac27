"""Steps that only steer: Condition and Fail."""

from __future__ import annotations

from cloudml_sagemaker.mock.pipelines.definition import holds
from cloudml_sagemaker.mock.pipelines.kinds.base import Attempt, Kind, Progress


class ConditionKind(Kind):
    """Evaluated at once; the steps of the branch that it takes may then start."""

    def begin(self, attempt: Attempt) -> Progress:
        outcome = attempt.guarded(lambda: holds(list(attempt.step.conditions), attempt.resolver))
        attempt.note("Condition", Outcome=str(outcome))
        return Progress("Succeeded", updates={"_outcome": outcome})


class FailKind(Kind):
    """Fails with the message given, and the execution with it."""

    def begin(self, attempt: Attempt) -> Progress:
        message = str(attempt.resolve(attempt.step.arguments.get("ErrorMessage", "")))
        attempt.note("Fail", ErrorMessage=message)
        return Progress("Failed", message)
