"""UpdateEndpoint and its guardrails, on a clock that the test holds, with real processes and really split traffic."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_host import SCOPE, Host

from cloudml_sagemaker.mock.core.bus import Change

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


def test_all_at_once_without_a_config(still: Host) -> None:
    still.endpoint()
    update(still, still.next_config("next"))
    assert still.status() == "InService"
    assert still.split(10) == {"new:": 10}
    shown = still.describe()
    assert shown["EndpointConfigName"] == "next"
    assert "PendingDeploymentSummary" not in shown
    still.settle()
    assert list(still.mock.world.rooms["hosting"]._servers) == [(SCOPE, "live", "2", "main")]


def test_all_at_once_bakes_before_the_old_fleet_ends(still: Host) -> None:
    still.endpoint()
    policy = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
            "TerminationWaitInSeconds": 600,
        }
    }
    update(still, still.next_config("next"), policy)
    still.advance(599)
    shown = still.describe()
    assert (shown["EndpointStatus"], shown["EndpointConfigName"]) == ("Updating", "live-config")
    assert shown["PendingDeploymentSummary"]["EndpointConfigName"] == "next"
    assert still.split(10) == {"new:": 10}
    still.advance(1)
    assert still.describe()["EndpointConfigName"] == "next"
    assert still.describe()["LastDeploymentConfig"] == policy


def test_a_canary_of_a_quarter(still: Host) -> None:
    still.endpoint(count=4)
    update(still, still.next_config("next", count=4), CANARY)
    still.advance(3599)
    pending = still.describe()["PendingDeploymentSummary"]["ProductionVariants"][0]
    assert pending["VariantStatus"][0]["Status"] == "Baking"
    assert pending["VariantStatus"][0]["StatusMessage"] == (
        "Baking for 3600 seconds (WaitIntervalInSeconds) with traffic enabled on canary capacity of 1 instance(s)."
    )
    split = still.split(80)
    assert split["new:"] == pytest.approx(20, abs=3)
    still.advance(1)
    assert still.split(10) == {"new:": 10}
    assert still.status() == "Updating"
    still.advance(1800)
    assert still.status() == "InService"
    still.settle()


def test_linear_steps(still: Host) -> None:
    still.endpoint(count=4)
    update(still, still.next_config("next", count=4), LINEAR)
    for part in (0.25, 0.5, 0.75):
        assert still.split(40).get("new:", 0) == pytest.approx(40 * part, abs=3)
        assert still.status() == "Updating"
        still.advance(600)
    assert still.status() == "InService"
    assert still.split(10) == {"new:": 10}
    still.settle()


def test_rolling_replaces_batch_by_batch(still: Host) -> None:
    still.endpoint(count=5)
    update(still, still.next_config("next", count=5), ROLLING)
    seen = []
    for _ in range(3):
        shown = still.describe()
        old = shown["ProductionVariants"][0]["CurrentInstanceCount"]
        new = shown["PendingDeploymentSummary"]["ProductionVariants"][0]["CurrentInstanceCount"]
        seen.append((old, new, round(still.split(50).get("new:", 0) / 50, 1)))
        still.advance(300)
    # 2, 2 and 1 of 5 instances: the old fleet shrinks after each bake.
    assert seen == [(5, 2, 0.4), (3, 4, 0.8), (1, 5, 1.0)]
    assert still.status() == "InService"
    still.settle()


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


def test_a_deployment_that_takes_too_long(still: Host) -> None:
    still.endpoint()
    still.model("sick", Environment={"PING_STATUS": "500"})
    still.config("next", {"ModelName": "sick"})
    at_once = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    policy = {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": at_once, "MaximumExecutionTimeoutInSeconds": 600}
    }
    still.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="next", DeploymentConfig=policy)
    clock: Any = still.mock.world.clock
    clock.advance(599, patience=0.05)
    assert still.status() == "Updating"
    clock.advance(1, patience=0.05)
    still.settle()
    shown = still.describe()
    assert (shown["EndpointStatus"], shown["EndpointConfigName"]) == ("InService", "live-config")
    assert "MaximumExecutionTimeoutInSeconds" in shown["FailureReason"]


def test_a_way_back_that_fails_leaves_two_fleets_until_the_next_update(still: Host) -> None:
    still.endpoint(count=4)
    still.mock.world.faults.add(still.mock.world.faults.parse("rollback-failed:live,count=1"))
    update(still, still.next_config("next", count=4), alarmed(still, CANARY))
    still.cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    still.advance(7200)
    assert still.status() == "UpdateRollbackFailed"
    assert still.split(40)["new:"] == pytest.approx(10, abs=2)
    update(still, still.next_config("third", count=4, answer="third:"))
    assert still.status() == "InService"
    assert still.split(10) == {"third:": 10}
    still.settle()
    assert list(still.mock.world.rooms["hosting"]._servers) == [(SCOPE, "live", "3", "main")]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("unhealthy:live", "did not pass the ping health check"),
        ("endpoint-capacity:live", "InsufficientInstanceCapacity"),
    ],
)
def test_a_fleet_that_never_comes_rolls_back(still: Host, rule: str, reason: str) -> None:
    still.endpoint()
    seen = statuses(still)
    still.mock.world.faults.add(still.mock.world.faults.parse(rule))
    update(still, still.next_config("next"))
    still.settle()
    shown = still.describe()
    assert (shown["EndpointStatus"], shown["EndpointConfigName"]) == ("InService", "live-config")
    assert reason in shown["FailureReason"]
    assert still.invoke() == "old:x"
    assert seen == ["Updating", "RollingBack", "InService"]


def test_a_silent_rollback(still: Host) -> None:
    still.mock.world.faults.add(still.mock.world.faults.parse("silent-rollback:live,count=1"))
    still.endpoint()
    update(still, still.next_config("next"))
    shown = still.describe()
    assert (shown["EndpointStatus"], shown["EndpointConfigName"]) == ("InService", "live-config")
    assert "FailureReason" not in shown
    update(still, "next")
    assert still.describe()["EndpointConfigName"] == "next"


def test_properties_are_retained(still: Host) -> None:
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 50,
        "DestinationS3Uri": "s3://data/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    still.endpoint(count=2, DataCaptureConfig=capture)
    still.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="live",
        DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": 6, "DesiredWeight": 0.5}],
    )
    still.settle()
    update(still, still.next_config("next"), RetainAllVariantProperties=True)
    shown = still.describe()
    assert shown["DataCaptureConfig"]["CurrentSamplingPercentage"] == 50
    main = shown["ProductionVariants"][0]
    assert (main["CurrentInstanceCount"], main["CurrentWeight"]) == (6, 0.5)
    update(
        still,
        still.next_config("third"),
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[
            {"VariantPropertyType": "DesiredInstanceCount"},
            {"VariantPropertyType": "DataCaptureConfig"},
        ],
    )
    shown = still.describe()
    main = shown["ProductionVariants"][0]
    assert (main["CurrentInstanceCount"], main["CurrentWeight"]) == (1, 0.5)
    assert "DataCaptureConfig" not in shown
    still.settle()


def test_the_last_deployment_config_can_be_used_again(still: Host) -> None:
    still.endpoint(count=4)
    update(still, still.next_config("next", count=4), LINEAR)
    still.advance(1800)
    assert still.status() == "InService"
    update(still, still.next_config("third", count=4), RetainDeploymentConfig=True)
    assert still.status() == "Updating"
    assert still.describe()["LastDeploymentConfig"] == LINEAR
    still.advance(1800)
    assert still.describe()["EndpointConfigName"] == "third"
    still.settle()


def test_an_update_loses_no_request(host: Host) -> None:
    import threading

    host.endpoint()
    host.next_config("next")
    answers: list[str] = []
    failures: list[BaseException] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                answers.append(host.invoke("sleep:0.02"))
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    host.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="next")
    host.wait()
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert answers
    assert host.describe()["EndpointConfigName"] == "next"


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
