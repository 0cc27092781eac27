"""SageMaker's events against the examples of the developer guide's page on EventBridge."""

from __future__ import annotations

from event_lab import SCOPE

from cloudml.mocks.bus import Change
from cloudml_sagemaker.mock.events.messages import Message, messages
from cloudml_sagemaker.mock.start import Mock

PIPELINE = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/myPipeline-123"
EXECUTION = f"{PIPELINE}/execution/p4jn9xou8a8s"
BEGIN, END = 1615824193.0, 1615824610.0  # 2021-03-15T16:03:13Z, 16:10:10Z


def made(mock: Mock, *change: object) -> list[Message]:
    kind, name, before, after, document, *details = change
    return list(messages(mock.world, Change(kind, SCOPE, name, before, after, document, *details)))  # type: ignore[arg-type]


def test_a_pipeline_execution(held: Mock) -> None:
    document = {
        "PipelineArn": PIPELINE,
        "PipelineExecutionArn": EXECUTION,
        "PipelineExecutionDisplayName": "SomeDisplayName",
        "PipelineExecutionDescription": "SomeDescription",
        "PipelineExecutionStatus": "Succeeded",
        "CreationTime": BEGIN,
        "LastModifiedTime": END,
    }
    (message,) = made(held, "PipelineExecution", EXECUTION, "Executing", "Succeeded", document)
    assert message.detail_type == "SageMaker Model Building Pipeline Execution Status Change"
    assert message.resources == [PIPELINE, EXECUTION]
    assert message.detail == {
        "pipelineExecutionDisplayName": "SomeDisplayName",
        "currentPipelineExecutionStatus": "Succeeded",
        "previousPipelineExecutionStatus": "Executing",
        "executionStartTime": "2021-03-15T16:03:13Z",
        "executionEndTime": "2021-03-15T16:10:10Z",
        "pipelineExecutionDescription": "SomeDescription",
        "pipelineArn": PIPELINE,
        "pipelineExecutionArn": EXECUTION,
    }


def test_a_step_with_its_job_and_its_failure(held: Mock) -> None:
    job = "arn:aws:sagemaker:us-east-1:123456789012:processing-job/pipelines-p4jn9xou8a8s-myprocessingstep1-tmgxry49ug"
    details = {
        "pipeline": PIPELINE,
        "execution": EXECUTION,
        "step": "myprocessingstep1",
        "stepType": "Processing",
        "metadata": {"ProcessingJob": {"Arn": job}},
        "startTime": BEGIN + 1,
        "endTime": END - 1,
        "failureReason": "ClientError: it broke",
        "cacheHitResult": {},
    }
    (message,) = made(held, "PipelineExecutionStep", "x", "Executing", "Failed", {}, details)
    assert message.detail_type == "SageMaker Model Building Pipeline Execution Step Status Change"
    assert message.detail == {
        "metadata": {"processingJob": {"arn": job}},
        "stepStartTime": "2021-03-15T16:03:14Z",
        "stepEndTime": "2021-03-15T16:10:09Z",
        "stepName": "myprocessingstep1",
        "stepType": "Processing",
        "previousStepStatus": "Executing",
        "currentStepStatus": "Failed",
        "pipelineArn": PIPELINE,
        "pipelineExecutionArn": EXECUTION,
        "failureReason": "ClientError: it broke",
    }


def test_an_endpoint_spells_its_status_and_a_deployment_has_an_event_of_its_own(held: Mock) -> None:
    document = {
        "EndpointName": "e",
        "EndpointArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e",
        "EndpointStatus": "InService",
        "CreationTime": 1592411992.203,
    }
    (created,) = made(held, "Endpoint", "e", "Creating", "InService", document)
    assert created.detail_type == "SageMaker Endpoint State Change"
    assert created.detail["EndpointStatus"] == "IN_SERVICE"
    assert created.detail["CreationTime"] == 1592411992203
    told = [message.detail_type for message in made(held, "Endpoint", "e", "InService", "Updating", document)]
    assert told == ["SageMaker Endpoint State Change", "SageMaker Endpoint Deployment State Change"]
    (phase,) = made(held, "Endpoint", "e", "Updating", "Updating", document)
    assert phase.detail_type == "SageMaker Endpoint Deployment State Change"
    assert phase.detail["EndpointStatus"] == "UPDATING"


def test_a_model_package_has_iso_times_and_no_tags(held: Mock) -> None:
    document = {
        "ModelPackageGroupName": "g",
        "ModelPackageVersion": 2,
        "ModelPackageArn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/g/2",
        "CreationTime": 1614186014.4,
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": "Rejected",
    }
    changed = {"updated": ["ModelApprovalStatus", "SourceUri"]}
    (message,) = made(held, "ModelPackage", "g/2", "Completed", "Completed", document, changed)
    # "Other possible values are ... sourceUri" (developer guide).
    updated = ["ModelApprovalStatus", "sourceUri"]
    assert message.detail == {
        **document,
        "CreationTime": "2021-02-24T17:00:14Z",
        "UpdatedModelPackageFields": updated,
    }


def test_a_model_card_comes_without_its_content(held: Mock) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model-card/example-card"
    document = {
        "ModelCardArn": arn,
        "ModelCardName": "example-card",
        "ModelCardVersion": 2,
        "ModelCardStatus": "Draft",
        "Content": "{}",
        "CreationTime": 1670026173.084,
    }
    (message,) = made(held, "ModelCard", "example-card", "", "Draft", document)
    assert (message.detail_type, message.resources) == ("SageMaker Model Card State Change", [arn])
    assert message.detail == {
        "ModelCardName": "example-card",
        "ModelCardVersion": 2,
        "ModelCardStatus": "Draft",
        "CreationTime": "2022-12-03T00:09:33.084Z",
        "AccountId": "123456789012",
        "SecurityConfig": {},
    }


def test_monitoring_schedules_are_told_unless_a_switch_says_no(held: Mock) -> None:
    document = {"MonitoringScheduleName": "m", "MonitoringScheduleArn": "arn:m", "CreationTime": 1592411992.203}
    (message,) = made(held, "MonitoringSchedule", "m", "Pending", "Scheduled", document)
    assert (message.detail_type, message.resources) == ("SageMaker Monitoring Schedule State Change", ["arn:m"])
    assert message.detail["MonitoringScheduleStatus"] == "Scheduled"
    held.world.switches.set("monitor-schedule-events", "none")
    assert made(held, "MonitoringSchedule", "m", "Pending", "Scheduled", document) == []


def test_what_aws_does_not_tell_of_is_not_told(held: Mock) -> None:
    assert made(held, "MonitoringExecution", "m", "Pending", "InProgress", {}) == []
