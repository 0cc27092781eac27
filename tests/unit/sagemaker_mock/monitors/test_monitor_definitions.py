"""Job definitions and schedules as records: what is given back, listed, and refused."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from monitor_lab import HOURLY, IMAGE, LOCAL, OUTPUT, ROLE, Lab

KINDS = {
    "DataQuality": ("data_quality", "data-quality-job-definition"),
    "ModelQuality": ("model_quality", "model-quality-job-definition"),
    "ModelBias": ("model_bias", "model-bias-job-definition"),
    "ModelExplainability": ("model_explainability", "model-explainability-job-definition"),
}


def call(lab: Lab, verb: str, kind: str, ending: str = "", **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = getattr(lab.sm, f"{verb}_{KINDS[kind][0]}_job_definition{ending}")(**params)
    return answer


def refused(code: str, call_: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call_(**params)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_definition_lives(lab: Lab, kind: str) -> None:
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:{KINDS[kind][1]}/d"
    given = lab.definition(kind)
    assert call(lab, "create", kind, **given)["JobDefinitionArn"] == arn
    described = call(lab, "describe", kind, JobDefinitionName="d")
    assert {name: described[name] for name in given} == given
    assert described["StoppingCondition"] == {"MaxRuntimeInSeconds": 86_400}
    (row,) = call(lab, "list", kind, "s", EndpointName="live")["JobDefinitionSummaries"]
    assert (row["MonitoringJobDefinitionName"], row["EndpointName"]) == ("d", "live")
    assert call(lab, "list", kind, "s", EndpointName="other")["JobDefinitionSummaries"] == []
    refused("ResourceInUse", lambda **more: call(lab, "create", kind, **more), **given)
    call(lab, "delete", kind, JobDefinitionName="d")
    refused("ResourceNotFound", lambda **more: call(lab, "describe", kind, **more), JobDefinitionName="d")
    refused("ResourceNotFound", lambda **more: call(lab, "delete", kind, **more), JobDefinitionName="d")


def test_what_makes_a_definition_wrong(lab: Lab) -> None:
    batch = {
        "DataCapturedDestinationS3Uri": "s3://data/batch",
        "DatasetFormat": {"Csv": {}},
        "LocalPath": LOCAL,
    }
    endpoint = {"EndpointName": "live", "LocalPath": LOCAL}
    quality = "DataQualityJobInput"
    outside = {"MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://data/r", "LocalPath": "/tmp/out"}}]}
    https = {"MonitoringOutputs": [{"S3Output": {"S3Uri": "https://data/r", "LocalPath": OUTPUT}}]}
    for wrong in (
        {quality: {}},
        {quality: {"EndpointInput": endpoint, "BatchTransformInput": batch}},
        {quality: {"EndpointInput": {**endpoint, "LocalPath": "/opt/ml/processing/../x"}}},
        {quality: {"EndpointInput": {**endpoint, "StartTimeOffset": "-PT1H", "EndTimeOffset": "-PT2H"}}},
        {quality: {"EndpointInput": {**endpoint, "StartTimeOffset": "P1W"}}},
        {quality: {"BatchTransformInput": {**batch, "DatasetFormat": {"Csv": {}, "Parquet": {}}}}},
        {"DataQualityJobOutputConfig": outside},
        {"DataQualityJobOutputConfig": https},
        {"StoppingCondition": {"MaxRuntimeInSeconds": 86_401}},
        {"DataQualityJobOutputConfig": {"MonitoringOutputs": []}},
    ):
        refused("ValidationException", lab.sm.create_data_quality_job_definition, **{**lab.definition(), **wrong})
    given = lab.definition("ModelQuality")
    no_truth = {"EndpointInput": endpoint, "GroundTruthS3Input": {}}
    refused(
        "ValidationException", lab.sm.create_model_quality_job_definition, **{**given, "ModelQualityJobInput": no_truth}
    )
    no_problem = {"ImageUri": IMAGE}
    refused(
        "ValidationException",
        lab.sm.create_model_quality_job_definition,
        **{**given, "ModelQualityAppSpecification": no_problem},
    )


def test_a_schedule_lives(lab: Lab) -> None:
    lab.endpoint()
    lab.sm.create_data_quality_job_definition(**lab.definition())
    arn = lab.schedule()["MonitoringScheduleArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:monitoring-schedule/s"
    described = lab.sm.describe_monitoring_schedule(MonitoringScheduleName="s")
    assert described["MonitoringScheduleStatus"] == "Scheduled"
    assert (described["EndpointName"], described["MonitoringType"]) == ("live", "DataQuality")
    (row,) = lab.sm.list_monitoring_schedules(
        EndpointName="live",
        MonitoringJobDefinitionName="d",
        MonitoringTypeEquals="DataQuality",
        StatusEquals="Scheduled",
    )["MonitoringScheduleSummaries"]
    assert (row["MonitoringScheduleName"], row["MonitoringJobDefinitionName"]) == ("s", "d")
    assert lab.sm.list_monitoring_schedules(EndpointName="other")["MonitoringScheduleSummaries"] == []
    lab.sm.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert lab.sm.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    lab.sm.stop_monitoring_schedule(MonitoringScheduleName="s")
    assert lab.sm.describe_monitoring_schedule(MonitoringScheduleName="s")["MonitoringScheduleStatus"] == "Stopped"
    lab.sm.start_monitoring_schedule(MonitoringScheduleName="s")
    lab.advance()
    assert lab.sm.describe_monitoring_schedule(MonitoringScheduleName="s")["MonitoringScheduleStatus"] == "Scheduled"
    lab.sm.delete_monitoring_schedule(MonitoringScheduleName="s")
    for verb in ("describe", "start", "stop", "delete"):
        refused("ResourceNotFound", getattr(lab.sm, f"{verb}_monitoring_schedule"), MonitoringScheduleName="s")


def inline(**more: Any) -> dict[str, Any]:
    return {
        "MonitoringInputs": [{"EndpointInput": {"EndpointName": "live", "LocalPath": LOCAL}}],
        "MonitoringOutputConfig": {
            "MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://data/reports", "LocalPath": OUTPUT}}]
        },
        "MonitoringResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}
        },
        "MonitoringAppSpecification": {"ImageUri": IMAGE},
        "RoleArn": ROLE,
        **more,
    }


def test_what_makes_a_schedule_wrong(lab: Lab) -> None:
    lab.endpoint()
    lab.endpoint("mute", capture=False)
    lab.sm.create_data_quality_job_definition(**lab.definition())
    named = {"MonitoringJobDefinitionName": "d", "MonitoringType": "DataQuality"}

    def create(code: str = "ValidationException", **config: Any) -> str:
        return refused(
            code,
            lab.sm.create_monitoring_schedule,
            MonitoringScheduleName="s",
            MonitoringScheduleConfig={"ScheduleConfig": {"ScheduleExpression": HOURLY}, **config},
        )

    create()
    create(**named, MonitoringJobDefinition=inline())
    create(MonitoringJobDefinitionName="d")
    create("ResourceNotFound", MonitoringJobDefinitionName="none", MonitoringType="DataQuality")
    create("ResourceNotFound", MonitoringJobDefinitionName="d", MonitoringType="ModelBias")
    assert "cron(0 * ? * * *)" in create(**named, ScheduleConfig={"ScheduleExpression": "rate(1 hour)"})
    create(**named, ScheduleConfig={"ScheduleExpression": "NOW"})
    window = {"DataAnalysisStartTime": "-PT25H", "DataAnalysisEndTime": "-PT0H"}
    create(**named, ScheduleConfig={"ScheduleExpression": "NOW", **window})
    for name, words in (("none", "Could not find endpoint"), ("mute", "Data capture is not enabled")):
        given = inline(MonitoringInputs=[{"EndpointInput": {"EndpointName": name, "LocalPath": LOCAL}}])
        assert words in create(MonitoringJobDefinition=given)
    lab.schedule()
    create("ResourceInUse", **named)
