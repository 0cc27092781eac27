"""Rollouts, guards, capture and scaling in AWS's terms: documents by hand, refusals with what would be right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from endpoint_lab import NAME, PLACE, lowered, rollout

from cloudml import spec
from cloudml_sagemaker.hosting import policy
from cloudml_sagemaker.service.model import input_shape
from cloudml_sagemaker.service.shapes import problems

FIVE = spec.Scaling(minimum=5, maximum=5)


def blue_green(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = lowered(**fields).settings["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    return found


def messages(**fields: Any) -> list[str]:
    return [f"{one.code} {one.message} | {one.hint}" for one in lowered(**fields).findings]


def test_the_default_is_all_at_once() -> None:
    made = lowered()
    assert made.findings == ()
    assert made.settings["DeploymentConfig"] == {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
            "TerminationWaitInSeconds": 0,
            "MaximumExecutionTimeoutInSeconds": 14_400,
        }
    }
    assert made.settings["variant"] == {
        "VariantName": "main", "InstanceType": "ml.t2.medium", "InitialInstanceCount": 1,
    }  # fmt: skip
    assert [one.kind for one in made.resources()] == ["endpoint"]
    assert made.name == NAME


def test_a_canary_bakes_its_step_and_then_the_whole_fleet() -> None:
    made = blue_green(rollout=rollout((20, 600), (100, 300), final_bake=60.0), scaling=FIVE)
    assert made["TrafficRoutingConfiguration"] == {
        "Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 20}, "WaitIntervalInSeconds": 600,
    }  # fmt: skip
    assert made["TerminationWaitInSeconds"] == 360
    assert policy.waits({"BlueGreenUpdatePolicy": made}) == 960


@pytest.mark.parametrize("step", [20, 30])
def test_equal_rises_are_linear_the_last_may_be_smaller(step: float) -> None:
    weights = [step * number for number in range(1, 10) if step * number < 100] + [100]
    made = blue_green(rollout=rollout(*((weight, 600) for weight in weights)), scaling=FIVE)
    assert made["TrafficRoutingConfiguration"] == {
        "Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": step}, "WaitIntervalInSeconds": 600,
    }  # fmt: skip
    assert policy.waits({"BlueGreenUpdatePolicy": made}) == len(weights) * 600


def test_the_time_limit_is_raised_to_hold_all_waits() -> None:
    steps = rollout(*((weight, 3600) for weight in (20, 40, 60, 80, 100)), max_duration=3600.0)
    # Four waits of an hour, one before the old fleet goes, half an hour to start the new one, ten minutes to spare.
    assert blue_green(rollout=steps, scaling=FIVE)["MaximumExecutionTimeoutInSeconds"] == 5 * 3600 + 1800 + 600


@pytest.mark.parametrize(
    ("steps", "more", "expected"),
    [
        (((10, 60), (50, 60), (100, 60)), {}, "in two steps, or in equal ones, not by 10, 50, 100"),
        (((60, 60), (100, 60)), {}, "a step of 60 % is none of 1 to 50 whole percent"),
        (((2.5, 60), (100, 60)), {}, "a step of 2.5 % is none of 1 to 50 whole percent"),
        (((5, 60), (10, 60), *((at, 60) for at in range(15, 101, 5))), {}, "5 % is none of 10 to 50"),
        (((20, 60), (40, 30), (60, 60), (80, 60), (100, 0)), {}, "its steps bake for different times"),
        (((20, 3601), (100, 0)), {}, "a step bakes for 3601 s, and SageMaker waits at most 3600 s"),
        (((100, 3000),), {"final_bake": 601.0}, "bakes (the last step and final_bake) for 3601 s"),
        (((100, 0),), {"engine": "controlled"}, "its traffic is moved by SageMaker itself"),
        (((100, 0),), {"shadow": spec.Shadow()}, "shadow traffic is not made"),
        (((100, 0),), {"routing": "sticky"}, "routes each request by itself"),
        (((100, 0),), {"max_duration": 28_801.0}, "max_duration is 28801 s, and SageMaker allows 28800 s"),
        (tuple((10 * at, 3600) for at in range(1, 11)), {}, "waits for 36000 s in all"),
    ],
)
def test_other_rollouts_are_refused_with_the_reason(steps: Any, more: dict[str, Any], expected: str) -> None:
    found = messages(rollout=rollout(*steps, **more), scaling=spec.Scaling(minimum=100, maximum=100))
    assert len(found) == 1, found
    assert found[0].startswith("CML345 ")
    assert expected in found[0]


def test_approval_and_samples_between_steps_are_refused_together() -> None:
    step = spec.RolloutStep(weight=50, approval=True, min_samples=10)
    found = messages(rollout=spec.Rollout(steps=(step, spec.RolloutStep(weight=100))), scaling=FIVE)
    assert ["asks nobody" in found[0], "whatever traffic comes" in found[1]] == [True, True]


@pytest.mark.parametrize(("weight", "count", "needed"), [(50, 1, 2), (10, 9, 10), (30, 3, 4)])
def test_too_few_instances_for_a_share_say_how_many_are_needed(weight: float, count: int, needed: int) -> None:
    scaling = spec.Scaling(minimum=count, maximum=100, target_requests=1)
    steps = rollout((weight, 60), (100, 0))
    found = messages(rollout=steps, scaling=scaling)
    assert len(found) == 1
    assert f"instances={needed}" in found[0]
    assert messages(rollout=steps, scaling=spec.Scaling(minimum=needed, maximum=needed)) == []


def guard(metric: str = "error_rate", limit: float = 0.02, **fields: Any) -> spec.Guard:
    given = {"metric": metric, "limit": limit, "min_samples": 0, "window": 60.0, **fields}
    return spec.Guard.model_validate(given)


def guarded(*guards: spec.Guard, rollback: bool = True, **endpoint: Any) -> Any:
    return lowered(rollout=rollout((100, 0), final_bake=600.0, guards=guards, rollback=rollback), **endpoint)


DIMENSIONS = [{"Name": "EndpointName", "Value": NAME}, {"Name": "VariantName", "Value": "main"}]
TAGS = [
    {"Key": "cloudml:pipeline", "Value": "train"},
    {"Key": "cloudml:project", "Value": "shop"},
    {"Key": "cloudml:target", "Value": "dev"},
]


def test_a_guard_is_an_alarm_on_both_fleets_that_rolls_back() -> None:
    made = guarded(guard())
    assert made.alarms == (
        {
            "AlarmName": "shop-dev-scores-error-rate",
            "AlarmDescription": "cloudml: error_rate above 0.02 takes a new version of endpoint scores back",
            "Namespace": "AWS/SageMaker",
            "MetricName": "Invocation5XXErrors",
            "Dimensions": DIMENSIONS,
            "Statistic": "Average",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0.02,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "missing",
            "Tags": TAGS,
        },
    )
    assert made.settings["DeploymentConfig"]["AutoRollbackConfiguration"] == {
        "Alarms": [{"AlarmName": "shop-dev-scores-error-rate"}]
    }
    assert [one.kind for one in made.resources()] == ["alarm", "endpoint"]
    assert "AutoRollbackConfiguration" not in guarded(guard(), rollback=False).settings["DeploymentConfig"]


def test_latency_is_in_microseconds_and_cpu_over_all_cores() -> None:
    eight = spec.Resources(cpu=8, memory=16 * 1024)
    latency, cpu = guarded(
        guard("latency_p95", 200, consecutive=3, no_data="pass"), guard("cpu", 0.5, no_data="fail"), resources=eight
    ).alarms
    assert (latency["MetricName"], latency["ExtendedStatistic"], latency["Threshold"]) == ("ModelLatency", "p95", 2e5)
    assert (latency["EvaluationPeriods"], latency["TreatMissingData"]) == (3, "notBreaching")
    assert (cpu["Namespace"], cpu["MetricName"]) == ("/aws/sagemaker/Endpoints", "CPUUtilization")
    assert (cpu["Threshold"], cpu["TreatMissingData"]) == (400.0, "breaching"), "half of eight cores, in percent"


def test_fewer_samples_than_asked_are_no_data() -> None:
    alarm = guarded(guard("client_error_rate", 0.1, min_samples=200, direction="below")).alarms[0]
    assert alarm["ComparisonOperator"] == "LessThanThreshold"
    assert "Period" not in alarm

    def metric(name: str, stat: str) -> dict[str, Any]:
        about = {"Namespace": "AWS/SageMaker", "MetricName": name, "Dimensions": DIMENSIONS}
        return {"Metric": about, "Period": 60, "Stat": stat}

    assert alarm["Metrics"] == [
        {"Id": "guard", "Expression": "IF(requests >= 200, value)", "ReturnData": True},
        {"Id": "value", "MetricStat": metric("Invocation4XXErrors", "Average"), "ReturnData": False},
        {"Id": "requests", "MetricStat": metric("Invocations", "Sum"), "ReturnData": False},
    ]


def test_a_query_of_metrics_insights_is_taken() -> None:
    query = "SELECT MAX(ModelLatency) FROM SCHEMA(\"AWS/SageMaker\", EndpointName) WHERE EndpointName = '{endpoint}'"
    alarm = guarded(guard("custom", 5.0, query=query)).alarms[0]
    wanted = {"Id": "query", "Expression": query.replace("{endpoint}", NAME), "ReturnData": True, "Period": 60}
    assert alarm["Metrics"] == [wanted]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"metric": "score_psi"}, "no metric of what a model answers"),
        ({"metric": "score_mean_shift"}, "no metric of what a model answers"),
        ({"metric": "disagreement"}, "two versions answer"),
        ({"relative_to": "stable"}, "cannot be compared"),
        ({"severity": "pause"}, "cannot pause"),
        ({"window": 90.0}, "whole minutes"),
        ({"window": 3600.0, "consecutive": 200}, "longer than an alarm looks back"),
        ({"window": 300.0, "consecutive": 3}, "it needs 900 s to ring, and the rollout is watched for 600 s"),
        ({"metric": "custom", "query": "m1 / m2"}, "not one that an alarm can watch"),
        ({"metric": "custom", "query": "SELECT MAX(a) FROM b GROUP BY c"}, "GROUP BY"),
        ({"metric": "custom", "query": "SELECT MAX(a) FROM b", "min_samples": 2}, "min_samples=0"),
    ],
)
def test_other_guards_are_refused_with_the_reason(fields: dict[str, Any], expected: str) -> None:
    found = [f"{one.code} {one.message} | {one.hint}" for one in guarded(guard(**fields)).findings]
    assert len(found) == 1, found
    assert found[0].startswith("CML346 ")
    assert expected in found[0]


def test_no_more_than_ten_alarms_and_their_names_differ() -> None:
    made = guarded(*(guard(limit=0.01 * at) for at in range(11)))
    assert [one.message for one in made.findings] == ["it has 11 guards, and SageMaker watches 10 alarms"]
    names = [alarm["AlarmName"] for alarm in made.alarms]
    assert names[:3] == [f"{NAME}-error-rate{tail}" for tail in ("", "-2", "-3")]
    assert len(set(names)) == 11


def test_capture_and_scaling() -> None:
    scaling = spec.Scaling(minimum=2, maximum=6, target_requests=2.5)
    made = lowered(capture=spec.Capture(sample=0.25), scaling=scaling, place=replace(PLACE, kms="alias/k")).settings
    assert made["DataCaptureConfig"] == {
        "EnableCapture": True,
        "InitialSamplingPercentage": 25,
        "DestinationS3Uri": "s3://bucket/shop/dev/capture",
        "KmsKeyId": "alias/k",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {
            "CsvContentTypes": ["text/csv"],
            "JsonContentTypes": [
                "application/json", "application/jsonlines", "application/jsonl", "application/x-ndjson",
                "application/x-jsonlines",
            ],
        },
    }  # fmt: skip
    assert made["scaling"] == {"MinCapacity": 2, "MaxCapacity": 6, "TargetValue": 150.0}, "a minute has 60 seconds"
    assert made["variant"]["InitialInstanceCount"] == 2
    assert made["KmsKeyId"] == "alias/k"
    assert "scaling" not in lowered(scaling=spec.Scaling(minimum=2, maximum=2)).settings


def native(**document: Any) -> tuple[spec.NativeOption, ...]:
    return (spec.NativeOption(backend="sagemaker", document=document),)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"scaling": spec.Scaling(minimum=0, maximum=1, target_requests=1)}, "keeps one at least"),
        ({"scaling": spec.Scaling(minimum=1, maximum=3)}, "nothing says when it grows"),
        ({"capture": spec.Capture(sample=0.125)}, "captures 12.5 %"),
        ({"capture": spec.Capture(sample=0.001)}, "captures 0.1 %"),
        ({"request_timeout": 61.0}, "its request_timeout is 61 s, and SageMaker waits 60 s"),
        ({"environment": (spec.EnvironmentVariable(name="CLOUDML_FEATURES", value="[]"),)}, "is set by cloudml itself"),
        ({"native": native(AsyncInferenceConfig={})}, "no such AsyncInferenceConfig | native={'sagemaker': …} takes"),
        ({"native": native(EndpointName="other")}, "no such EndpointName"),
        ({"native": native(tags={"cloudml:project": "other"})}, "no such tags"),
        ({"native": native(model={"EnableNetworkIsolation": True})}, "no such model.EnableNetworkIsolation"),
        ({"native": native(model="x")}, "no such model | native={'sagemaker': …} takes environment, features"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields: dict[str, Any], expected: str) -> None:
    found = messages(**fields)
    assert len(found) == 1, found
    assert found[0].startswith("CML347 ")
    assert expected in found[0]


def test_a_disk_is_asked_for_and_a_machine_with_its_own_takes_no_key() -> None:
    """API reference, CreateEndpointConfig: the call fails with a KmsKeyId where the instance type has local storage."""
    secret = replace(PLACE, kms="alias/k")
    made = lowered(resources=spec.Resources(disk=100 * 1024), place=secret).settings
    assert (made["variant"]["VolumeSizeInGB"], made["KmsKeyId"]) == (108, "alias/k"), "100 GiB are 107.4 GB"
    assert "VolumeSizeInGB" not in lowered().settings["variant"]
    device = lowered(resources=spec.Resources(gpu=1), capture=spec.Capture(), place=secret).settings
    assert device["variant"]["InstanceType"] == "ml.g4dn.xlarge"
    assert "KmsKeyId" not in device
    assert device["DataCaptureConfig"]["KmsKeyId"] == "alias/k", "what lies in S3 is encrypted all the same"
    found = lowered(resources=spec.Resources(disk=600 * 1024)).findings
    assert [(one.code, "volumeSizeInGB" in one.message) for one in found] == [("CML338", True)], "512 GB at most"


def test_a_machine_that_there_is_not_is_told() -> None:
    assert [one.code for one in lowered(resources=spec.Resources(cpu=1000)).findings] == ["CML331"]


def test_the_documents_are_requests_by_the_service_model() -> None:
    """By the strict walker over botocore's own models: it also refuses what is unknown, out of range or misspelt."""
    made = guarded(guard(), guard("latency_p99", 10, min_samples=50), scaling=FIVE)
    for alarm in made.alarms:
        assert problems(input_shape("PutMetricAlarm", "cloudwatch"), alarm) == []
    update = {"EndpointName": NAME, "EndpointConfigName": NAME, "DeploymentConfig": made.settings["DeploymentConfig"]}
    assert problems(input_shape("UpdateEndpoint"), update) == []
    assert [one.code for one in lowered(native=native(variant={"InitialInstanceCount": -1})).findings] == ["CML338"]
    long = (spec.EnvironmentVariable(name="A", value="x" * 1025),)
    assert [one.code for one in lowered(environment=long).findings] == ["CML338"]
    assert [one.code for one in lowered(tags=(spec.Tag(key="a", value="{}"),)).findings] == ["CML338"]
