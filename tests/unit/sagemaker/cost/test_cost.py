"""What a plan says it may cost: every number by hand from the table's prices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudml.backend.port import Target
from cloudml.backend.records import Cost, CostItem
from cloudml.plan import Resource
from cloudml_sagemaker import machines
from cloudml_sagemaker.cost import cost

DISK = 30 * 0.14 / 730
"""30 GB of volume for an hour."""
M5, G4 = 0.23, 0.736
"""ml.m5.xlarge and ml.g4dn.xlarge, an hour."""
TARGET = Target("aws", "sagemaker", "demo", Path(), {"region": "us-east-1"})


def processing(name: str, seconds: Any = 600, machine: Any = "ml.m5.xlarge") -> dict[str, Any]:
    cluster = {"InstanceType": machine, "InstanceCount": 1, "VolumeSizeInGB": 30}
    limit = {"MaxRuntimeInSeconds": seconds}
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {"ProcessingResources": {"ClusterConfig": cluster}, "StoppingCondition": limit},
    }


def training(name: str, seconds: int = 1800, count: int = 1, **more: Any) -> dict[str, Any]:
    cluster = {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": count, "VolumeSizeInGB": 30}
    arguments = {"ResourceConfig": cluster, "StoppingCondition": {"MaxRuntimeInSeconds": seconds}, **more}
    return {"Name": name, "Type": "Training", "Arguments": arguments}


def pipeline(*steps: dict[str, Any], name: str = "demo", **more: Any) -> Resource:
    return Resource.of("pipeline", name, {"PipelineName": name, "definition": {"Steps": list(steps)}, **more})


def schedule(expression: str, pipeline_name: str = "demo", **more: Any) -> Resource:
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:pipeline/{pipeline_name}"
    document = {"Name": "nightly", "ScheduleExpression": expression, "Target": {"Arn": arn}, **more}
    return Resource.of("schedule", "nightly", document)


def only(found: Cost) -> CostItem:
    (item,) = found.items
    return item


def test_a_job_costs_two_minutes_at_least_and_its_limit_at_most() -> None:
    item = only(cost(TARGET, [pipeline(processing("prepare", 600))]))
    assert (item.what, item.unit, item.note) == ("prepare", "run", "ml.m5.xlarge")
    assert item.low == pytest.approx((M5 + DISK) * 2 / 60)
    assert item.high == pytest.approx((M5 + DISK) * 10 / 60)


def test_a_job_without_a_limit_of_its_own_is_taken_for_an_hour() -> None:
    assert only(cost(TARGET, [pipeline(processing("prepare", 86_400))])).high == pytest.approx(M5 + DISK)
    assert only(cost(TARGET, [pipeline(processing("prepare", 86_399))])).high > 23 * M5


def test_machines_and_trials_multiply() -> None:
    many = only(cost(TARGET, [pipeline(training("fit", 1800, count=3))]))
    assert (many.high, many.note) == (pytest.approx(3 * (G4 + DISK) / 2), "3 ml.g4dn.xlarge")
    search = {
        "Name": "tune",
        "Type": "Tuning",
        "Arguments": {
            "HyperParameterTuningJobConfig": {"ResourceLimits": {"MaxNumberOfTrainingJobs": 20}},
            "TrainingJobDefinition": training("", 1800)["Arguments"],
        },
    }
    item = only(cost(TARGET, [pipeline(search)]))
    assert item.low == pytest.approx(20 * (G4 + DISK) / 30)
    assert item.high == pytest.approx(20 * (G4 + DISK) / 2)
    assert item.note == "20 × ml.g4dn.xlarge"


def test_spot_saves_between_nothing_and_nine_tenths() -> None:
    item = only(cost(TARGET, [pipeline(training("fit", 1800, EnableManagedSpotTraining=True))]))
    assert item.low == pytest.approx(0.1 * (G4 + DISK) / 30)
    assert item.high == pytest.approx((G4 + DISK) / 2)
    assert item.note == "ml.g4dn.xlarge, spot"


def test_branches_may_not_run_and_maps_repeat() -> None:
    branch = {"Name": "if", "Type": "Condition", "Arguments": {"IfSteps": [processing("a")], "ElseSteps": []}}
    known = {
        "Name": "each", "Type": "ForEach", "Arguments": {"IterableItems": [0, 1, 2], "ForEachBody": [processing("b")]}
    }  # fmt: skip
    open_end = {
        "Name": "any",
        "Type": "ForEach",
        "Arguments": {"IterableItems": {"Std:JsonGet": {}}, "ForEachBody": [processing("c")]},
    }
    found = {one.what: one for one in cost(TARGET, [pipeline(branch, known, open_end)]).items}
    ten = (M5 + DISK) / 6
    assert (found["a"].low, found["a"].high) == (0, pytest.approx(ten))
    assert (found["b"].low, found["b"].high) == (pytest.approx(3 * ten / 5), pytest.approx(3 * ten))
    assert (found["c"].low, found["c"].high) == (0, pytest.approx(100 * ten))


def test_an_endpoint_costs_its_machines_all_month() -> None:
    variant = {"InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 2}
    one = Resource.of("endpoint", "live", {"EndpointName": "live", "variant": variant})
    item = only(cost(TARGET, [one]))
    assert (item.unit, item.low, item.high) == ("month", pytest.approx(2 * 167.9), pytest.approx(2 * 167.9))
    scaled = {"EndpointName": "live", "variant": variant, "scaling": {"MinCapacity": 1, "MaxCapacity": 4}}
    item = only(cost(TARGET, [Resource.of("endpoint", "live", scaled)]))
    assert (item.low, item.high, item.note) == (pytest.approx(167.9), pytest.approx(4 * 167.9), "1 to 4 ml.m5.xlarge")


def test_a_schedule_repeats_its_pipeline() -> None:
    found = cost(TARGET, [pipeline(processing("a"), processing("b")), schedule("rate(1 day)")])
    low, high = found.range("month")
    assert low == pytest.approx(30.44 * 2 * (M5 + DISK) / 30)
    assert high == pytest.approx(30.44 * 2 * (M5 + DISK) / 6)
    assert found.items[-1].note == "30.44 times a month"
    paused = cost(TARGET, [pipeline(processing("a")), schedule("rate(1 day)", State="DISABLED")])
    assert paused.range("month") == (0, 0)
    unknown = cost(TARGET, [pipeline(processing("a")), schedule("cron(0 0 L * ? *)")])
    assert unknown.range("month") == (0, 0)
    assert "not known" in unknown.items[-1].note


def test_a_monitors_pipeline_is_no_part_of_a_run() -> None:
    watching = pipeline(processing("watch"), name="demo-monitor", Tags=[{"Key": "cloudml:monitor", "Value": "drift"}])
    found = cost(TARGET, [watching, schedule("rate(1 hour)", "demo-monitor")])
    assert found.range("run") == (0, 0)
    assert found.range("month")[1] == pytest.approx(30.44 * 24 * (M5 + DISK) / 6)


def test_a_native_monitor_is_a_job_each_time() -> None:
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
    document = {
        "MonitoringScheduleName": "drift",
        "ScheduleExpression": "cron(0 * ? * * *)",
        "definition": {
            "JobResources": {"ClusterConfig": cluster}, "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
        },
    }  # fmt: skip
    item = only(cost(TARGET, [Resource.of("monitor", "drift", document)]))
    assert (item.unit, item.high) == ("month", pytest.approx(24 * 30.44 * (M5 + DISK) / 2))


@pytest.mark.parametrize("machine", ["ml.z9.huge", {"Get": "Parameters.machine"}])
def test_an_unknown_machine_is_said_and_counted_as_nothing(machine: Any) -> None:
    item = only(cost(TARGET, [pipeline(processing("a", machine=machine))]))
    assert (item.low, item.high) == (0, 0)
    assert "not counted" in item.note
    endpoint = {"EndpointName": "live", "variant": {"InstanceType": "ml.z9.huge"}}
    assert "ml.z9.huge" in only(cost(TARGET, [Resource.of("endpoint", "live", endpoint)])).note


def test_it_says_what_it_rests_on() -> None:
    found = cost(TARGET, [])
    assert (found.currency, found.as_of) == ("USD", machines.prices().as_of)
    words = " ".join(found.assumptions)
    for expected in ("us-east-1", "2 minutes", "S3", "CloudWatch", "10 % to 100 %", "730 hours"):
        assert expected in words
    abroad = cost(Target("aws", "sagemaker", "demo", Path(), {"region": "eu-central-1"}), [])
    assert "us-east-1; they differ in eu-central-1" in abroad.assumptions[0]
