"""What CreateModel, CreateEndpointConfig, CreateEndpoint and UpdateEndpoint refuse, and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_host import TYPE, Host
from mock_clients import IMAGE, ROLE

ARN = "arn:aws:sagemaker:us-east-1:123456789012"


def says(host: Host, operation: str, **params: Any) -> str:
    """The message with which the operation is refused as ValidationException."""
    with pytest.raises(ClientError) as error:
        pytest.fail(f"accepted: {operation} {params} {getattr(host.sagemaker, operation)(**params)}")
    response = error.value.response
    assert response["Error"]["Code"] == "ValidationException", response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(response["Error"]["Message"])


def test_names_that_are_missing_or_taken(host: Host) -> None:
    assert says(host, "describe_model", ModelName="m") == f'Could not find model "{ARN}:model/m".'
    config = f'"{ARN}:endpoint-config/c".'
    assert says(host, "describe_endpoint_config", EndpointConfigName="c") == (
        f"Could not find endpoint configuration {config}"
    )
    assert says(host, "create_endpoint", EndpointName="e", EndpointConfigName="c") == (
        f"Could not find endpoint configuration {config}"
    )
    for operation in ("describe_endpoint", "delete_endpoint"):
        assert says(host, operation, EndpointName="e") == f'Could not find endpoint "{ARN}:endpoint/e".'
    host.model("m")
    host.config("c", {"ModelName": "m"})
    container = {"Image": IMAGE}
    assert says(host, "create_model", ModelName="m", PrimaryContainer=container) == (
        f'Cannot create already existing model "{ARN}:model/m".'
    )
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": TYPE, "InitialInstanceCount": 1}
    assert says(host, "create_endpoint_config", EndpointConfigName="c", ProductionVariants=[variant]) == (
        f"Cannot create already existing endpoint configuration {config}"
    )
    host.create("Live", "c")
    # "The name must be unique within an AWS Region, case-insensitive."
    assert "already existing endpoint" in says(host, "create_endpoint", EndpointName="live", EndpointConfigName="c")


MANY = {"Image": IMAGE, "Mode": "MultiModel", "ModelDataUrl": "s3://data/many/"}
SOURCE = {"S3DataSource": {"S3Uri": "s3://data/one/", "S3DataType": "S3Prefix", "CompressionType": "None"}}

WRONG_MODELS: tuple[dict[str, Any], ...] = (
    {},
    {"PrimaryContainer": {"Image": IMAGE}, "Containers": [{"Image": IMAGE}]},
    {"PrimaryContainer": {}},
    {"PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://data/nothing.tar.gz"}},
    {"PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://data/model.zip"}},
    {"PrimaryContainer": {"Image": IMAGE, "Mode": "MultiModel", "ModelDataUrl": "s3://data/x.tar.gz"}},
    {"PrimaryContainer": {"Image": IMAGE}, "InferenceExecutionConfig": {"Mode": "Direct"}},
    {"Containers": [{"Image": IMAGE, "ContainerHostname": "a"}, {"Image": IMAGE, "ContainerHostname": "a"}]},
    {"Containers": [{"Image": IMAGE, "ContainerHostname": "a"}, {"Image": IMAGE}]},
    {"Containers": [{"Image": IMAGE}] * 16},
    {"PrimaryContainer": {"Image": IMAGE, "Environment": {"A": "x" * 1025}}},
    {"Containers": [{"Image": IMAGE, "Environment": {f"A{n}": "x" * 1000 for n in range(17)}}] * 2},
    {"PrimaryContainer": {**MANY, "ModelDataSource": SOURCE}},
    {"Containers": [{"Image": IMAGE}, MANY]},
)


def test_models_that_are_wrong(host: Host) -> None:
    host.bucket()
    host.s3.put_object(Bucket="data", Key="model.zip", Body=b"")
    host.s3.put_object(Bucket="data", Key="x.tar.gz", Body=b"")
    for params in WRONG_MODELS:
        says(host, "create_model", ModelName="m", ExecutionRoleArn=ROLE, **params)
    assert host.sagemaker.list_models()["Models"] == []


def test_a_role_that_nobody_can_assume(host: Host) -> None:
    host.client("iam").create_role(RoleName="other", AssumeRolePolicyDocument="{}")
    message = says(host, "create_model", ModelName="m", PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE)
    assert message.startswith(f"Could not assume role {ROLE}.")


def variant(name: str = "v", **more: Any) -> dict[str, Any]:
    return {"VariantName": name, "ModelName": "m", "InstanceType": TYPE, "InitialInstanceCount": 1, **more}


SERVERLESS = {"VariantName": "v", "ModelName": "m", "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}
CAPTURE = {"InitialSamplingPercentage": 1, "DestinationS3Uri": "s3://b/p", "CaptureOptions": [{"CaptureMode": "Input"}]}
VPC = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
ASYNC = {"OutputConfig": {"S3OutputPath": "s3://data/out"}}


WRONG_CONFIGURATIONS: tuple[tuple[list[dict[str, Any]], dict[str, Any]], ...] = (
    ([], {}),
    ([variant(), variant()], {}),
    ([variant(f"v{number}") for number in range(11)], {}),
    ([variant(ModelName="other")], {}),
    ([variant(InstanceType="ml.c999.large")], {}),
    ([{"VariantName": "v", "ModelName": "m"}], {}),
    ([variant(InitialInstanceCount=0)], {}),
    ([variant(InitialVariantWeight=0)], {}),
    ([variant(InitialVariantWeight=-1)], {}),
    ([variant()], {"ShadowProductionVariants": [variant()]}),
    ([variant()], {"ShadowProductionVariants": [variant("a"), variant("b")]}),
    ([variant(), variant("w")], {"ShadowProductionVariants": [variant("s")]}),
    ([variant(), variant("w")], {"AsyncInferenceConfig": ASYNC}),
    ([{**SERVERLESS, "InstanceType": TYPE}], {}),
    ([{**SERVERLESS, "ServerlessConfig": {"MemorySizeInMB": 1500, "MaxConcurrency": 1}}], {}),
    ([SERVERLESS, variant("w")], {}),
    ([SERVERLESS], {"DataCaptureConfig": CAPTURE}),
    ([SERVERLESS], {"VpcConfig": VPC}),
    ([SERVERLESS], {"EnableNetworkIsolation": True}),
    ([variant()], {"DataCaptureConfig": {**CAPTURE, "CaptureOptions": []}}),
    ([variant()], {"DataCaptureConfig": {**CAPTURE, "InitialSamplingPercentage": 101}}),
)


def test_configurations_that_are_wrong(host: Host) -> None:
    host.model("m")
    for variants, more in WRONG_CONFIGURATIONS:
        says(host, "create_endpoint_config", EndpointConfigName="c", ProductionVariants=variants, **more)
    assert host.sagemaker.list_endpoint_configs()["EndpointConfigs"] == []


def test_what_a_serverless_endpoint_cannot_run(host: Host) -> None:
    host.bucket()
    host.s3.put_object(Bucket="data", Key="one/a.txt", Body=b"x")
    models: dict[str, dict[str, Any]] = {
        "Inference pipelines": {"Containers": [{"Image": IMAGE}] * 2},
        "Multi-model containers": {"PrimaryContainer": MANY},
        "ModelDataSource": {"PrimaryContainer": {"Image": IMAGE, "ModelDataSource": SOURCE}},
        "VpcConfig": {"PrimaryContainer": {"Image": IMAGE}, "VpcConfig": VPC},
        "Network isolation": {"PrimaryContainer": {"Image": IMAGE}, "EnableNetworkIsolation": True},
    }
    for number, (feature, params) in enumerate(models.items()):
        host.sagemaker.create_model(ModelName=f"m{number}", ExecutionRoleArn=ROLE, **params)
        variants = [{**SERVERLESS, "ModelName": f"m{number}"}]
        message = says(host, "create_endpoint_config", EndpointConfigName="c", ProductionVariants=variants)
        assert message.startswith(feature)


def test_a_configuration_is_shown_as_it_was_given(host: Host) -> None:
    host.model("m")
    more = {"ShadowProductionVariants": [variant("s")], "DataCaptureConfig": CAPTURE}
    host.sagemaker.create_endpoint_config(
        EndpointConfigName="c", ProductionVariants=[variant()], Tags=[{"Key": "a", "Value": "b"}], **more
    )
    shown = host.sagemaker.describe_endpoint_config(EndpointConfigName="c")
    assert shown["ProductionVariants"] == [variant(InitialVariantWeight=1.0)]
    assert shown["ShadowProductionVariants"][0]["VariantName"] == "s"
    assert shown["DataCaptureConfig"] == CAPTURE
    assert host.sagemaker.list_tags(ResourceArn=shown["EndpointConfigArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    host.sagemaker.delete_endpoint_config(EndpointConfigName="c")
    host.sagemaker.delete_model(ModelName="m")
    assert host.sagemaker.list_models()["Models"] == []


def test_what_cannot_be_changed_while_it_is_changing(still: Host) -> None:
    still.endpoint(count=2)
    still.next_config("next", count=2)
    policy = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
            "TerminationWaitInSeconds": 600,
        }
    }
    still.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="next", DeploymentConfig=policy)
    busy = f'Cannot update in-progress endpoint "{ARN}:endpoint/live".'
    assert says(still, "update_endpoint", EndpointName="live", EndpointConfigName="next") == busy
    assert says(still, "delete_endpoint", EndpointName="live") == busy
    weights = [{"VariantName": "main", "DesiredWeight": 1}]
    assert says(
        still, "update_endpoint_weights_and_capacities", EndpointName="live", DesiredWeightsAndCapacities=weights
    ) == busy  # fmt: skip
    for config in ("live-config", "next"):
        assert "in-progress endpoint" in says(still, "delete_endpoint_config", EndpointConfigName=config)
    still.settle()
    still.advance(600)
    # Of a live endpoint AWS lets one delete the configuration and the model; it serves on.
    still.sagemaker.delete_endpoint_config(EndpointConfigName="next")
    still.sagemaker.delete_model(ModelName="next-model")
    assert still.invoke() == "new:x"
    still.settle()


def test_updates_that_are_wrong(host: Host) -> None:
    host.endpoint()
    host.next_config("next")
    host.config("renamed", {"ModelName": "next-model", "VariantName": "other"})
    at_once = {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}}
    }

    def refused(config: str = "next", **more: Any) -> str:
        return says(host, "update_endpoint", EndpointName="live", EndpointConfigName=config, **more)

    canary = {"Type": "CANARY", "WaitIntervalInSeconds": 0, "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1}}
    policy = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": canary}}
    assert "1 of the 1 instance" in refused(DeploymentConfig=policy)
    assert "same variant names" in refused("renamed", DeploymentConfig=at_once)
    alarms = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "nothing"}]}}
    assert "nothing" in refused(DeploymentConfig={**at_once, **alarms})
    assert "RetainAllVariantProperties" in refused(
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}]
    )
    assert "Could not find endpoint configuration" in refused("missing")
    assert host.status() == "InService"


def test_scaled_variants(host: Host) -> None:
    host.endpoint()
    scaling = host.client("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "MinCapacity": 1,
        "MaxCapacity": 4,
    }
    for resource in ("endpoint/live/variant/other", "endpoint/none/variant/main", "live"):
        with pytest.raises(ClientError, match="Could not find the endpoint variant"):
            scaling.register_scalable_target(ResourceId=resource, **target)
    with pytest.raises(ClientError, match="less than minimum"):
        scaling.register_scalable_target(ResourceId="endpoint/live/variant/main", **{**target, "MinCapacity": 5})
    scaling.register_scalable_target(ResourceId="endpoint/live/variant/main", **target)
    host.model("m")
    host.config("bigger", {"ModelName": "m", "InstanceType": "ml.m5.xlarge"})
    message = says(host, "update_endpoint", EndpointName="live", EndpointConfigName="bigger")
    assert message == (
        'The variant(s) "[main]" must be deregistered as scalable targets with AWS Auto Scaling before they can be '
        "removed or have their instance type updated."
    )
    # A new model on the same instance type is no hindrance.
    host.config("same", {"ModelName": "m"})
    host.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="same")
    assert host.wait() == "InService"
