"""Retry policies: whether, and when, a failed attempt is made again (developer guide, "pipelines-retry-policy")."""

from __future__ import annotations

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.pipelines.definition.model import RetryPolicy, Step
from cloudml_sagemaker.mock.pipelines.kinds.base import SERVICE_FAULT, THROTTLING

AUTOMATIC = RetryPolicy((SERVICE_FAULT, THROTTLING), interval_seconds=1, backoff_rate=2.0, attempts=5)
"""Faults and throttling of the services are tried again without a policy too; how often is not published."""


def delay(step: Step, record: Document, exception: str, now: float) -> float | None:
    """Seconds until the next attempt; None: there is none. Counts the attempt in the record."""
    if not exception:
        return None
    policies = (*step.retries, AUTOMATIC)
    number, policy = next(((at, each) for at, each in enumerate(policies) if exception in each.exceptions), (0, None))
    if policy is None:
        return None
    counts = record.setdefault("_retries", {})
    done = counts.get(str(number), 0)
    wait = float(policy.interval_seconds * policy.backoff_rate**done)
    if policy.attempts is not None and done >= policy.attempts:
        return None
    if policy.expire_after_minutes is not None and now + wait > record["StartTime"] + 60 * policy.expire_after_minutes:
        return None
    counts[str(number)] = done + 1
    return wait
