"""Alarms roll deployments back: set by hand, or rung by what the new fleet really answers."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_deploying import CANARY, ROLLING, alarmed, statuses, update
from hosting_host import SCOPE, Host


def test_an_alarm_rolls_back(still: Host) -> None:
    still.endpoint(count=4)
    seen = statuses(still)
    policy = alarmed(still, CANARY)
    update(still, still.next_config("next", count=4), policy)
    still.cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    still.advance(60)
    still.settle()
    shown = still.describe()
    assert (shown["EndpointStatus"], shown["EndpointConfigName"]) == ("InService", "live-config")
    assert "alarm errors" in shown["FailureReason"]
    assert still.split(10) == {"old:": 10}
    assert seen == ["Updating", "RollingBack", "InService"]
    still.settle()
    assert list(still.mock.world.rooms["hosting"]._servers) == [(SCOPE, "live", "1", "main")]


def test_errors_of_the_new_fleet_ring_the_alarm_by_themselves(still: Host) -> None:
    still.endpoint(count=4)
    update(still, still.next_config("next", count=4), alarmed(still, CANARY))
    still.advance(120)
    assert still.status() == "Updating"
    for _ in range(8):
        with pytest.raises(still.runtime.exceptions.ModelError):
            still.invoke("status:500")
    still.advance(120)
    still.settle()
    shown = still.describe()
    assert (shown["EndpointStatus"], shown["EndpointConfigName"]) == ("InService", "live-config")
    alarm = still.cloudwatch.describe_alarms(AlarmNames=["errors"])["MetricAlarms"][0]
    assert alarm["StateValue"] == "ALARM"


def test_a_healthy_deployment_passes_its_alarm(still: Host) -> None:
    still.endpoint(count=4)
    update(still, still.next_config("next", count=4), alarmed(still, CANARY))
    for _ in range(90):
        still.invoke()
        still.advance(60)
    assert still.describe()["EndpointConfigName"] == "next"
    assert "FailureReason" not in still.describe()
    points = still.cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[{"Name": "EndpointName", "Value": "live"}, {"Name": "VariantName", "Value": "main"}],
        StartTime=0,
        EndTime=still.mock.world.now() + 60,
        Period=86400,
        Statistics=["Sum"],
    )["Datapoints"]
    assert sum(point["Sum"] for point in points) == 90
    still.settle()


def test_rolling_back_goes_in_batches_too(still: Host) -> None:
    still.endpoint(count=5)
    update(still, still.next_config("next", count=5), alarmed(still, ROLLING))
    still.advance(300)
    assert still.split(50)["new:"] == pytest.approx(40, abs=3)
    still.cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    still.advance(60)
    for part in (0.6, 0.4, 0.2):
        still.settle()
        assert still.status() == "RollingBack"
        assert still.split(50)["new:"] == pytest.approx(50 * part, abs=3)
        still.advance(300)
    assert still.status() == "InService"
    assert still.split(10) == {"old:": 10}
    still.settle()


def test_a_way_back_that_fails_leaves_two_fleets_until_the_next_update(still: Host) -> None:
    still.endpoint(count=4)
    still.mock.world.faults.add(still.mock.world.faults.parse("rollback-failed:live,count=1"))
    update(still, still.next_config("next", count=4), alarmed(still, CANARY))
    still.cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    still.advance(7200)
    assert still.status() == "UpdateRollbackFailed"
    assert still.split(40)["new:"] == pytest.approx(10, abs=2)
    weights = [{"VariantName": "main", "DesiredInstanceCount": 3}]
    with pytest.raises(ClientError, match="UpdateRollbackFailed"):
        still.sagemaker.update_endpoint_weights_and_capacities(EndpointName="live", DesiredWeightsAndCapacities=weights)
    update(still, still.next_config("third", count=4, answer="third:"))
    assert still.status() == "InService"
    assert still.split(10) == {"third:": 10}
    still.settle()
    assert list(still.mock.world.rooms["hosting"]._servers) == [(SCOPE, "live", "3", "main")]


@pytest.mark.parametrize(
    ("alarm", "rings"),
    [
        ({"MetricName": "Invocation4XXErrors", "Config": "next"}, True),
        ({"MetricName": "Invocation4XXErrors", "Config": "live-config"}, False),
        ({"MetricName": "ModelLatency", "Config": "next", "ExtendedStatistic": "p90", "Threshold": 1e5}, True),
        ({"MetricName": "ModelLatency", "Config": "next", "ExtendedStatistic": "p90", "Threshold": 1e7}, False),
    ],
)
def test_alarms_on_one_fleet_and_on_percentiles(still: Host, alarm: dict[str, Any], rings: bool) -> None:
    still.endpoint(count=2)
    dimensions = [("EndpointName", "live"), ("VariantName", "main"), ("EndpointConfigName", alarm.pop("Config"))]
    settings = {
        "AlarmName": "errors",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0.1,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        **({} if "ExtendedStatistic" in alarm else {"Statistic": "Average"}),
        **alarm,
    }
    still.cloudwatch.put_metric_alarm(**settings)
    policy = {**CANARY, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}}
    always = "status:404" if alarm["MetricName"].startswith("Invocation") else "sleep:0.2"
    still.model("other", Environment={"ALWAYS": always})
    update(still, still.config("next", {"ModelName": "other", "InitialInstanceCount": 2}), policy)
    for _ in range(8):
        with contextlib.suppress(ClientError):
            still.invoke("")
    still.advance(180)
    still.settle()
    assert (still.status() == "InService") is rings
