"""Native monitors on the mock: made by the run's step, run hourly, changed by an apply, removed with all they have."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from monitor_account import ENDPOINT, SERVED, Account, compiled, monitor, of_kind, pipeline, record, step_json, until

from cloudml import spec
from cloudml.jobs.failure import Refused
from cloudml.jobs.sources import Stored
from cloudml.plan import Resource
from cloudml.runtime.digest import measure
from cloudml_sagemaker.container.control.monitor import monitor as put_monitor
from cloudml_sagemaker.hosting import Failed, native_monitor
from cloudml_sagemaker.resources.monitor import MONITOR

TABLE = pl.DataFrame({"age": [1.0, 2.0, 3.0], "plan": ["a", "b", None], "when": [[1], [2], [3]]})


def native(**fields: Any) -> spec.Monitor:
    return monitor(engine="native", thresholds=(spec.Threshold(statistic="ks", limit=0.25),), **fields)


def run_step(resources: tuple[Resource, ...], folder: Path, **changed: Any) -> None:
    """The monitor's step of a run, over TABLE and what SERVED says was deployed."""
    path = folder / "table.parquet"
    TABLE.write_parquet(path)
    digest, size = measure(path)
    stored = Stored("table", "polars.DataFrame", "parquet", digest, size, path.name, path)
    values = {"endpoint": SERVED, "run.time": "2026-11-23T09:00:00Z"}
    context = SimpleNamespace(
        values=SimpleNamespace(json=lambda value: values[value.get("port") or value.get("set")]),
        sources=SimpleNamespace(one=lambda _: stored),
    )
    put_monitor({**step_json(resources, "watched")["action"], **changed}, context)  # type: ignore[arg-type]


def content(account: Account, key: str) -> Any:
    return json.loads(account.client.read(f"s3://data/samples/mock/monitors/made/drift/{key}"))


def test_the_step_writes_the_baseline_of_what_is_served(account: Account, tmp_path: Path) -> None:
    resources = compiled(pipeline(monitor()))
    run_step(resources, tmp_path)
    pointer = content(account, "baseline.json")
    assert pointer["endpoint"] == SERVED
    profiles = json.loads(account.client.read(pointer["profiles"]))["columns"]
    assert {name: one["kind"] for name, one in profiles.items()} == {"age": "number", "plan": "category"}
    assert (profiles["plan"]["count"], profiles["plan"]["nulls"]) == (2, 1)


def test_the_same_baseline_again_keeps_its_time(account: Account, tmp_path: Path) -> None:
    first = account.baseline(age=[1.0, 2.0])
    again = account.baseline(age=[1.0, 2.0])
    assert again == first
    assert account.baseline(age=[1.0, 3.0])["digest"] != first["digest"]


def test_a_feature_that_the_table_lacks_is_told(account: Account, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no column income; it has age, plan, when"):
        run_step(compiled(pipeline(monitor())), tmp_path, features=["age", "income"])


def _serve(account: Account) -> None:
    """An endpoint that captures."""
    call = account.client.call
    role = "arn:aws:iam::123456789012:role/ml"
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/served:1"
    call("sagemaker", "CreateModel", ModelName="m", ExecutionRoleArn=role, PrimaryContainer={"Image": image})
    call(
        "sagemaker", "CreateEndpointConfig", EndpointConfigName="config-2",
        ProductionVariants=[
            {"VariantName": "main", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        ],
        DataCaptureConfig={
            "EnableCapture": True, "InitialSamplingPercentage": 100, "DestinationS3Uri": "s3://data/samples/mock/capture",
            "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
        },
    )  # fmt: skip
    call("sagemaker", "CreateEndpoint", EndpointName=ENDPOINT, EndpointConfigName="config-2")

    def ready() -> bool:
        account.mock.advance(60)
        return bool(call("sagemaker", "DescribeEndpoint", EndpointName=ENDPOINT)["EndpointStatus"] == "InService")

    until(ready)


def _status(account: Account) -> list[str]:
    found = account.client.pages("sagemaker", "ListMonitoringExecutions", "MonitoringExecutionSummaries")
    return [one["MonitoringExecutionStatus"] for one in found]


def test_a_native_monitor_lives_and_goes(account: Account, tmp_path: Path) -> None:
    _serve(account)
    resources = compiled(pipeline(native()))
    (wanted,) = of_kind(resources, "monitor")
    assert MONITOR.read(account.world, wanted) is None
    run_step(resources, tmp_path)
    run_step(resources, tmp_path)
    live = MONITOR.read(account.world, wanted)
    assert live is not None
    assert (live.document, live.problem) == (wanted.document, "")
    assert [one.name for one in MONITOR.owned(account.world)] == [wanted.name]
    assert content(account, "native/constraints.json")["monitoring_config"]["distribution_constraints"][
        "comparison_threshold"
    ] == 0.25  # fmt: skip

    now = account.mock.now()
    account.captured(f"{now:%Y/%m/%d/%H}", record(now, [{"age": 9.0}]))
    account.mock.advance(3600)
    until(lambda: "CompletedWithViolations" in _status(account))

    (changed,) = of_kind(compiled(pipeline(native(window=2 * 3600.0))), "monitor")
    before = wanted.document["definition"]["JobDefinitionName"]
    MONITOR.update(account.world, changed, ("definition",))
    after = MONITOR.read(account.world, changed)
    assert after is not None
    assert after.document == changed.document
    find = account.client.find
    assert find("sagemaker", "DescribeDataQualityJobDefinition", JobDefinitionName=before) is None

    MONITOR.delete(account.world, wanted.name)
    MONITOR.delete(account.world, wanted.name)
    assert list(MONITOR.owned(account.world)) == []
    assert list(account.client.pages("sagemaker", "ListDataQualityJobDefinitions", "JobDefinitionSummaries")) == []


class Stuck:
    """A schedule that AWS leaves in one status for ever."""

    def __init__(self, status: str) -> None:
        self.status = status

    def call(self, service: str, operation: str, /, **request: Any) -> dict[str, Any]:
        return {}

    def find(self, service: str, operation: str, /, **request: Any) -> dict[str, Any] | None:
        if operation != "DescribeMonitoringSchedule":
            return {}
        config = {"ScheduleConfig": {}, "MonitoringJobDefinitionName": "d", "MonitoringType": "DataQuality"}
        return {
            "MonitoringScheduleStatus": self.status, "MonitoringScheduleConfig": config, "FailureReason": "no endpoint",
            "MonitoringScheduleArn": "arn",
        }  # fmt: skip


@pytest.mark.parametrize(("status", "words"), [("Pending", "still Pending"), ("Failed", "no endpoint")])
def test_what_aws_does_not_bring_about_is_told(status: str, words: str) -> None:
    (wanted,) = of_kind(compiled(pipeline(native())), "monitor")
    with pytest.raises(Failed, match=words):
        native_monitor.ensure(Stuck(status), wanted.document, sleep=lambda _: None)


def test_a_schedule_that_does_not_go_is_told() -> None:
    with pytest.raises(Failed, match="still being deleted"):
        native_monitor.remove(Stuck("Stopped"), "s", sleep=lambda _: None)


def test_times_are_read_whoever_wrote_them() -> None:
    from cloudml.jobs.control.traffic import parse_time

    expected = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    assert parse_time("2026-11-23T09:00:00Z") == expected
    assert parse_time("2026-11-23T09:00:00") == expected
    assert parse_time("2026-11-23T10:00:00.500+01:00") == expected + timedelta(milliseconds=500)
