"""Deployment policies: how long they wait, and which alarms watch. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from cloudml_sagemaker.hosting import Document

LONGEST_DEPLOYMENT = 28_800
"""Seconds (MaximumExecutionTimeoutInSeconds)."""

TAG = "cloudml:rollout"
"""Tag of an endpoint: what its declared policy hashes to. AWS keeps only the one that was used last."""


def digest(policy: Document | None) -> str:
    """Of a policy, short enough for a tag."""
    return hashlib.sha256(json.dumps(policy or {}, sort_keys=True).encode()).hexdigest()[:16]


def waits(policy: Document | None) -> int:
    """Seconds that a blue-green deployment waits in all, at most.

    Developer guide, "Deployment guardrails": a canary waits once, a linear one after every step but the last, and both
    wait before the old fleet is terminated.
    """
    blue_green: dict[str, Any] = (policy or {}).get("BlueGreenUpdatePolicy") or {}
    routing = blue_green.get("TrafficRoutingConfiguration") or {}
    wait, last = int(routing.get("WaitIntervalInSeconds") or 0), int(blue_green.get("TerminationWaitInSeconds") or 0)
    if routing.get("Type") == "CANARY":
        return wait + last
    if routing.get("Type") == "LINEAR":
        share = int((routing.get("LinearStepSize") or {}).get("Value") or 100)
        return (math.ceil(100 / share) - 1) * wait + last
    return last


def alarms(policy: Document | None) -> list[str]:
    """The alarms that roll a deployment back."""
    found = ((policy or {}).get("AutoRollbackConfiguration") or {}).get("Alarms") or []
    return [one["AlarmName"] for one in found]


def without(policy: Document, names: list[str]) -> Document:
    """The policy without those alarms."""
    left = [{"AlarmName": name} for name in alarms(policy) if name not in names]
    rest = {key: value for key, value in policy.items() if key != "AutoRollbackConfiguration"}
    return {**rest, "AutoRollbackConfiguration": {"Alarms": left}} if left else rest
