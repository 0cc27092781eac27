"""What AWS refuses of a DeploymentConfig and of an update, before anything is started (pure).

Sources: developer guide "Deployment guardrails" (canary: at most 50 % of the new fleet; linear: 10 to 50 %; rolling:
5 to 50 %; exclusions) and API reference (DeploymentConfig, BlueGreenUpdatePolicy, RollingUpdatePolicy).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.hosting import stages

_LIMITS = {"CanarySize": (0.0, 0.5), "LinearStepSize": (0.1, 0.5), "MaximumBatchSize": (0.05, 0.5)}
_PERCENT = {"CanarySize": (1, 50), "LinearStepSize": (10, 50), "MaximumBatchSize": (5, 50)}
_NEEDS = {"ALL_AT_ONCE": None, "CANARY": "CanarySize", "LINEAR": "LinearStepSize"}


def check(policy: Document, old: Document, new: Document, counts: Mapping[str, int]) -> None:
    """Hold a DeploymentConfig against the configurations it leads from and to; `counts`: new instances by variant.

    Raises ValidationException.
    """
    shape(policy)
    names, others = _names(new), _names(old)
    if names != others:
        raise validation(
            "The new endpoint configuration must have the same variant names as the current one when a "
            f"DeploymentConfig is used: {', '.join(sorted(others))} now, {', '.join(sorted(names))} in the new one."
        )
    serverless = any(variant.get("ServerlessConfig") for variant in new["ProductionVariants"])
    if "RollingUpdatePolicy" in policy:
        if serverless or len(new["ProductionVariants"]) > 1:
            raise validation("RollingUpdatePolicy is not supported for serverless or multi-variant endpoints.")
        _size("MaximumBatchSize", policy["RollingUpdatePolicy"]["MaximumBatchSize"], counts)
    else:
        routing = (policy.get("BlueGreenUpdatePolicy") or {}).get("TrafficRoutingConfiguration") or {}
        member = _NEEDS.get(routing.get("Type", "ALL_AT_ONCE"))
        if member:
            if serverless and routing[member]["Type"] == "INSTANCE_COUNT":
                raise validation(f"{member} of type INSTANCE_COUNT is not supported for serverless endpoints.")
            _size(member, routing[member], counts)
    _time(policy, counts)


def shape(policy: Document) -> None:
    """What can be said of a DeploymentConfig alone. Raises ValidationException."""
    if policy.get("BlueGreenUpdatePolicy") and policy.get("RollingUpdatePolicy"):
        raise validation("Only one of BlueGreenUpdatePolicy and RollingUpdatePolicy can be specified.")
    routing = (policy.get("BlueGreenUpdatePolicy") or {}).get("TrafficRoutingConfiguration")
    if routing:
        wanted = _NEEDS[routing["Type"]]
        for member in ("CanarySize", "LinearStepSize"):
            if member == wanted and not routing.get(member):
                raise validation(f"{member} is required for traffic routing type {routing['Type']}.")
            if member != wanted and routing.get(member):
                raise validation(f"{member} cannot be specified for traffic routing type {routing['Type']}.")
    for member, capacity in _capacities(policy):
        low, high = _PERCENT[member]
        if capacity["Type"] == "CAPACITY_PERCENT" and not low <= capacity["Value"] <= high:
            raise validation(
                f"{member} must be between {low} and {high} percent of the fleet, not {capacity['Value']}."
            )


def effective(policy: Document, new: Document) -> Document:
    """The policy as AWS follows it: Inf1 instances fall back to all at once without baking (exclusions)."""
    if any(str(variant.get("InstanceType", "")).startswith("ml.inf1.") for variant in new["ProductionVariants"]):
        return dict(stages.ALL_AT_ONCE)
    return policy or dict(stages.ALL_AT_ONCE)


def _names(config: Document) -> set[str]:
    return {variant["VariantName"] for variant in config["ProductionVariants"]}


def _capacities(policy: Document) -> list[tuple[str, Any]]:
    rolling = policy.get("RollingUpdatePolicy") or {}
    routing = (policy.get("BlueGreenUpdatePolicy") or {}).get("TrafficRoutingConfiguration") or {}
    found = {**routing, **rolling}
    return [(member, found[member]) for member in _PERCENT if found.get(member)]


def _size(member: str, capacity: Document, counts: Mapping[str, int]) -> None:
    low, high = _LIMITS[member]
    for variant, count in counts.items():
        exact = capacity["Type"] == "INSTANCE_COUNT"
        value = capacity["Value"] if exact else stages.size(capacity, count)
        if value > count * high or (exact and value < count * low):
            bounds = f"at most {high:.0%}" if not low else f"{low:.0%} to {high:.0%}"
            raise validation(
                f"{member} stands for {value} of the {count} instance(s) of production variant {variant}; it must be "
                f"{bounds} of the fleet."
            )


def _time(policy: Document, counts: Mapping[str, int]) -> None:
    inner = policy.get("RollingUpdatePolicy") or policy.get("BlueGreenUpdatePolicy") or {}
    limit = inner.get("MaximumExecutionTimeoutInSeconds")
    needed = stages.waits(policy, counts)
    if limit is not None and limit <= needed:
        raise validation(
            f"MaximumExecutionTimeoutInSeconds ({limit}) must be larger than the total waiting time of the deployment "
            f"({needed:g} seconds)."
        )
