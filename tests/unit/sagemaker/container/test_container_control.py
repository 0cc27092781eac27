"""Control steps against the SageMaker mock, by real boto3 calls; the first of a model in a process of its own."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from container_lab import Lab, port

from cloudml.mocks.port import MockOptions
from cloudml.testing.mocks import MockInUse, running_sagemaker

ROLE = "arn:aws:iam::123456789012:role/ml"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
PREDICTOR = {
    "steps.py": """
        import json
        from pathlib import Path

        def serve(model: Path, rows: list):
            slope = json.loads(model.read_text())["slope"]
            return [row["x"] * slope for row in rows]

        def judge(rows: list, predictions: list) -> None:
            assert predictions == [row["x"] * 3 for row in rows], predictions

        def strict(rows: list, predictions: list) -> None:
            raise AssertionError("not good enough")
    """
}
VERSION = {"model": "m", "group": "shop-m"}


@pytest.fixture(scope="module")
def cloud() -> Iterator[MockInUse]:
    with running_sagemaker(MockOptions(images=(f"python={sys.prefix}",))) as mock:
        yield mock


LEADS = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@cache
def _client(service: str, **leads: str) -> Any:
    """Made once: that takes longer than what it is asked."""
    url, key, secret = (leads[name] for name in LEADS)
    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret
    )


class Cloud:
    """The mock, its clients, and labs whose processes find it."""

    def __init__(self, mock: MockInUse, make: Callable[..., Lab]) -> None:
        self.mock = mock
        self.make = make
        self.count = 0

    def client(self, service: str) -> Any:
        return _client(service, **{name: self.mock.environment[name] for name in LEADS})

    def act(
        self, action: dict[str, Any], *outputs: str, sets: tuple[str, ...] = (), alone: bool = False, **artifacts: Any
    ) -> Lab:
        """Run one control step; `artifacts` are JSON inputs, each under its own name. `alone`: as a real job is."""
        self.count += 1
        lab = self.make(f"act-{self.count}")
        for name, value in artifacts.items():
            lab.artifact(lab.input(name), name, value)
        step = {"kind": "control", "prefix": "s3://bucket/shop", "project": "shop", "action": action}
        ports = [port(name, "dict") for name in outputs]
        done = (lab.run if alone else lab.call)({**step, "outputs": ports}, *sets, env=self.mock.environment)
        lab.done = done  # type: ignore[attr-defined]
        return lab


@pytest.fixture
def aws(cloud: MockInUse, tmp_path: Any) -> Cloud:
    cloud.running.reset()
    found = Cloud(cloud, lambda name: Lab(tmp_path / name / "ml", PREDICTOR))
    found.client("s3").create_bucket(Bucket="bucket")
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    found.client("iam").create_role(RoleName="ml", AssumeRolePolicyDocument=json.dumps(document))
    return found


def ok(lab: Lab) -> dict[str, Any]:
    done = lab.done  # type: ignore[attr-defined]
    assert done.returncode == 0, done.stderr + done.stdout
    return lab.result()["values"]  # type: ignore[no-any-return]


def group(aws: Cloud) -> None:
    aws.client("sagemaker").create_model_package_group(ModelPackageGroupName="shop-m")


def registering(slope: int = 3, auc: float = 0.75, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    action = {
        "name": "register", "model_name": "m", "group": "shop-m", "approval": "approved", "image": IMAGE,
        "predictor": "steps:serve", "summary": "a line", "sample": None, "model": {"input": "model", "port": "model"},
        "metrics": [{"name": "scores", "value": {"input": "scores", "port": "scores"}}],
    }  # fmt: skip
    return {**action, **more}, {"model": {"slope": slope}, "scores": {"auc": auc, "rows": 4}}


def register(aws: Cloud, *, alone: bool = False, **settings: Any) -> dict[str, Any]:
    action, artifacts = registering(**settings)
    return ok(aws.act(action, "version", sets=("run.id=run-1",), alone=alone, **artifacts))["version"]  # type: ignore[no-any-return]


def test_a_model_is_registered_once_with_its_evidence(aws: Cloud) -> None:
    group(aws)
    version = register(aws, alone=True)
    assert {name: version[name] for name in ("model", "version", "group")} == {**VERSION, "version": 1}
    assert register(aws) == version
    assert register(aws, auc=0.8)["version"] == 2
    sagemaker = aws.client("sagemaker")
    found = sagemaker.describe_model_package(ModelPackageName=version["arn"])
    assert found["ModelApprovalStatus"] == "Approved"
    metadata = found["CustomerMetadataProperties"]
    assert metadata["cloudml:metric:auc"] == "0.75"
    assert metadata["cloudml:run"] == "run-1"
    assert metadata["cloudml:digest"] == version["digest"]
    url = found["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    bucket, _, key = url.removeprefix("s3://").partition("/")
    body = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
        names = set(archive.getnames())
    expected = {"cloudml.json", "code/inference.py", "code/project/steps.py", "code/library.zip"}
    assert expected | {"model/model.json"} <= names
    assert not any("__pycache__" in name for name in names)


def test_registering_needs_the_group_that_deploy_makes(aws: Cloud) -> None:
    action, artifacts = registering()
    lab = aws.act(action, "version", **artifacts)
    assert "there is no model package group shop-m" in lab.message()


def champion(missing: str) -> dict[str, Any]:
    wanted = {"model": "m", "group": "shop-m", "metric": "auc", "alias": "champion", "missing": missing}
    condition = {"kind": "compare", "op": "gt", "left": {"literal": 0.8}, "right": {"champion": wanted}}
    return {"name": "decide", "condition": {"kind": "all", "conditions": [condition]}}


@pytest.mark.parametrize(("missing", "expected"), [("pass", True), ("fail", False)])
def test_without_a_champion_the_reference_says_what_holds(aws: Cloud, missing: str, expected: bool) -> None:
    values = ok(aws.act(champion(missing), "holds"))
    assert values["holds"] is expected
    assert "no version of m bears the alias champion" in values["why"][0]


def test_decisions_follow_the_neutral_semantics(aws: Cloud) -> None:
    leaves = [
        ({"kind": "compare", "op": "in", "left": {"literal": 2}, "right": {"literal": [1, 2]}}, True),
        ({"kind": "not", "condition": {"kind": "compare", "op": "ne", "left": {"literal": 1},
                                       "right": {"literal": 1.0}}}, True),
        ({"kind": "any", "conditions": [
            {"kind": "compare", "op": "lt", "left": {"literal": 2}, "right": {"literal": 1}},
            {"kind": "compare", "op": "ge", "left": {"literal": 2}, "right": {"literal": 2}}]}, True),
        ({"kind": "compare", "op": "eq", "left": {"literal": "a"}, "right": {"literal": "b"}}, False),
    ]  # fmt: skip
    for condition, expected in leaves:
        assert ok(aws.act({"name": "decide", "condition": condition}, "holds"))["holds"] is expected


def test_items_are_indices_and_markers_and_have_a_limit(aws: Cloud) -> None:
    action = {"name": "items", "items": {"input": "names", "port": "names"}, "limit": 3, "markers": ["mark-0"]}
    lab = aws.act(action, "items", names=["a", "b", "c"])
    values = ok(lab)
    assert (values["items"], values["indices"]) == (["a", "b", "c"], "[0, 1, 2]")
    assert json.loads((lab.outputs / "mark-0" / "items.json").read_text()) == ["a", "b", "c"]
    assert "the map has 4 items" in aws.act(action, "items", names=[1, 2, 3, 4]).message()
    assert "a map runs over a list; it was given dict" in aws.act(action, "items", names={}).message()


def test_notify_publishes_to_the_topics_of_its_channels(aws: Cloud) -> None:
    topic = aws.client("sns").create_topic(Name="ops")["TopicArn"]
    queue = aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    arn = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    alerts = [{"name": "ops", "channel": "email", "TopicArn": topic}, {"name": "log", "channel": "log"}]
    action = {"name": "notify", "alerts": alerts, "message": "auc {auc:.2f}",
              "arguments": {"auc": {"input": "s", "port": "s", "field": "auc"}}}  # fmt: skip
    ok(aws.act(action, s={"auc": 0.756}))
    messages = aws.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(messages[0]["Body"])["Message"] == "auc 0.76"


def test_a_fail_action_ends_the_job_with_its_message(aws: Cloud) -> None:
    lab = aws.act({"name": "fail", "message": "bad {x}", "arguments": {"x": {"literal": 1}}})
    assert lab.message() == "bad 1\n"


def endpoint(**more: Any) -> dict[str, Any]:
    variant = {"VariantName": "main", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    return {"name": "churn", "EndpointName": "shop-churn", "variant": variant, "model": {"role": ROLE}, **more}


def deploying(version: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "deploy", "version": {"literal": version}, "endpoint": endpoint(), "alias": "champion", **more}


def verifying(aws: Cloud, deployed: dict[str, Any], judge: str, **limits: Any) -> Lab:
    """A verify step over a table of three rows."""
    import polars as pl

    from cloudml.runtime.digest import path_digest

    aws.count += 1
    lab = aws.make(f"verify-{aws.count}")
    folder = lab.input("in-0")
    pl.DataFrame({"x": [1, 2, 4]}).write_parquet(folder / "rows.parquet")
    digest = path_digest(folder / "rows.parquet")
    record = {"name": "rows", "type": "polars.DataFrame", "format": "parquet", "digest": digest, "size": 1,
              "filename": "rows.parquet"}  # fmt: skip
    (folder / "artifact.json").write_text(json.dumps(record))
    action = {
        "name": "verify", "endpoint": {"literal": deployed}, "sample": {"input": "in-0", "port": "rows"},
        "rows": 2, "requests": 3, "p95": None, "max_error_rate": 0.0, "function": judge, **limits,
    }  # fmt: skip
    step = {"kind": "control", "action": action, "outputs": [port("report", "dict")]}
    lab.done = lab.call(step, env=aws.mock.environment)  # type: ignore[attr-defined]
    return lab


def holds_answers_against_the_limits(aws: Cloud, deployed: dict[str, Any]) -> None:
    """The project's own judge, a limit of latency, and errors, which are not asked away."""
    report = ok(verifying(aws, deployed, "steps:judge"))["report"]
    assert {name: report[name] for name in ("requests", "errors", "rows", "version")} == {
        "requests": 3, "errors": 0, "rows": 2, "version": 1,
    }  # fmt: skip
    assert verifying(aws, deployed, "steps:strict").message().startswith("AssertionError: not good enough")
    assert "p95 latency is" in verifying(aws, deployed, "steps:judge", p95=0.0001).message()
    aws.mock.add_fault("throttle:InvokeEndpoint,count=1")
    assert "ThrottlingException" in verifying(aws, deployed, "steps:judge").message()


def test_a_version_is_deployed_verified_replaced_and_its_alias_moves(aws: Cloud) -> None:
    group(aws)
    first = register(aws)
    deployed = ok(aws.act(deploying(first), "endpoint"))["endpoint"]
    assert deployed["version"] == 1
    assert aws.client("sagemaker").describe_endpoint(EndpointName="shop-churn")["EndpointStatus"] == "InService"
    assert ok(aws.act(champion("fail"), "holds"))["holds"] is True, "0.8 > 0.75"

    action = {"name": "verify", "endpoint": {"input": "endpoint", "port": "endpoint"}, "rows": 2, "requests": 3,
              "p95": None, "max_error_rate": 0.0, "function": "steps:judge", "sample": None}  # fmt: skip
    lab = aws.act(action, "report", endpoint=deployed)
    assert "there is no row to send" in lab.message(), "it was registered without a sample"
    holds_answers_against_the_limits(aws, deployed)

    again = ok(aws.act(deploying(first), "endpoint"))["endpoint"]
    assert again["deployment"] == deployed["deployment"]
    second = ok(aws.act(deploying(register(aws, slope=5, auc=0.9)), "endpoint"))["endpoint"]
    assert second["version"] == 2
    answer = aws.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="shop-churn", ContentType="application/json", Body=b'{"instances": [{"x": 2}]}'
    )
    assert json.loads(answer["Body"].read()) == {"predictions": [10]}
    assert ok(aws.act(champion("fail"), "holds"))["holds"] is False, "0.8 < 0.9"
    assert "serves by" in aws.act(action, "report", endpoint=deployed).message()


def test_a_version_that_waits_for_approval_is_not_deployed(aws: Cloud) -> None:
    group(aws)
    lab = aws.act(deploying(register(aws, approval="pending")), "endpoint")
    assert "m/1 is pending; only an approved version is deployed" in lab.message()


def test_a_broken_model_is_told_and_the_alias_stays(aws: Cloud) -> None:
    group(aws)
    broken = register(aws, predictor="steps:nothing")
    lab = aws.act(deploying(broken), "endpoint")
    assert "the endpoint shop-churn did not come into service" in lab.message()
    tags = aws.client("sagemaker").list_tags(ResourceArn=broken["arn"].replace("package/", "package-group/")[:-2])
    assert tags["Tags"] == []


def test_the_best_trial_gives_the_outputs(aws: Cloud, tmp_path: Any) -> None:
    """A real tuning job: a grid of four points, the best by hand: rate 0.5 x depth 3."""
    points = [{"rate": 0.5, "depth": 1, "kind": "a"}, {"rate": 0.25, "depth": 3, "kind": "b"},
              {"rate": 0.5, "depth": 3, "kind": "cc"}]  # fmt: skip
    source = {"steps.py": """
        from cloudml.runtime.metrics import Metrics

        class Scores(Metrics):
            auc: float

        def trial(rate: float, depth: int, kind: str) -> Scores:
            return Scores(auc=rate * depth)
    """}  # fmt: skip
    trainer = Lab(tmp_path / "trainer" / "ml", source, training=True)
    tuning = {"objective": "auc", "points": points, "width": 30}
    ports = [port("metrics", "steps.Scores", "metrics", ["auc"])]
    code = trainer.bundle({"function": "steps:trial", "outputs": ports, "tuning": tuning})
    for file in code.iterdir():
        aws.client("s3").upload_file(str(file), "bucket", f"jobs/1/{file.name}")
    place = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/jobs/1/", "S3DataDistributionType": "FullyReplicated"}
    channel = {"ChannelName": "cloudml", "DataSource": {"S3DataSource": place}}
    sagemaker = aws.client("sagemaker")
    sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="tune",
        HyperParameterTuningJobConfig={
            "Strategy": "Grid",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "objective"},
            "ResourceLimits": {"MaxParallelTrainingJobs": 2},
            "ParameterRanges": {"CategoricalParameterRanges": [
                {"Name": "cloudml_trial", "Values": [str(n) for n in range(3)]}]},
        },
        TrainingJobDefinition={
            "StaticHyperParameters": {
                "sagemaker_program": "start.py", "sagemaker_submit_directory": "/opt/ml/input/data/cloudml",
            },
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE, "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "objective", "Regex": r"cloudml:metric objective=(\S+)"}],
            },
            "RoleArn": ROLE, "InputDataConfig": [channel],
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/runs"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        },
    )  # fmt: skip
    for _ in range(300):
        found = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune")
        if found["HyperParameterTuningJobStatus"] not in ("InProgress", "Stopping"):
            break
        time.sleep(0.2)
    assert found["HyperParameterTuningJobStatus"] == "Completed", found
    action = {"name": "best", "tuning": {"set": "tuning", "type": "str"}, "objective": "auc", "direction": "maximize",
              "max_failed": 0, **tuning}  # fmt: skip
    aws.count += 1
    lab = aws.make("best")
    outputs = [*ports, port("best_parameters", "dict"), port("best_value", "float"), port("trials", "list")]
    lab.done = lab.call(  # type: ignore[attr-defined]
        {"kind": "control", "action": action, "outputs": outputs}, "tuning=tune", env=aws.mock.environment
    )
    values = ok(lab)
    assert values["best_parameters"] == points[2]
    assert (values["best_value"], values["metrics"]) == (1.5, {"auc": 1.5})
    assert values["trials"] == [
        {"number": number, "state": "succeeded", "value": one["rate"] * one["depth"], **one}
        for number, one in enumerate(points)
    ]
    assert lab.record("metrics")["filename"] == "metrics.json"
