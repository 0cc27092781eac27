"""Times, retries, caching and networks, in AWS's terms."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from cloudml import spec
from cloudml_sagemaker.compile.context import BACKEND, Document
from cloudml_sagemaker.target import Place

DAY = 86_400
LONGEST_RUN = 777_600
"""Seconds of a processing job (MaxRuntimeInSeconds)."""
START = 600
"""Seconds beside the function's own: unpacking, installing, uploading."""
MOST_RETRIES = 20
LONGEST_INTERVAL = 43_200
"""Of a retry policy (developer guide, pipelines-retry-policy)."""
KEPT_DAYS = 365
"""A result is reused for a year when the author sets no limit; AWS's cache needs one."""

_SERVICE = ("Step.SERVICE_FAULT", "Step.THROTTLING")
_MACHINE = ("SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR")
_EXCEPTIONS = {"transient": _SERVICE, "interrupted": _MACHINE, "crash": _MACHINE}
"""Classes of failures that AWS itself retries; all others are retried in the container."""


def longest(timeout: float | None, retry: spec.Retry | None) -> int:
    """Seconds that a job may take: all attempts with their waits, and its start; a day when there is no limit."""
    if timeout is None:
        return DAY
    attempts = retry.attempts if retry else 1
    waits = sum(min(retry.max_delay, retry.delay * retry.backoff**n) for n in range(attempts - 1)) if retry else 0.0
    return min(LONGEST_RUN, math.ceil(timeout * attempts + waits) + START)


def retries(retry: spec.Retry | None, *, tuning: bool = False) -> list[Document]:
    """The RetryPolicies for faults of the service; a tuning job's internal errors are never retried."""
    if retry is None or retry.attempts < 2:
        return []
    wanted = dict.fromkeys(name for one in retry.on for name in _EXCEPTIONS.get(one, ()))
    if tuning:
        wanted.pop("SageMaker.JOB_INTERNAL_ERROR", None)
    if not wanted:
        return []
    return [
        {
            "ExceptionType": list(wanted),
            "IntervalSeconds": min(LONGEST_INTERVAL, max(1, math.ceil(retry.delay))),
            "BackoffRate": float(retry.backoff),
            "MaxAttempts": min(MOST_RETRIES, retry.attempts - 1),
        }
    ]


def expiry(cache: spec.Cache) -> str:
    """ExpireAfter, as ISO 8601."""
    if cache.ttl is None:
        return f"P{KEPT_DAYS}D"
    seconds = max(1, math.ceil(cache.ttl))
    return f"P{seconds // DAY}D" if seconds % DAY == 0 else f"PT{seconds}S"


def network(place: Place) -> Document:
    """The VpcConfig of jobs; empty when they need none."""
    if not place.subnets:
        return {}
    return {"SecurityGroupIds": list(place.security_groups), "Subnets": list(place.subnets)}


def merged(document: Document, native: Iterable[spec.NativeOption]) -> Document:
    """A document with the author's own fragments for this backend merged in, which win."""
    for option in native:
        if option.backend == BACKEND:
            document = _merge(document, option.document)
    return document


def _merge(under: Any, over: Any) -> Any:
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return {**under, **{key: _merge(under[key], value) if key in under else value for key, value in over.items()}}
