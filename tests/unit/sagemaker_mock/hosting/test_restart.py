"""A mock that is killed and started again with its state: endpoints serve, deployments go on where they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hosting_host import Host
from mock_clients import SCOPE

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start

POLICY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
            "WaitIntervalInSeconds": 3600,
        },
    }
}


def test_a_canary_goes_on_after_a_restart(tmp_path: Path, options: Options) -> None:
    begin = datetime.fromisoformat("2026-03-01T00:00:00+00:00")
    kept = replace(options, state=tmp_path / "state", hold=True, start=begin)
    first = start(kept)
    try:
        host = Host(first)
        host.endpoint(count=2)
        host.next_config("next", count=2)
        host.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="next", DeploymentConfig=POLICY)
        host.advance(1200)
        assert host.split(20) == {"old:": 10, "new:": 10}
        now = first.world.clock.now()
    finally:
        first.stop()
    second = start(replace(kept, start=now))
    try:
        host = Host(second)
        host.settle()
        assert host.status() == "Updating"
        assert host.split(20) == {"old:": 10, "new:": 10}
        host.advance(2399)
        assert host.status() == "Updating"
        host.advance(1)
        host.settle()
        assert host.describe()["EndpointConfigName"] == "next"
        assert host.split(10) == {"new:": 10}
    finally:
        second.stop()


def test_what_waits_to_be_written_is_written_when_the_mock_goes_down(tmp_path: Path, options: Options) -> None:
    kept = replace(options, state=tmp_path / "state", hold=True)
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://data/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    first = start(kept)
    try:
        host = Host(first)
        host.bucket()
        host.endpoint(DataCaptureConfig=capture)
        host.invoke("1")
        assert host.keys("data", "capture/") == []
    finally:
        first.stop()
    second = start(kept)
    try:
        assert len(Host(second).keys("data", "capture/live/main/")) == 1
        listed = second.world.aws.client("cloudwatch", SCOPE).list_metrics(Namespace="AWS/SageMaker")["Metrics"]
        assert "Invocations" in {metric["MetricName"] for metric in listed}
    finally:
        second.stop()


def test_no_process_outlives_the_mock(options: Options) -> None:
    mock = start(options)
    host = Host(mock)
    host.endpoint()
    server = next(iter(mock.world.rooms["hosting"]._servers.values()))
    process = server.containers[0].process
    mock.stop()
    assert process.wait(5) is not None
