"""Autoscaling of variants: its targets and policies live in moto; what SageMaker says about them is here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core.errors import AwsError, validation
from cloudml_sagemaker.mock.core.world import World

_RESOURCE = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
_DIMENSIONS = (
    "sagemaker:variant:DesiredInstanceCount",
    "sagemaker:variant:DesiredProvisionedConcurrency",
)


def check(world: World, scope: Scope, request: Mapping[str, Any]) -> AwsError | None:
    """What application-autoscaling would refuse of a RegisterScalableTarget for SageMaker; None when it is right.

    `request` is the call's parameters. Other namespaces, and inference components, are none of ours.
    """
    dimension = request.get("ScalableDimension")
    if request.get("ServiceNamespace") != "sagemaker" or dimension not in _DIMENSIONS:
        return None
    resource = str(request.get("ResourceId", ""))
    match = _RESOURCE.fullmatch(resource)
    with world.lock:
        endpoint = world.table("Endpoint", scope).get(match.group(1)) if match else None
        variants = [row["VariantName"] for row in (endpoint or {}).get("ProductionVariants") or []]
        if match is None or match.group(2) not in variants:
            return validation(f"Could not find the endpoint variant that is to be scaled: {resource}")
        assert endpoint is not None
        if endpoint["EndpointStatus"] not in {"InService", "Updating", "RollingBack"}:
            return validation(f"The endpoint of {resource} is not in service: {endpoint['EndpointStatus']}")
    low, high = request.get("MinCapacity"), request.get("MaxCapacity")
    if low is not None and high is not None and low > high:
        return validation("Maximum capacity cannot be less than minimum capacity")
    return None


def scaled(world: World, scope: Scope, endpoint: str, variants: list[str]) -> list[str]:
    """Those variants that are registered as scalable targets."""
    if not variants:
        return []
    resources = {f"endpoint/{endpoint}/variant/{variant}": variant for variant in variants}
    client = world.aws.client("application-autoscaling", scope)
    found = client.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=list(resources))
    return [resources[target["ResourceId"]] for target in found["ScalableTargets"]]


def check_update(world: World, scope: Scope, endpoint: str, old: Document, new: Document) -> None:
    """Refuse an update that removes a scaled variant or changes its instance type (developer guide, "Delete or update
    endpoints that use automatic scaling"). Raises ValidationException."""
    kept = {variant["VariantName"]: variant.get("InstanceType") for variant in new["ProductionVariants"]}
    touched = [
        variant["VariantName"]
        for variant in old["ProductionVariants"]
        if kept.get(variant["VariantName"], "") != variant.get("InstanceType")
    ]
    names = scaled(world, scope, endpoint, touched)
    if names:
        raise validation(
            f'The variant(s) "[{", ".join(names)}]" must be deregistered as scalable targets with AWS Auto Scaling '
            "before they can be removed or have their instance type updated."
        )
