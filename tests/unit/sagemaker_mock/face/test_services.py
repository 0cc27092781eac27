"""Which service answers, and how a refusal looks in each of AWS's protocols, as botocore's parsers read it."""

from __future__ import annotations

import io
import json
from typing import Any

import boto3
import pytest
from asking import AUTHORIZATION, Ask
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from mock_clients import client

from cloudml_sagemaker.mock.core.operations import OPERATIONS
from cloudml_sagemaker.mock.face.incoming import XML_SERVICES, receive
from cloudml_sagemaker.mock.face.passed import PASSED
from cloudml_sagemaker.mock.start import Mock
from cloudml_sagemaker.service.model import operation_names

UNSERVED = [
    ("iam", "simulate_principal_policy", {"PolicySourceArn": "arn:aws:iam::1:role/x", "ActionNames": ["s3:Get"]}),
    ("ec2", "describe_capacity_blocks", {}),
    ("cloudwatch", "get_metric_stream", {"Name": "x"}),
    ("route53", "list_cidr_blocks", {"CollectionId": "x"}),
    ("sagemaker", "create_project", {"ProjectName": "p"}),
    ("translate", "list_languages", {}),
    ("translate", "describe_text_translation_job", {"JobId": "1"}),
]


@pytest.mark.parametrize(("service", "operation", "params"), UNSERVED)
def test_what_nobody_serves_is_refused_by_name(
    shared: Mock, service: str, operation: str, params: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(client(shared.url, service), operation)(**params)
    answer = caught.value.response
    assert answer["Error"]["Code"] == "NotImplemented"
    assert operation.replace("_", "") in answer["Error"]["Message"].lower()
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("service", ["sagemaker", "iam", "ec2", "s3", "cloudwatch", "scheduler", "sqs", "route53"])
def test_every_protocol_carries_code_and_message(shared: Mock, service: str) -> None:
    """The parser of botocore that belongs to the service's protocol reads our throttling."""
    calls = {
        "sagemaker": "list_models", "iam": "list_roles", "ec2": "describe_vpcs", "s3": "list_buckets",
        "cloudwatch": "list_metrics", "scheduler": "list_schedules", "sqs": "list_queues",
        "route53": "list_hosted_zones",
    }  # fmt: skip
    shared.world.faults.add(shared.world.faults.parse("unavailable:*,count=1"))
    with pytest.raises(ClientError) as caught:
        getattr(client(shared.url, service), calls[service])()
    answer = caught.value.response
    assert answer["Error"]["Code"] == "ServiceUnavailable"
    assert "temporary failure" in answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503
    shared.world.faults.clear()


def test_the_services_that_speak_xml_are_those_of_botocore() -> None:
    loader, found = Loader(), set()
    for service in ("s3", "s3control", "cloudfront", "route53", "route53domains", "lambda", "scheduler", "ecr"):
        metadata = loader.load_service_model(service, "service-2")["metadata"]
        if metadata["protocol"] == "rest-xml":
            found.add(metadata.get("signingName", metadata["endpointPrefix"]))
    assert found <= XML_SERVICES
    assert "lambda" not in XML_SERVICES


def test_operations_of_sagemaker_that_are_passed_on_exist_there_and_in_moto() -> None:
    from botocore import xform_name
    from moto.sagemaker.responses import SageMakerResponse

    assert set(PASSED) <= operation_names()
    assert [name for name in PASSED if not hasattr(SageMakerResponse, xform_name(name))] == []


def test_a_passed_operation_is_held_against_the_model_first(shared: Mock) -> None:
    sagemaker = client(shared.url, "sagemaker")
    with pytest.raises(ClientError, match="Member must satisfy regular expression pattern"):
        sagemaker.create_model_card(ModelCardName="bad name!", Content="{}", ModelCardStatus="Draft")
    sagemaker.create_model_card(ModelCardName="card", Content="{}", ModelCardStatus="Draft")
    arn = sagemaker.describe_model_card(ModelCardName="card")["ModelCardArn"]
    assert arn.endswith(":model-card/card")


def test_tags_of_what_moto_keeps_are_kept_by_moto(shared: Mock) -> None:
    sagemaker = client(shared.url, "sagemaker")
    arn = sagemaker.create_notebook_instance(
        NotebookInstanceName="n",
        InstanceType="ml.t2.medium",
        RoleArn="arn:aws:iam::123456789012:role/ml",
        Tags=[{"Key": "a", "Value": "1"}],
    )["NotebookInstanceArn"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]


def test_an_unknown_operation_is_that(ask: Ask) -> None:
    status, headers, body = ask("POST", "/", {}, "sagemaker", X_Amz_Target="SageMaker.MakeCoffee")
    assert status == 404
    assert json.loads(body)["__type"] == "UnknownOperationException"
    assert headers["x-amzn-requestid"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff\xfe", b"NaN", b'{"a": NaN}', b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_a_clients_mistake(ask: Ask, body: bytes) -> None:
    status, _, answer = ask("POST", "/", body, "sagemaker", X_Amz_Target="SageMaker.ListTags")
    assert status == 400
    assert json.loads(answer)["__type"] == "SerializationException"


def test_unsigned_requests_and_other_content_types_are_answered_too(ask: Ask) -> None:
    params = {"ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:model/none"}
    for headers in ({}, {"Content_Type": "text/html"}, {"Content_Type": "application/x-www-form-urlencoded"}):
        status, _, body = ask("POST", "/", params, X_Amz_Target="SageMaker.ListTags", **headers)
        assert (status, json.loads(body)["__type"]) == (400, "ValidationException")


@pytest.mark.parametrize(
    "credential",
    ["", "Credential=", "Credential=a/b/c", "Credential=a/b/c/d/e/f/g", "AWS4-HMAC-SHA256 garbage", "Bearer x"],
)
def test_odd_signatures_never_make_a_server_error(ask: Ask, credential: str) -> None:
    status, _, _ = ask("POST", "/", {}, X_Amz_Target="SageMaker.ListTags", Authorization=credential)
    assert 400 <= status < 500 or status == 501


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "BREW", "OPTIONS"])
def test_odd_methods_and_paths_of_sagemaker_are_refused(ask: Ask, method: str) -> None:
    for path in ("/", "/endpoints/x/invocations", "/endpoints//invocations", "/BatchPutMetrics/x", "/%00"):
        status, _, body = ask(method, path, b"", "sagemaker")
        assert status in {400, 404, 501}
        assert json.loads(body)["message"]


def test_a_dynamodb_request_without_a_target_is_refused(ask: Ask) -> None:
    status, _, _ = ask("POST", "/", b"", "dynamodb")
    assert status == 400


def test_presigned_urls_and_virtual_hosts_of_s3(shared: Mock, ask: Ask) -> None:
    s3 = client(shared.url, "s3")
    s3.create_bucket(Bucket="signed")
    s3.put_object(Bucket="signed", Key="k", Body=b"content")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "signed", "Key": "k"})
    assert ask("GET", url.removeprefix(shared.url))[2] == b"content"


@pytest.mark.parametrize("key", ["a\nb", "\nlead", "end\n", "deep/\n/x", "\n"])
def test_keys_of_s3_may_have_line_feeds(shared: Mock, key: str) -> None:
    s3 = client(shared.url, "s3")
    bucket = f"lines-{len(key)}-{key.find(chr(10))}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    s3.copy_object(Bucket=bucket, Key=f"{key}2", CopySource={"Bucket": bucket, "Key": key})
    assert s3.get_object(Bucket=bucket, Key=f"{key}2")["Body"].read() == b"1"
    assert {found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]} == {key, f"{key}2"}
    s3.delete_object(Bucket=bucket, Key=key)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_accounts_are_apart_by_the_role_that_was_assumed(shared: Mock) -> None:
    sts = client(shared.url, "sts")
    given = sts.assume_role(RoleArn="arn:aws:iam::222233334444:role/x", RoleSessionName="s")["Credentials"]
    other = boto3.client(
        "sagemaker",
        region_name="eu-west-1",
        endpoint_url=shared.url,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    arn = other.create_model_package_group(ModelPackageGroupName="g")["ModelPackageGroupArn"]
    assert arn == "arn:aws:sagemaker:eu-west-1:222233334444:model-package-group/g"
    assert client(shared.url, "sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_iam_changes_are_counted_reads_are_not(shared: Mock) -> None:
    iam = client(shared.url, "iam")
    before = shared.world.aws.changes
    iam.list_roles()
    assert shared.world.aws.changes == before
    iam.create_user(UserName="u")
    assert shared.world.aws.changes == before + 1


REST = [
    ("s3", "GET", "/", "", "ListBuckets"),
    ("s3", "PUT", "/b", "", "CreateBucket"),
    ("s3", "PUT", "/b/k/with/parts", "", "PutObject"),
    ("s3", "PUT", "/b/k", "partNumber=1&uploadId=x", "UploadPart"),
    ("s3", "POST", "/b/k", "uploads", "CreateMultipartUpload"),
    ("s3", "GET", "/b", "list-type=2&prefix=x", "ListObjectsV2"),
    ("s3", "GET", "/b/k", "", "GetObject"),
    ("s3", "HEAD", "/b/k", "", "HeadObject"),
    ("s3", "POST", "/b", "delete", "DeleteObjects"),
    ("lambda", "GET", "/2015-03-31/functions/f", "", "GetFunction"),
    ("scheduler", "POST", "/schedules/n", "", "CreateSchedule"),
    ("nonsense", "GET", "/", "", ""),
]


@pytest.mark.parametrize(("service", "method", "path", "query", "operation"), REST)
def test_rest_operations_are_told_by_the_service_model(
    service: str, method: str, path: str, query: str, operation: str
) -> None:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_AUTHORIZATION": AUTHORIZATION.format(service=service),
        "wsgi.input": io.BytesIO(),
    }
    assert receive(environ).operation == operation


def test_every_operation_of_ours_is_one_of_aws() -> None:
    known = {
        name for service in ("sagemaker", "sagemaker-runtime", "sagemaker-metrics") for name in operation_names(service)
    }
    assert set(OPERATIONS) <= known
