"""How many instances serve: a variant as a scalable target of Application Auto Scaling, followed by one policy."""

from __future__ import annotations

from cloudml_sagemaker.hosting import Aws, Document

SERVICE = "application-autoscaling"
METRIC = "SageMakerVariantInvocationsPerInstance"
"""Invocations a minute and instance (developer guide, "Define a scaling policy")."""


def _target(endpoint: str, variant: str) -> Document:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }


def policy_name(endpoint: str) -> str:
    """The one policy of an endpoint."""
    return f"{endpoint}-requests"


def read(aws: Aws, endpoint: str, variant: str) -> Document | None:
    """`{"MinCapacity", "MaxCapacity", "TargetValue"}` as they are in force; None when nothing scales the variant."""
    target = _target(endpoint, variant)
    where = {"ServiceNamespace": "sagemaker", "ScalableDimension": target["ScalableDimension"]}
    found = aws.call(SERVICE, "DescribeScalableTargets", ResourceIds=[target["ResourceId"]], **where)
    targets = found.get("ScalableTargets") or []
    if not targets:
        return None
    scaling: Document = {name: targets[0][name] for name in ("MinCapacity", "MaxCapacity")}
    known = aws.call(SERVICE, "DescribeScalingPolicies", **target).get("ScalingPolicies") or []
    for one in known:
        if one["PolicyName"] == policy_name(endpoint):
            scaling["TargetValue"] = one["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
    return scaling


def ensure(aws: Aws, endpoint: str, variant: str, wanted: Document | None) -> None:
    """Bring it about; both calls replace what was there. Without a wish the variant is scaled by nothing."""
    now = read(aws, endpoint, variant)
    if now == wanted:
        return
    if wanted is None:
        forget(aws, endpoint, variant)
        return
    target = _target(endpoint, variant)
    capacity = {name: wanted[name] for name in ("MinCapacity", "MaxCapacity")}
    aws.call(SERVICE, "RegisterScalableTarget", **target, **capacity)
    if "TargetValue" in wanted:
        aws.call(
            SERVICE,
            "PutScalingPolicy",
            PolicyName=policy_name(endpoint),
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": wanted["TargetValue"],
                "PredefinedMetricSpecification": {"PredefinedMetricType": METRIC},
            },
            **target,
        )


def forget(aws: Aws, endpoint: str, variant: str) -> None:
    """Deregister the variant; its policies go with it. That it is none any more is no error."""
    if read(aws, endpoint, variant) is None:
        return
    try:
        aws.call(SERVICE, "DeregisterScalableTarget", **_target(endpoint, variant))
    except Exception as error:
        if "ObjectNotFound" not in str(error):
            raise
