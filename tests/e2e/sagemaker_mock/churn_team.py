"""A team that runs the churn model on SageMaker by plain boto3: its data, its events, its deployer, its customers."""

from __future__ import annotations

import csv
import io
import json
import math
import random
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from churn_definition import ACCOUNT, BUCKET, GROUP, ONE_MACHINE, PIPELINE, REGION, REGISTRY, ROLE, definition

from cloudml.testing.mocks import MockInUse, MockOptions

PROGRAMS = Path(__file__).with_name("programs")
MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
HOUR, DAY = 3600, 86_400
ENDPOINT, VARIANT, ALARM = "churn", "main", "churn-5xx"
PIPELINE_ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/{PIPELINE}"
_TRUSTED = {
    "churn-sagemaker": "sagemaker.amazonaws.com",
    "churn-events": "events.amazonaws.com",
    "churn-scheduler": "scheduler.amazonaws.com",
}

Json = dict[str, Any]
Customer = tuple[float, float, float, str]


def options() -> MockOptions:
    """A mock for the team: a held clock, and its programs in place of its images."""
    images = {
        "churn-jobs": sys.prefix,
        "churn-train": f"{sys.executable} {PROGRAMS / 'train.py'}",
        "churn-serve": f"{sys.executable} -S {PROGRAMS / 'serve.py'}",
        "churn-monitor": f"{sys.executable} -S {PROGRAMS / 'analyse.py'}",
    }
    rules = tuple(f"{name}={command}" for name, command in images.items())
    return MockOptions(hold=True, start=MONDAY, images=rules, jobs=4)


class Customers:
    """People who come, and are asked about; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def one(self, *, dearer: float = 0.0) -> Customer:
        """Tenure in months, calls to the help desk, monthly charges and contract."""
        tenure = round(self.chance.uniform(1, 72))
        calls = self.chance.randrange(6)
        charges = round(self.chance.gauss(60, 15) + dearer, 2)
        return tenure, calls, charges, self.chance.choice(("monthly", "yearly"))

    def table(self, count: int) -> str:
        """So many with what became of them, as CSV."""
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerow(("tenure", "calls", "charges", "contract", "churned"))
        for _ in range(count):
            tenure, calls, charges, contract = self.one()
            odds = -1.5 - tenure / 20 + calls * 0.9 + (charges - 60) / 20 + 1.5 * (contract == "monthly")
            writer.writerow((tenure, calls, charges, contract, int(self.chance.random() < 1 / (1 + math.exp(-odds)))))
        return file.getvalue()

    def request(self, *, dearer: float = 0.0) -> bytes:
        """What is asked about one of them."""
        tenure, calls, charges, contract = self.one(dearer=dearer)
        return f"{tenure},{calls},{charges},{int(contract == 'monthly')}".encode()


class Team:
    """Everything by boto3, against the mock."""

    def __init__(self, mock: MockInUse) -> None:
        self.mock = mock
        self.customers = Customers(11)
        self.deployed = 0
        for name, service in _TRUSTED.items():
            statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy)
        self.s3.create_bucket(Bucket=BUCKET)

    def client(self, service: str) -> Any:
        config = Config(retries={"total_max_attempts": 1})
        keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.mock.url, config=config, **keys)

    @cached_property
    def sagemaker(self) -> Any:
        return self.client("sagemaker")

    @cached_property
    def runtime(self) -> Any:
        return self.client("sagemaker-runtime")

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    @cached_property
    def events(self) -> Any:
        return self.client("events")

    @cached_property
    def sqs(self) -> Any:
        return self.client("sqs")

    def until(self, when: float) -> None:
        """Let time go on to so many seconds after the first Monday's beginning."""
        gone = (self.mock.now() - MONDAY).total_seconds()
        assert when >= gone
        while gone < when:  # a day at a time: each request to the mock is to be answered within its patience
            step = min(DAY, when - gone)
            self.mock.advance(step)
            gone += step

    # Once ----------------------------------------------------------------------------------------------------------

    def set_up(self) -> None:
        """Data, code, the model package group and the pipeline."""
        self.new_data("week-0.csv", 400)
        for program in ("prepare.py", "evaluate.py"):
            self.s3.put_object(Bucket=BUCKET, Key=f"code/{program}", Body=(PROGRAMS / program).read_bytes())
        self.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        self.sagemaker.create_pipeline(PipelineName=PIPELINE, PipelineDefinition=definition(), RoleArn=ROLE)

    def new_data(self, name: str, count: int) -> None:
        """Customers of whom it is known by now what became of them."""
        self.s3.put_object(Bucket=BUCKET, Key=f"raw/{name}", Body=self.customers.table(count).encode())

    def every_monday(self, **parameters: str) -> None:
        """EventBridge Scheduler starts the pipeline, Mondays at six."""
        values = [{"Name": name, "Value": value} for name, value in parameters.items()]
        self.client("scheduler").create_schedule(
            Name="churn-weekly",
            ScheduleExpression="cron(0 6 ? * MON *)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": PIPELINE_ARN,
                "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/churn-scheduler",
                "SageMakerPipelineParameters": {"PipelineParameterList": values},
            },
        )

    def queue(self, name: str, detail_type: str, **detail: Any) -> str:
        """A queue that receives SageMaker's events of a kind; its URL."""
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self._rule(name, detail_type, detail, {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"})
        return str(url)

    def retrain_on_drift(self, **parameters: str) -> None:
        """A monitoring job that finds violations starts the pipeline."""
        detail = {
            "ProcessingJobName": [{"prefix": "model-monitoring-"}],
            "ProcessingJobStatus": ["Completed"],
            "ExitMessage": [{"prefix": "CompletedWithViolations"}],
        }
        values = [{"Name": name, "Value": value} for name, value in parameters.items()]
        target = {
            "Arn": PIPELINE_ARN,
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/churn-events",
            "SageMakerPipelineParameters": {"PipelineParameterList": values},
        }
        self._rule("churn-drift", "SageMaker Processing Job State Change", detail, target)

    def _rule(self, name: str, detail_type: str, detail: Json, target: Json) -> None:
        pattern = {"source": ["aws.sagemaker"], "detail-type": [detail_type], **({"detail": detail} if detail else {})}
        self.events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        put = self.events.put_targets(Rule=name, Targets=[{"Id": "1", **target}])
        assert put["FailedEntryCount"] == 0

    def received(self, queue: str) -> list[Json]:
        """The events that wait in a queue, in the order of arrival; they are taken out."""
        found: list[Json] = []
        while messages := self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    # Training ------------------------------------------------------------------------------------------------------

    def executions(self) -> list[Json]:
        """Every execution of the pipeline, oldest first."""
        rows = self.sagemaker.list_pipeline_executions(PipelineName=PIPELINE, SortOrder="Ascending")
        return list(rows["PipelineExecutionSummaries"])

    def steps(self, arn: str) -> dict[str, Json]:
        """An execution's steps by name."""
        rows = self.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        return {row["StepName"]: row for row in rows}

    def trials(self, arn: str) -> list[Json]:
        """The training jobs of an execution's tuning job."""
        job = self.steps(arn)["Tune"]["Metadata"]["TuningJob"]["Arn"].rpartition("/")[2]
        call = self.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job
        return list(call(HyperParameterTuningJobName=job)["TrainingJobSummaries"])

    def packages(self) -> list[Json]:
        """The versions of the model, oldest first."""
        rows = self.sagemaker.list_model_packages(ModelPackageGroupName=GROUP, SortOrder="Ascending")
        return list(rows["ModelPackageSummaryList"])

    def approve(self, arn: str) -> None:
        """A person says yes."""
        self.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")

    def own_package(self, numbers: Json) -> str:
        """Register a model that no pipeline made, approved; its ARN."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            text = json.dumps(numbers).encode()
            member = tarfile.TarInfo("model.json")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
        key = f"models/by-hand-{len(self.packages())}/model.tar.gz"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=packed.getvalue())
        container = {"Image": f"{REGISTRY}/churn-serve:1", "ModelDataUrl": f"s3://{BUCKET}/{key}"}
        made = self.sagemaker.create_model_package(
            ModelApprovalStatus="Approved",
            ModelPackageGroupName=GROUP,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )
        return str(made["ModelPackageArn"])

    # Serving -------------------------------------------------------------------------------------------------------

    def config(self, package: str, *, instances: int = 4) -> str:
        """A model and an endpoint configuration, new ones, for a package."""
        self.deployed += 1
        name = f"churn-{self.deployed}"
        container = {"ModelPackageName": package}
        self.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        variant = {"VariantName": VARIANT, "ModelName": name, "InitialInstanceCount": instances}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[{**variant, "InstanceType": "ml.m5.large", "InitialVariantWeight": 1.0}],
            DataCaptureConfig={
                "EnableCapture": True,
                "InitialSamplingPercentage": 100,
                "DestinationS3Uri": f"s3://{BUCKET}/captured",
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
                "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
            },
        )
        return name

    def alarm(self) -> None:
        """It rings when a minute has more than two errors of the server's side."""
        self.client("cloudwatch").put_metric_alarm(
            AlarmName=ALARM,
            Namespace="AWS/SageMaker",
            MetricName="Invocation5XXErrors",
            Dimensions=[
                {"Name": "EndpointName", "Value": ENDPOINT},
                {"Name": "VariantName", "Value": VARIANT},
            ],
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=2.0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
        )

    def deploy(self, package: str) -> str:
        """Serve a package: the first time a new endpoint, later a canary of a quarter; the configuration's name."""
        config = self.config(package)
        if self.deployed == 1:
            self.sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=config)
            self.alarm()
            return config
        routing = {"Type": "CANARY", "WaitIntervalInSeconds": HOUR}
        routing["CanarySize"] = {"Type": "CAPACITY_PERCENT", "Value": 25}
        self.sagemaker.update_endpoint(
            EndpointName=ENDPOINT,
            EndpointConfigName=config,
            DeploymentConfig={
                "BlueGreenUpdatePolicy": {
                    "TrafficRoutingConfiguration": routing,
                    "TerminationWaitInSeconds": HOUR,
                    "MaximumExecutionTimeoutInSeconds": 8 * HOUR,
                },
                "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": ALARM}]},
            },
        )
        return config

    def answer_approvals(self, queue: str) -> list[str]:
        """The deployer: serve each package of whose approval an event tells; the ARNs."""
        arns = [event["detail"]["ModelPackageArn"] for event in self.received(queue)]
        for arn in arns:
            self.deploy(arn)
        return arns

    def endpoint(self) -> Json:
        return dict(self.sagemaker.describe_endpoint(EndpointName=ENDPOINT))

    def ask(self, count: int, *, dearer: float = 0.0) -> list[float]:
        """So many customers are asked about; what the endpoint answers."""
        found = []
        for _ in range(count):
            body = self.customers.request(dearer=dearer)
            answer = self.runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType="text/csv", Body=body)
            found.append(float(answer["Body"].read()))
        return found

    def who_answers(self, count: int) -> Counter[str]:
        """So many calls, by what the model says of itself, or by the status of its error."""
        found: Counter[str] = Counter()
        body = b"12,1,60,1"
        for _ in range(count):
            try:
                answer = self.runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType="text/csv", Body=body)
                found[answer.get("CustomAttributes", "")] += 1
            except self.runtime.exceptions.ModelError as error:
                found[f"error {error.response['OriginalStatusCode']}"] += 1
        return found

    def captured(self, prefix: str = "") -> Iterator[Json]:
        """The records that the endpoint captured, below a prefix such as `2026/11/02`."""
        for page in self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix=f"captured/{ENDPOINT}/{VARIANT}/{prefix}"
        ):
            for row in page.get("Contents", []):
                body = self.s3.get_object(Bucket=BUCKET, Key=row["Key"])["Body"].read()
                yield from (json.loads(line) for line in body.splitlines())

    # Monitoring ----------------------------------------------------------------------------------------------------

    def monitor(self, package: str, expression: str) -> None:
        """Hold what is asked against what a package's model was shown, by the team's own container."""
        told = self.sagemaker.describe_model_package(ModelPackageName=package)["DriftCheckBaselines"]
        baseline = told["ModelDataQuality"]
        self.sagemaker.create_data_quality_job_definition(
            JobDefinitionName="churn-drift",
            DataQualityBaselineConfig={
                "ConstraintsResource": {"S3Uri": baseline["Constraints"]["S3Uri"]},
                "StatisticsResource": {"S3Uri": baseline["Statistics"]["S3Uri"]},
            },
            DataQualityAppSpecification={"ImageUri": f"{REGISTRY}/churn-monitor:1", "ContainerArguments": ["all"]},
            DataQualityJobInput={
                "EndpointInput": {"EndpointName": ENDPOINT, "LocalPath": "/opt/ml/processing/input/endpoint"}
            },
            DataQualityJobOutputConfig={
                "MonitoringOutputs": [
                    {"S3Output": {"S3Uri": f"s3://{BUCKET}/reports", "LocalPath": "/opt/ml/processing/output"}}
                ]
            },
            JobResources={"ClusterConfig": ONE_MACHINE},
            RoleArn=ROLE,
        )
        self.sagemaker.create_monitoring_schedule(
            MonitoringScheduleName="churn-drift",
            MonitoringScheduleConfig={
                "MonitoringJobDefinitionName": "churn-drift",
                "MonitoringType": "DataQuality",
                "ScheduleConfig": {"ScheduleExpression": expression},
            },
        )

    def findings(self) -> list[Json]:
        """The monitor's executions, oldest first."""
        pages = self.sagemaker.get_paginator("list_monitoring_executions").paginate(
            MonitoringScheduleName="churn-drift", SortBy="ScheduledTime", SortOrder="Ascending"
        )
        return [row for page in pages for row in page["MonitoringExecutionSummaries"]]
