"""The SageMaker mock under faults that were asked for, and under kills that were not."""

from __future__ import annotations

import hashlib
import random
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from socket import socket

import pytest
from botocore.exceptions import ClientError
from sagemaker_lab import (
    ACCOUNT,
    IMAGE,
    ONE_MACHINE,
    REGION,
    ROLE,
    SERVER_IMAGE,
    STATIC_SERVER,
    Server,
    client,
    definition,
    processing,
    register,
    status,
    steps,
    until,
)

from cloudml.testing.mocks import MockInUse, running_sagemaker

IMAGES = (f"jobs={sys.prefix}",)
TOKEN = "the-one-request-of-this-test-0001"
TRANSIENT = ("throttle", "internal-error", "unavailable", "lost-response")


@pytest.fixture
def mock() -> Iterator[MockInUse]:
    with running_sagemaker(images=IMAGES) as running:
        yield running


@pytest.fixture
def held() -> Iterator[MockInUse]:
    with running_sagemaker(images=IMAGES, hold=True) as running:
        yield running


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_client_that_retries_gets_everything_done_once(mock: MockInUse, seed: int) -> None:
    certain = ("lost-response:CreatePipeline,count=1", "lost-response:StartPipelineExecution,count=2")
    for rule in certain:
        mock.add_fault(rule)
    for number, kind in enumerate(TRANSIENT):
        mock.add_fault(f"{kind}:sagemaker:*,probability=0.15,seed={seed * 10 + number}")
    s3, sagemaker = client(mock.url, "s3", 10), client(mock.url, "sagemaker", 10)
    s3.create_bucket(Bucket="data")
    text = definition(
        processing("One", "echo 1 > $OUT/n"),
        processing("Two", "echo 2 > $OUT/n", "One"),
        processing("Beside", "echo 3 > $OUT/n"),
        register("Register", "group", "Two", "Beside"),
    )
    with suppress(ClientError):  # it has no token: a second attempt after a lost answer is told that there is one
        sagemaker.create_model_package_group(ModelPackageGroupName="group")
    assert sagemaker.describe_model_package_group(ModelPackageGroupName="group")
    made = sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=text, RoleArn=ROLE, ClientRequestToken=TOKEN)
    started = [
        sagemaker.start_pipeline_execution(PipelineName="p", ClientRequestToken=TOKEN)["PipelineExecutionArn"]
        for _ in range(3)
    ]
    assert len(set(started)) == 1
    arn = started[0]
    assert arn.startswith(made["PipelineArn"])
    until(lambda: status(sagemaker, arn) != "Executing", "the end")

    rules = mock.faults()
    assert [row["struck"] for row in rules[: len(certain)]] == [1, 2]
    assert any(row["struck"] for row in rules[len(certain) :])
    mock.clear_faults()
    assert status(sagemaker, arn) == "Succeeded", steps(sagemaker, arn)
    assert len(sagemaker.list_pipelines()["PipelineSummaries"]) == 1
    assert len(sagemaker.list_pipeline_executions(PipelineName="p")["PipelineExecutionSummaries"]) == 1
    jobs = sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
    assert sorted(job["ProcessingJobName"].split("-")[2] for job in jobs) == ["Beside", "One", "Two"]
    packages = sagemaker.list_model_packages(ModelPackageGroupName="group")["ModelPackageSummaryList"]
    assert [package["ModelPackageVersion"] for package in packages] == [1]
    for name, value in (("One", b"1\n"), ("Two", b"2\n"), ("Beside", b"3\n")):
        assert s3.get_object(Bucket="data", Key=f"out/{name}/n")["Body"].read() == value


def test_a_retry_policy_finds_capacity_at_the_second_attempt(held: MockInUse) -> None:
    s3, sagemaker = client(held.url, "s3"), client(held.url, "sagemaker")
    s3.create_bucket(Bucket="data")
    held.add_fault("capacity:step/Work,count=1")
    policy = {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 600, "MaxAttempts": 3}
    text = definition(processing("Work", "date > $OUT/n", RetryPolicies=[policy]))
    sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=text, RoleArn=ROLE)
    arn = sagemaker.start_pipeline_execution(PipelineName="p")["PipelineExecutionArn"]
    held.advance(599)
    assert status(sagemaker, arn) == "Executing"
    held.advance(2)
    assert status(sagemaker, arn) == "Succeeded"
    step = steps(sagemaker, arn)["Work"]
    assert step["AttemptCount"] == 2
    jobs = sagemaker.list_processing_jobs(SortOrder="Ascending")["ProcessingJobSummaries"]
    assert [job["ProcessingJobStatus"] for job in jobs] == ["Failed", "Completed"]
    assert jobs[0]["FailureReason"].startswith("CapacityError")


def test_capacity_that_never_comes_ends_the_execution(held: MockInUse) -> None:
    s3, sagemaker = client(held.url, "s3"), client(held.url, "sagemaker")
    s3.create_bucket(Bucket="data")
    held.add_fault("capacity:step/Work")
    policy = {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 10, "BackoffRate": 2.0}
    text = definition(
        processing("Work", "true", RetryPolicies=[{**policy, "MaxAttempts": 3}]), processing("After", "true", "Work")
    )
    sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=text, RoleArn=ROLE)
    arn = sagemaker.start_pipeline_execution(PipelineName="p")["PipelineExecutionArn"]
    held.advance(10 + 20 + 40 + 1)
    found = steps(sagemaker, arn)
    assert status(sagemaker, arn) == "Failed"
    assert found.keys() == {"Work"}
    assert found["Work"]["AttemptCount"] == 4
    assert "CapacityError" in found["Work"]["FailureReason"]


CHECKPOINTED = (
    "n=$(cat /opt/ml/checkpoints/n 2>/dev/null || echo 0); "
    'while [ $n -lt 5 ]; do n=$((n+1)); echo "step $n"; echo $n > /opt/ml/checkpoints/n; sleep 0.2; done'
)


def test_spot_training_goes_on_from_its_checkpoint(held: MockInUse) -> None:
    s3, sagemaker = client(held.url, "s3"), client(held.url, "sagemaker")
    s3.create_bucket(Bucket="data")
    held.add_fault("interrupt:TrainingJob/spot,count=1,seconds=900")
    sagemaker.create_training_job(
        TrainingJobName="spot",
        AlgorithmSpecification={
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["sh", "-c", CHECKPOINTED],
        },
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": "s3://data/models"},
        CheckpointConfig={"S3Uri": "s3://data/checkpoints"},
        ResourceConfig=ONE_MACHINE,
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
    )
    held.advance(1000)
    job = sagemaker.describe_training_job(TrainingJobName="spot")
    assert job["TrainingJobStatus"] == "Completed", job
    secondary = [row["Status"] for row in job["SecondaryStatusTransitions"]]
    assert secondary.count("Training") == 2
    assert "Interrupted" in secondary
    assert job["TrainingTimeInSeconds"] == 900
    assert job["BillableTimeInSeconds"] == 0  # a held clock: the job's own work takes none of its time
    logs = client(held.url, "logs")
    streams = logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs")["logStreams"]
    lines = [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream["logStreamName"]
        )["events"]
    ]
    assert sorted(lines) == [f"step {number}" for number in range(1, 6)], "no step is done twice"


def test_a_container_that_dies_fails_its_step_and_no_other_begins(held: MockInUse) -> None:
    s3, sagemaker = client(held.url, "s3"), client(held.url, "sagemaker")
    s3.create_bucket(Bucket="data")
    held.add_fault("die:step/Work,count=1")
    policy = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 1, "MaxAttempts": 5}
    text = definition(processing("Work", "sleep 30", RetryPolicies=[policy]), processing("After", "true", "Work"))
    sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=text, RoleArn=ROLE)
    arn = sagemaker.start_pipeline_execution(PipelineName="p")["PipelineExecutionArn"]
    held.advance(5)
    found = steps(sagemaker, arn)
    assert found.keys() == {"Work"}
    assert found["Work"]["StepStatus"] == "Failed"
    assert "exit code: 137" in found["Work"]["FailureReason"]  # 128 + SIGKILL; an algorithm's error is never retried
    assert status(sagemaker, arn) == "Failed"
    assert found["Work"].get("AttemptCount", 1) == 1


def test_a_container_that_hangs_is_ended_by_its_time_limit(held: MockInUse) -> None:
    s3, sagemaker = client(held.url, "s3"), client(held.url, "sagemaker")
    s3.create_bucket(Bucket="data")
    held.add_fault("hang:step/Work")
    limit = {"StoppingCondition": {"MaxRuntimeInSeconds": 7200}}
    text = definition(processing("Work", "true", Arguments=limit))
    sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=text, RoleArn=ROLE)
    arn = sagemaker.start_pipeline_execution(PipelineName="p")["PipelineExecutionArn"]
    held.advance(7199)
    assert status(sagemaker, arn) == "Executing"
    held.advance(2)
    job = sagemaker.list_processing_jobs()["ProcessingJobSummaries"][0]
    assert job["ProcessingJobStatus"] == "Stopped"
    assert status(sagemaker, arn) in {"Stopped", "Failed"}


KILLS = 7


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = tmp_path / "server.py"
    program.write_text(STATIC_SERVER)
    made = Server(tmp_path / "state", port, program, f"mark-{uuid.uuid4().hex}")
    yield made
    made.kill()
    assert made.strays() == {}


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_again_and_again_it_ends_right(server: Server, seed: int) -> None:
    chance = random.Random(seed)
    server.start()
    s3, sagemaker = client(server.url, "s3", 3), client(server.url, "sagemaker", 3)
    until(s3.list_buckets, "the start")
    arn = _begin(server)
    kept: dict[str, bytes] = {}
    running = 0
    for number in range(KILLS):
        body = chance.randbytes(chance.randrange(1, 200_000))
        key = f"kept/{number}"
        until(partial(s3.put_object, Bucket="data", Key=key, Body=body), key)
        kept[key] = hashlib.sha256(body).digest()
        time.sleep(chance.uniform(0.0, 1.2))
        running += status(sagemaker, arn) == "Executing"
        server.kill()
        server.start()
    until(lambda: status(sagemaker, arn) != "Executing", "the end", 120)
    assert running >= 5, "kills must hit an execution that is under way"

    assert status(sagemaker, arn) == "Succeeded", steps(sagemaker, arn)
    found = steps(sagemaker, arn)
    assert {name: step["StepStatus"] for name, step in found.items()} == dict.fromkeys(
        (*(f"Step{number}" for number in range(STEPS)), "Beside", "Register"), "Succeeded"
    )
    jobs = sagemaker.list_processing_jobs(MaxResults=100)["ProcessingJobSummaries"]
    named = [job["ProcessingJobName"].split("-")[2] for job in jobs]
    assert sorted(named) == sorted([*(f"Step{number}" for number in range(STEPS)), "Beside", "Tick"])
    packages = sagemaker.list_model_packages(ModelPackageGroupName="group")["ModelPackageSummaryList"]
    assert [package["ModelPackageVersion"] for package in packages] == [1]

    until(lambda: sagemaker.list_pipeline_executions(PipelineName="tick")["PipelineExecutionSummaries"], "the schedule")
    ticks = sagemaker.list_pipeline_executions(PipelineName="tick")["PipelineExecutionSummaries"]
    assert len(ticks) == 1
    until(lambda: status(sagemaker, ticks[0]["PipelineExecutionArn"]) == "Succeeded", "the scheduled execution")

    runtime = client(server.url, "sagemaker-runtime")
    assert sagemaker.describe_endpoint(EndpointName="live")["EndpointStatus"] == "InService"
    answer = until(lambda: runtime.invoke_endpoint(EndpointName="live", Body=b"?"), "an answer")
    assert answer["Body"].read() == b"yes"
    for key, digest in kept.items():
        assert hashlib.sha256(s3.get_object(Bucket="data", Key=key)["Body"].read()).digest() == digest
    for number in range(STEPS):
        assert s3.get_object(Bucket="data", Key=f"out/Step{number}/n")["Body"].read() == b"%d\n" % number
    assert server.terminate() == 0
    assert server.strays() == {}
    assert "Traceback" not in server.log()


STEPS = 8


def _begin(server: Server) -> str:
    """An endpoint, a schedule that fires soon, and an execution of a few seconds; the execution's ARN."""
    s3, sagemaker = client(server.url, "s3"), client(server.url, "sagemaker")
    s3.create_bucket(Bucket="data")
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    sagemaker.create_model(ModelName="m", PrimaryContainer={"Image": SERVER_IMAGE}, ExecutionRoleArn=ROLE)
    variant = {"VariantName": "main", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="c")
    chain = [
        processing(
            f"Step{number}",
            f": {server.mark}; sleep 0.7; echo {number} > $OUT/n",
            *([f"Step{number - 1}"] if number else []),
        )
        for number in range(STEPS)
    ]
    text = definition(
        *chain,
        processing("Beside", f": {server.mark}; sleep 1.5", "Step0"),
        register("Register", "group", f"Step{STEPS - 1}", "Beside"),
    )
    sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=text, RoleArn=ROLE)
    tick = definition(processing("Tick", f": {server.mark}"))
    sagemaker.create_pipeline(PipelineName="tick", PipelineDefinition=tick, RoleArn=ROLE)
    due = datetime.now(UTC) + timedelta(seconds=6)
    client(server.url, "scheduler").create_schedule(
        Name="once",
        ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/tick",
            "RoleArn": ROLE,
        },
    )
    return str(sagemaker.start_pipeline_execution(PipelineName="p", ClientRequestToken=TOKEN)["PipelineExecutionArn"])
