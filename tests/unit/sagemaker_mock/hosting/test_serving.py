"""Endpoints serve: real processes, the container contract, answers and errors as the runtime API has them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from hosting_host import TYPE, Host, archive, until
from mock_clients import IMAGE, ROLE

from cloudml_sagemaker.mock.hosting.containers import ModelServer
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_an_endpoint_answers(host: Host) -> None:
    host.endpoint()
    answer = host.runtime.invoke_endpoint(
        EndpointName="live", Body=b"1,2", ContentType="text/csv", CustomAttributes="trace=7"
    )
    assert answer["Body"].read() == b"old:1,2"
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/csv", "main")
    assert answer["CustomAttributes"] == "trace=7"
    shown = host.describe()
    assert shown["EndpointArn"] == "arn:aws:sagemaker:us-east-1:123456789012:endpoint/live"
    variant = shown["ProductionVariants"][0]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"], variant["CurrentWeight"]) == (1, 1, 1.0)
    assert variant["DeployedImages"][0]["SpecifiedImage"] == IMAGE


def test_the_container_sees_what_the_contract_says(host: Host) -> None:
    host.bucket()
    packed = archive({"weights.txt": "w", "code/inference.py": "pass"})
    host.s3.put_object(Bucket="data", Key="m/model.tar.gz", Body=packed)
    host.model("m", ModelDataUrl="s3://data/m/model.tar.gz", Environment={"MINE": "yes"})
    host.create("live", host.config("c", {"ModelName": "m"}))
    assert json.loads(host.invoke("model")) == {"weights.txt": "w", "code/inference.py": "pass"}
    environment = json.loads(host.invoke("environment"))
    assert environment["MINE"] == "yes"
    assert environment["AWS_ENDPOINT_URL"] == host.mock.url
    sent = json.loads(host.invoke("headers", ContentType="text/csv", Accept="application/json", InferenceId="7"))
    assert (sent["Content-Type"], sent["Accept"]) == ("text/csv", "application/json")
    assert sent["X-Amzn-SageMaker-Inference-Id"] == "7"
    logs = host.client("logs")
    group = "/aws/sagemaker/Endpoints/live"
    stream = until(lambda: _streams(logs, group), "the log")[0]["logStreamName"]
    assert stream.startswith("main/i-")
    lines = logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]
    assert lines[0]["message"] == "arguments ['serve']"


def _streams(logs: object, group: str) -> list[dict[str, str]]:
    try:
        return list(logs.describe_log_streams(logGroupName=group)["logStreams"])  # type: ignore[attr-defined]
    except ClientError:
        return []


def test_uncompressed_model_data(host: Host) -> None:
    host.bucket()
    host.s3.put_object(Bucket="data", Key="m/a/w.txt", Body=b"w")
    source = {"S3Uri": "s3://data/m/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    host.model("m", ModelDataSource={"S3DataSource": source})
    host.create("live", host.config("c", {"ModelName": "m"}))
    assert json.loads(host.invoke("model")) == {"a/w.txt": "w"}


def test_an_archive_that_leaves_its_folder_is_refused(host: Host) -> None:
    host.bucket()
    host.s3.put_object(Bucket="data", Key="model.tar.gz", Body=archive({"../../evil.txt": "x"}))
    host.model("m", ModelDataUrl="s3://data/model.tar.gz")
    host.config("c", {"ModelName": "m"})
    host.sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="c")
    assert host.wait() == "Failed"
    assert "Failed to extract model data archive" in host.describe()["FailureReason"]
    assert not list(host.mock.world.folder.rglob("evil.txt"))


def test_a_variant_may_give_its_container_more_than_four_minutes(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []
    real = ModelServer.start

    def start(self: ModelServer, patience: float = 0.0) -> None:
        given.append(patience)
        real(self, patience)

    monkeypatch.setattr(ModelServer, "start", start)
    host.endpoint("usual")
    host.config("slow", {"ModelName": "usual-model", "ContainerStartupHealthCheckTimeoutInSeconds": 900})
    host.create("patient", "slow")
    assert given == [240, 900]


@pytest.mark.parametrize("trouble", [{"PING_STATUS": "500"}, {"DIE_AT_START": "1"}])
def test_a_container_without_health_fails_the_endpoint(host: Host, trouble: dict[str, str]) -> None:
    host.mock.world.rooms["hosting"].patience = 0.6
    host.model("m", Environment=trouble)
    host.config("c", {"ModelName": "m"})
    host.sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="c")
    assert host.wait() == "Failed"
    assert host.describe()["FailureReason"] == (
        "The primary container for production variant main did not pass the ping health check. Please check "
        "CloudWatch logs for this endpoint."
    )
    with pytest.raises(ClientError, match="Cannot update failed endpoint"):
        host.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="c")
    host.sagemaker.delete_endpoint(EndpointName="live")
    until(lambda: not host.sagemaker.list_endpoints()["Endpoints"], "the deletion")


def test_a_model_that_refuses_is_a_model_error(host: Host) -> None:
    host.endpoint()
    for status, kind in ((400, "client"), (503, "server")):
        with pytest.raises(host.runtime.exceptions.ModelError) as error:
            host.invoke(f"status:{status}")
        response = error.value.response
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
        assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (status, "no good")
        assert f'Received {kind} error ({status}) from primary with message "no good"' in str(error.value)
        assert response["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/live")


def test_a_model_that_takes_too_long(host: Host) -> None:
    host.endpoint()
    host.mock.world.rooms["hosting"].invocation_seconds = 0.3
    with pytest.raises(host.runtime.exceptions.ModelError, match="Your invocation timed out while waiting"):
        host.invoke("sleep:2")


def test_a_container_that_dies_is_started_again(host: Host) -> None:
    host.endpoint()
    with pytest.raises(host.runtime.exceptions.ModelError, match="model process exited"):
        host.invoke("die")

    def answers() -> bool:
        try:
            return host.invoke("x") == "old:x"
        except ClientError as error:
            return error.response["Error"]["Code"] not in {"ModelError", "ServiceUnavailable"}

    until(answers, "the new container")
    assert host.invoke("x") == "old:x"
    assert host.status() == "InService"


def test_what_the_runtime_refuses(host: Host) -> None:
    with pytest.raises(ClientError) as error:
        host.invoke(name="nothing")
    assert refusal(error) == ("ValidationError", 400)
    assert "Endpoint nothing of account 123456789012 not found." in str(error.value)
    host.endpoint()
    for more in (
        {"TargetVariant": "other"},
        {"TargetModel": "a.tar.gz"},
        {"TargetContainerHostname": "a"},
        {"InferenceComponentName": "a"},
    ):
        with pytest.raises(ClientError) as error:
            host.invoke(**more)
        assert refusal(error) == ("ValidationError", 400), more
    for name, body in (("a_b", "x"), ("live", "x" * (6 * 1024 * 1024 + 1))):
        with pytest.raises(ClientError, match="1 validation error detected: Value") as error:
            host.invoke(body, name)
        assert refusal(error) == ("ValidationError", 400)
    with pytest.raises(host.runtime.exceptions.ModelError, match="exceeds"):
        host.invoke(f"big:{6 * 1024 * 1024 + 1}")
    assert len(host.invoke(f"big:{6 * 1024 * 1024}")) == 6 * 1024 * 1024


def test_traffic_follows_the_weights(host: Host) -> None:
    host.model("a", "a")
    host.model("b", "b")
    host.create(
        "live",
        host.config(
            "c",
            {"VariantName": "A", "ModelName": "a", "InitialVariantWeight": 3},
            {"VariantName": "B", "ModelName": "b", "InitialVariantWeight": 1},
        ),
    )
    split = host.split(80)
    assert split["a"] == pytest.approx(60, abs=3)
    assert host.invoke("", TargetVariant="B") == "b"
    host.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="live",
        DesiredWeightsAndCapacities=[
            {"VariantName": "A", "DesiredWeight": 0},
            {"VariantName": "B", "DesiredInstanceCount": 4},
        ],
    )
    assert host.wait() == "InService"
    assert host.split(20) == {"b": 20}
    assert host.invoke("", TargetVariant="A") == "a"
    shown = {row["VariantName"]: row for row in host.describe()["ProductionVariants"]}
    assert (shown["A"]["CurrentWeight"], shown["B"]["CurrentInstanceCount"]) == (0, 4)
    with pytest.raises(ClientError, match="not present within endpoint configuration"):
        host.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="live", DesiredWeightsAndCapacities=[{"VariantName": "C", "DesiredWeight": 1}]
        )


def test_an_inference_pipeline_passes_answers_on(host: Host) -> None:
    containers = [{"Image": IMAGE, "Environment": {"ANSWER": f"{number}"}} for number in (1, 2, 3)]
    host.sagemaker.create_model(ModelName="p", Containers=containers, ExecutionRoleArn=ROLE)
    host.create("live", host.config("c", {"ModelName": "p"}))
    assert host.invoke("x") == "321x"
    with pytest.raises(host.runtime.exceptions.ModelError, match="container-1"):
        host.invoke("status:400")


def test_direct_mode_asks_one_container(host: Host) -> None:
    containers = [
        {"Image": IMAGE, "ContainerHostname": name, "Environment": {"ANSWER": name}} for name in ("one", "two")
    ]
    host.sagemaker.create_model(
        ModelName="p", Containers=containers, InferenceExecutionConfig={"Mode": "Direct"}, ExecutionRoleArn=ROLE
    )
    host.create("live", host.config("c", {"ModelName": "p"}))
    assert host.invoke("!", TargetContainerHostname="two") == "two!"
    with pytest.raises(ClientError, match="TargetContainerHostname"):
        host.invoke("!")


def test_many_models_in_one_container(host: Host) -> None:
    host.bucket()
    for name in ("a", "b"):
        host.s3.put_object(Bucket="data", Key=f"all/{name}.tar.gz", Body=archive({"name.txt": name}))
    host.model("m", Mode="MultiModel", ModelDataUrl="s3://data/all/")
    host.create("live", host.config("c", {"ModelName": "m"}))
    # The server has room for one model: the other one is unloaded each time.
    assert [host.invoke("1", TargetModel=f"{name}.tar.gz") for name in "abba"] == ["a:1", "b:1", "b:1", "a:1"]
    with pytest.raises(ClientError, match="Failed to download model data"):
        host.invoke("1", TargetModel="c.tar.gz")
    with pytest.raises(ClientError, match="TargetModel is required"):
        host.invoke("1")


def test_a_streamed_answer_comes_in_parts(host: Host) -> None:
    host.endpoint()
    answer = host.runtime.invoke_endpoint_with_response_stream(EndpointName="live", Body=b"stream:a,bc,d")
    parts = [event["PayloadPart"]["Bytes"] for event in answer["Body"]]
    assert b"".join(parts) == b"abcd"
    assert len(parts) > 1
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/plain", "main")
    with pytest.raises(host.runtime.exceptions.ModelError):
        host.runtime.invoke_endpoint_with_response_stream(EndpointName="live", Body=b"status:500")


def test_deleting_ends_everything(host: Host) -> None:
    host.endpoint()
    server = host.mock.world.rooms["hosting"].server(*_key(host))
    process = server.containers[0].process
    host.sagemaker.delete_endpoint(EndpointName="live")
    until(lambda: not host.sagemaker.list_endpoints()["Endpoints"], "the deletion")
    assert process.wait(0) is not None
    with pytest.raises(ClientError, match='Could not find endpoint "arn:aws:sagemaker:us-east-1:123456789012:endpoint'):
        host.describe()
    with pytest.raises(ClientError, match="not found"):
        host.invoke()
    assert not (host.mock.world.folder / "endpoints" / "123456789012" / "us-east-1" / "live" / "1" / "main").exists()


def _key(host: Host) -> tuple[object, str, str, str]:
    from hosting_host import SCOPE

    return (SCOPE, "live", "1", "main")


def test_a_serverless_endpoint(host: Host) -> None:
    host.model("m", "s:")
    host.sagemaker.create_endpoint_config(
        EndpointConfigName="c",
        ProductionVariants=[
            {"VariantName": "main", "ModelName": "m", "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}
        ],
    )
    host.create("live", "c")
    assert host.invoke("x") == "s:x"
    variant = host.describe()["ProductionVariants"][0]
    assert variant["CurrentServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    assert "CurrentInstanceCount" not in variant
    with pytest.raises(ClientError, match="4194304"):
        host.invoke("x" * (4 * 1024 * 1024 + 1))


def test_serving_without_isolation(options: Options) -> None:
    mock = start(replace(options, isolation="paths"))
    try:
        host = Host(mock)
        host.bucket()
        host.s3.put_object(Bucket="data", Key="model.tar.gz", Body=archive({"w.txt": "w"}))
        for name in ("one", "two"):
            host.model(name, f"{name}:", ModelDataUrl="s3://data/model.tar.gz")
            host.create(name, host.config(f"{name}-config", {"ModelName": name}))
        assert [host.invoke("x", name) for name in ("one", "two")] == ["one:x", "two:x"]
    finally:
        mock.stop()


def test_no_capacity(host: Host) -> None:
    faults = host.mock.world.faults
    faults.add(faults.parse("endpoint-capacity:live,count=1"))
    host.model("m")
    host.config("c", {"ModelName": "m", "InstanceType": TYPE})
    host.sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="c")
    assert host.wait() == "Failed"
    assert "InsufficientInstanceCapacity" in host.describe()["FailureReason"]


def test_the_payload_limit_is_a_switch(host: Host) -> None:
    host.endpoint()
    host.mock.world.switches.set("payload-limit", "25-mb")
    assert len(host.invoke("x" * (7 * 1024 * 1024))) == 7 * 1024 * 1024 + len("old:")
    with pytest.raises(ClientError, match="26214400"):
        host.invoke("x" * (25 * 1024 * 1024 + 1))


def test_variants_of_many_endpoints_all_listen_on_8080(host: Host) -> None:
    host.model("m", "m:")
    host.config("c", {"ModelName": "m"})
    names = [f"e{number}" for number in range(4)]
    for name in names:
        host.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName="c")
    assert {host.wait(name) for name in names} == {"InService"}
    assert {host.invoke("1", name) for name in names} == {"m:1"}
    listed = host.sagemaker.list_endpoints(StatusEquals="InService", SortBy="Name", SortOrder="Ascending")
    assert [row["EndpointName"] for row in listed["Endpoints"]] == names


def test_the_waiters_of_boto3(host: Host) -> None:
    host.model("m")
    host.config("c", {"ModelName": "m"})
    host.sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="c")
    often = {"Delay": 0.1, "MaxAttempts": 100}
    host.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="live", WaiterConfig=often)
    host.sagemaker.delete_endpoint(EndpointName="live")
    host.sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="live", WaiterConfig=often)
