"""UpdateEndpoint and its guardrails, on a clock that the test holds, with real processes and really split traffic."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hosting_deploying import CANARY, LINEAR, ROLLING, statuses, update
from hosting_host import SCOPE, Host


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
