"""Deployments for tests: policies, and short words for updates, alarms and what the bus tells."""

from __future__ import annotations

from typing import Any

from hosting_host import SCOPE, Host

from cloudml.mocks.bus import Change

CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 25},
            "WaitIntervalInSeconds": 3600,
        },
        "TerminationWaitInSeconds": 1800,
        "MaximumExecutionTimeoutInSeconds": 28800,
    }
}
LINEAR = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "LINEAR",
            "LinearStepSize": {"Type": "INSTANCE_COUNT", "Value": 1},
            "WaitIntervalInSeconds": 600,
        },
    }
}
ROLLING = {
    "RollingUpdatePolicy": {
        "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 2},
        "WaitIntervalInSeconds": 300,
        "RollbackMaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1},
    }
}


def update(host: Host, config: str, policy: dict[str, Any] | None = None, **more: Any) -> None:
    """Begin an update and wait until its new fleet is up."""
    given = {"DeploymentConfig": policy} if policy else {}
    host.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName=config, **given, **more)
    host.settle()


def alarmed(host: Host, policy: dict[str, Any], **alarm: Any) -> dict[str, Any]:
    """The policy with an alarm on the endpoint's server errors."""
    settings = {
        "AlarmName": "errors",
        "Namespace": "AWS/SageMaker",
        "MetricName": "Invocation5XXErrors",
        "Dimensions": [{"Name": "EndpointName", "Value": "live"}, {"Name": "VariantName", "Value": "main"}],
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0.1,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    host.cloudwatch.put_metric_alarm(**{**settings, **alarm})
    return {**policy, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}}


def statuses(host: Host) -> list[str]:
    """Every change of the endpoint's status from now on, as the bus tells them."""
    seen: list[str] = []
    host.settle()  # what happened before has been told

    def tell(change: Change) -> None:
        if change.scope == SCOPE and change.before != change.after:
            seen.append(change.after)

    host.mock.world.bus.subscribe(tell, "Endpoint")
    return seen
