"""What endpoints leave behind: captured data, copies to shadows, asynchronous results and notifications."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_host import TYPE, Host, until
from mock_clients import SCOPE

from cloudml_sagemaker.mock.hosting.backlog import Backlog

CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://data/capture",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
}


def lines(host: Host, prefix: str) -> list[dict[str, Any]]:
    """Every captured record below the prefix."""
    found = []
    for key in host.keys("data", prefix):
        text = host.s3.get_object(Bucket="data", Key=key)["Body"].read().decode()
        found += [json.loads(line) for line in text.splitlines()]
    return found


def test_captured_data_has_the_documented_form_and_path(still: Host) -> None:
    still.bucket()
    still.endpoint(DataCaptureConfig=CAPTURE)
    still.invoke("1,2", ContentType="text/csv; charset=utf-8", InferenceId="id-1", CustomAttributes="a=b")
    still.invoke("\x00", ContentType="application/x-npy")
    now = still.mock.world.clock.now()
    still.advance(60)
    keys = still.keys("data")
    assert len(keys) == 1
    assert re.fullmatch(rf"capture/live/main/{now:%Y/%m/%d}/\d\d/\d\d-\d\d-\d{{3}}-[0-9a-f-]{{36}}\.jsonl", keys[0]), (
        keys
    )
    first, second = lines(still, "capture/live/main/")
    assert first["captureData"] == {
        "endpointInput": {
            "observedContentType": "text/csv; charset=utf-8",
            "mode": "INPUT",
            "data": "1,2",
            "encoding": "CSV",
        },
        "endpointOutput": {"observedContentType": "text/csv", "mode": "OUTPUT", "data": "old:1,2", "encoding": "CSV"},
    }
    event = first["eventMetadata"]
    assert (event["inferenceId"], event["customAttributes"]) == ("id-1", ["a=b"])
    assert event["inferenceTime"] == f"{now:%Y-%m-%dT%H:%M:%SZ}"
    assert first["eventVersion"] == "0"
    given = second["captureData"]["endpointInput"]
    assert (given["encoding"], base64.b64decode(given["data"])) == ("BASE64", b"\x00")
    assert still.describe()["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 100,
        "DestinationS3Uri": "s3://data/capture",
        "KmsKeyId": "",
    }


def test_a_sample_of_the_inputs_only(still: Host) -> None:
    still.bucket()
    settings = {**CAPTURE, "InitialSamplingPercentage": 25, "CaptureOptions": [{"CaptureMode": "Input"}]}
    still.endpoint(DataCaptureConfig=settings)
    for number in range(40):
        still.invoke(str(number), ContentType="text/csv")
    with pytest.raises(still.runtime.exceptions.ModelError):
        still.invoke("status:500", ContentType="text/csv")
    still.advance(60)
    found = lines(still, "capture/live/main/")
    assert len(found) == 10
    assert all(set(line["captureData"]) == {"endpointInput"} for line in found)


def test_captured_data_lies_under_the_hour_of_the_invocation(still: Host) -> None:
    still.bucket()
    still.endpoint(DataCaptureConfig=CAPTURE)
    now = still.mock.world.clock.now()
    still.advance(3600 - (now.minute * 60 + now.second) - 30)
    before = still.mock.world.clock.now()
    still.invoke("1")
    still.advance(40)
    after = still.mock.world.clock.now()
    assert (after.hour - before.hour) % 24 == 1
    still.invoke("2")
    still.advance(60)
    # The first was written when the next hour had begun already.
    found = {key.rpartition("/")[0]: lines(still, key) for key in still.keys("data")}
    hours = [f"capture/live/main/{when:%Y/%m/%d/%H}" for when in (before, after)]
    assert {folder: len(records) for folder, records in found.items()} == dict.fromkeys(hours, 1)


def test_what_is_captured_is_written_when_the_endpoint_goes(still: Host) -> None:
    still.bucket()
    still.endpoint(DataCaptureConfig=CAPTURE)
    still.invoke("1")
    still.sagemaker.delete_endpoint(EndpointName="live")
    still.settle()
    assert len(lines(still, "capture/live/main/")) == 1


def test_a_shadow_gets_copies_and_its_answers_are_only_recorded(still: Host) -> None:
    still.bucket()
    still.model("a", "production:")
    still.model("b", "shadow:")
    shadow = {
        "VariantName": "shadow",
        "ModelName": "b",
        "InitialInstanceCount": 1,
        "InstanceType": TYPE,
        "InitialVariantWeight": 0.5,
    }
    still.config(
        "c",
        {"ModelName": "a", "InitialVariantWeight": 1.0},
        ShadowProductionVariants=[shadow],
        DataCaptureConfig=CAPTURE,
    )
    still.create("live", "c")
    assert still.describe()["ShadowProductionVariants"][0]["VariantName"] == "shadow"
    assert {still.invoke(str(number)) for number in range(20)} == {f"production:{number}" for number in range(20)}
    still.settle()
    still.advance(60)
    assert len(lines(still, "capture/live/main/")) == 20
    copies = lines(still, "capture/live/shadow/")
    # Half of the production variant's weight: half of its requests.
    assert len(copies) == pytest.approx(10, abs=1)
    assert copies[0]["captureData"]["endpointOutput"]["data"].startswith("shadow:")


@pytest.fixture
def queue(host: Host) -> tuple[str, Any]:
    """A topic with a queue behind it: what is published comes out of the second."""
    sns, sqs = host.client("sns"), host.client("sqs")
    topic = sns.create_topic(Name="results")["TopicArn"]
    url = sqs.create_queue(QueueName="results")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def receive() -> dict[str, Any]:
        found = until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), "the notification")
        sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
        return dict(json.loads(json.loads(found[0]["Body"])["Message"]))

    return topic, receive


def test_asynchronous_inference(host: Host, queue: tuple[str, Any]) -> None:
    topic, receive = queue
    host.bucket()
    notify = {"SuccessTopic": topic, "ErrorTopic": topic}
    output = {"S3OutputPath": "s3://data/out", "S3FailurePath": "s3://data/bad", "NotificationConfig": notify}
    host.endpoint(AsyncInferenceConfig={"OutputConfig": output})
    host.s3.put_object(Bucket="data", Key="in/1.csv", Body=b"1,2")
    answer = host.runtime.invoke_endpoint_async(
        EndpointName="live", InputLocation="s3://data/in/1.csv", ContentType="text/csv", InferenceId="mine"
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["InferenceId"] == "mine"
    assert answer["OutputLocation"] == "s3://data/out/mine.out"
    told = receive()
    assert (told["invocationStatus"], told["inferenceId"]) == ("Completed", "mine")
    assert told["responseParameters"] == {"contentType": "text/csv", "outputLocation": answer["OutputLocation"]}
    assert told["requestParameters"]["inputLocation"] == "s3://data/in/1.csv"
    key = answer["OutputLocation"].removeprefix("s3://data/")
    assert host.s3.get_object(Bucket="data", Key=key)["Body"].read() == b"old:1,2"
    host.s3.put_object(Bucket="data", Key="in/2.csv", Body=b"status:400")
    answer = host.runtime.invoke_endpoint_async(EndpointName="live", InputLocation="s3://data/in/2.csv")
    told = receive()
    assert told["invocationStatus"] == "Failed"
    assert "client error (400)" in told["failureReason"]
    key = answer["FailureLocation"].removeprefix("s3://data/")
    assert b"client error (400)" in host.s3.get_object(Bucket="data", Key=key)["Body"].read()
    host.runtime.invoke_endpoint_async(EndpointName="live", InputLocation="s3://data/in/3.csv")
    assert receive()["invocationStatus"] == "Failed"
    with pytest.raises(ClientError, match="asynchronous"):
        host.invoke()


def test_an_ordinary_endpoint_takes_no_asynchronous_request(host: Host) -> None:
    host.endpoint()
    with pytest.raises(ClientError, match="not asynchronous"):
        host.runtime.invoke_endpoint_async(EndpointName="live", InputLocation="s3://data/in/1.csv")


def test_no_more_asynchronous_requests_at_a_time_than_the_configuration_says(host: Host) -> None:
    host.bucket()
    client = {"MaxConcurrentInvocationsPerInstance": 1}
    host.endpoint(AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": "s3://data/out"}, "ClientConfig": client})
    server = host.mock.world.rooms["hosting"].server(SCOPE, "live", "1", "main")
    real = server.request
    under_way: list[int] = []
    seen: list[int] = []

    def request(*args: Any, **more: Any) -> Any:
        under_way.append(1)
        seen.append(len(under_way))
        try:
            return real(*args, **more)
        finally:
            under_way.pop()

    server.request = request
    for number in range(4):
        host.s3.put_object(Bucket="data", Key=f"in/{number}", Body=b"sleep:0.1")
    for number in range(4):
        host.runtime.invoke_endpoint_async(EndpointName="live", InputLocation=f"s3://data/in/{number}")
    until(lambda: len(host.keys("data", "out/")) == 4, "the answers")
    assert seen == [1, 1, 1, 1]


def test_a_backlog_gives_turns_in_order() -> None:
    backlog, key = Backlog(), (SCOPE, "live")
    told: list[str] = []
    assert backlog.enter(key, 2, lambda: None)
    assert backlog.enter(key, 2, lambda: None)
    assert not backlog.enter(key, 2, lambda: told.append("third"))
    assert not backlog.enter(key, 2, lambda: told.append("fourth"))
    assert backlog.enter((SCOPE, "other"), 1, lambda: None)
    for _ in range(2):
        following = backlog.leave(key)
        assert following is not None
        following()
    assert told == ["third", "fourth"]
    assert backlog.enter(key, 1, lambda: None)
    assert backlog.leave(key) is None


def test_only_an_asynchronous_variant_scales_to_zero(host: Host) -> None:
    none = [{"VariantName": "main", "DesiredInstanceCount": 0}]
    host.endpoint(AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": "s3://data/out"}})
    host.sagemaker.update_endpoint_weights_and_capacities(EndpointName="live", DesiredWeightsAndCapacities=none)
    assert host.wait() == "InService"
    assert host.describe()["ProductionVariants"][0]["CurrentInstanceCount"] == 0
    host.endpoint("plain")
    with pytest.raises(ClientError, match="must be at least 1"):
        host.sagemaker.update_endpoint_weights_and_capacities(EndpointName="plain", DesiredWeightsAndCapacities=none)
