"""CreateEndpointConfig and its kin, with the rules that AWS holds beyond its model."""

from __future__ import annotations

from collections.abc import Callable

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import roles, tags
from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.hosting import wording
from cloudml_sagemaker.mock.hosting.containers import definitions

KIND = "EndpointConfig"


@operation("CreateEndpointConfig")
def create_endpoint_config(call: Call) -> Parameters:
    """Keep a configuration. Refuses unknown models, double variants, and what does not go together."""
    params = call.params
    name = params["EndpointConfigName"]
    if name in call.table(KIND):
        raise wording.taken(call, KIND, name)
    for variant in variants(params):
        _check_variant(call, variant)
    for rule in _RULES:
        rule(params)
    if params.get("ExecutionRoleArn"):
        roles.check(call, params["ExecutionRoleArn"])
    arn = wording.arn(call, KIND, name)
    tags.attach(call, arn)
    document = {key: value for key, value in params.items() if key != "Tags"}
    document |= {"EndpointConfigArn": arn, "CreationTime": call.now}
    document.setdefault("EnableNetworkIsolation", False)
    for group in ("ProductionVariants", "ShadowProductionVariants"):
        if group in params:
            document[group] = [{"InitialVariantWeight": 1.0, **variant} for variant in params[group]]
    call.table(KIND).put(name, document)
    return {"EndpointConfigArn": arn}


@operation("DescribeEndpointConfig")
def describe_endpoint_config(call: Call) -> Parameters:
    """As it was created, weights filled in."""
    return wording.existing(call, KIND, call.params["EndpointConfigName"])


@operation("ListEndpointConfigs")
def list_endpoint_configs(call: Call) -> Parameters:
    """By name or creation time."""
    return listed(call, call.table(KIND), "EndpointConfigs", name="EndpointConfigName")


@operation("DeleteEndpointConfig")
def delete_endpoint_config(call: Call) -> Parameters:
    """Forget it. AWS warns against it for a live endpoint but allows it; not while an endpoint is made or updated."""
    config = wording.existing(call, KIND, call.params["EndpointConfigName"])
    for endpoint in call.table("Endpoint"):
        pending = (endpoint.get("PendingDeploymentSummary") or {}).get("EndpointConfigName")
        moving = endpoint["EndpointStatus"] in {"Creating", "Updating", "RollingBack"}
        if moving and config["EndpointConfigName"] in {endpoint["EndpointConfigName"], pending}:
            raise validation(
                f'Cannot delete endpoint configuration "{config["EndpointConfigArn"]}" while it is in use by the '
                f'in-progress endpoint "{endpoint["EndpointArn"]}".'
            )
    call.table(KIND).delete(config["EndpointConfigName"])
    tags.detach(call, config["EndpointConfigArn"])
    return {}


def variants(config: Document) -> list[Document]:
    """All variants, shadows last."""
    return [*config["ProductionVariants"], *(config.get("ShadowProductionVariants") or [])]


def _check_variant(call: Call, variant: Document) -> None:
    name = variant["VariantName"]
    model = variant.get("ModelName")
    if model is None:
        raise validation(
            f"Production variant {name} has no ModelName: inference components are not served by this mock."
        )
    if model not in call.table("Model"):
        raise wording.missing(call, "Model", model)
    if variant.get("InstancePools"):
        raise validation(f"InstancePools (production variant {name}) are not served by this mock.")
    if variant.get("ServerlessConfig"):
        _check_serverless(name, variant)
        _check_serverless_model(call.table("Model")[model])
    elif not variant.get("InstanceType") or not variant.get("InitialInstanceCount"):
        raise validation(f"InstanceType and InitialInstanceCount must be specified for production variant {name}.")


def _check_serverless(name: str, variant: Document) -> None:
    """Developer guide, "Create an endpoint configuration": sizes are whole GB; no instances."""
    for member in ("InstanceType", "InitialInstanceCount", "AcceleratorType", "VolumeSizeInGB"):
        if variant.get(member) is not None:
            raise validation(f"{member} cannot be specified with ServerlessConfig for production variant {name}.")
    serverless = variant["ServerlessConfig"]
    if serverless["MemorySizeInMB"] % 1024:
        raise validation("MemorySizeInMB must be one of 1024, 2048, 3072, 4096, 5120 and 6144.")
    if serverless.get("ProvisionedConcurrency", 0) > serverless["MaxConcurrency"]:
        raise validation("ProvisionedConcurrency must not be greater than MaxConcurrency.")


def _check_serverless_model(model: Document) -> None:
    """Developer guide, "Serverless inference", feature exclusions; API reference, ContainerDefinition."""
    containers = [container for _, container in definitions(model)]
    excluded = {
        "Inference pipelines": len(containers) > 1,
        "Multi-model containers": any(container.get("Mode") == "MultiModel" for container in containers),
        "ModelDataSource": any(container.get("ModelDataSource") for container in containers),
        "VpcConfig": bool(model.get("VpcConfig")),
        "Network isolation": model["EnableNetworkIsolation"],
    }
    for feature, used in excluded.items():
        if used:
            raise validation(f"{feature} (model {model['ModelName']}) is not supported for serverless endpoints.")


def _unique(config: Document) -> None:
    names = [variant["VariantName"] for variant in variants(config)]
    for name in names:
        if names.count(name) > 1:
            raise validation(f"Production variant names must be unique: {name} is specified more than once.")


def _shadow(config: Document) -> None:
    """API reference, CreateEndpointConfig: with a shadow exactly one production variant, and one shadow."""
    shadows = config.get("ShadowProductionVariants")
    if shadows and (len(shadows) != 1 or len(config["ProductionVariants"]) != 1):
        raise validation("Exactly one production variant and one shadow variant can be specified for a shadow test.")
    if shadows and config.get("AsyncInferenceConfig"):
        raise validation("ShadowProductionVariants cannot be specified with AsyncInferenceConfig.")


def _serverless(config: Document) -> None:
    """Developer guide, "Serverless inference", feature exclusions: one variant, no data capture, no async."""
    if not any(variant.get("ServerlessConfig") for variant in variants(config)):
        return
    if len(variants(config)) != 1:
        raise validation("A serverless endpoint has exactly one production variant.")
    for member in ("DataCaptureConfig", "AsyncInferenceConfig", "KmsKeyId", "VpcConfig", "EnableNetworkIsolation"):
        if config.get(member):
            raise validation(f"{member} is not supported for serverless endpoints.")


def _async(config: Document) -> None:
    if config.get("AsyncInferenceConfig") and len(config["ProductionVariants"]) != 1:
        raise validation("An asynchronous endpoint has exactly one production variant.")


def _weights(config: Document) -> None:
    if not any(variant.get("InitialVariantWeight", 1.0) > 0 for variant in config["ProductionVariants"]):
        raise validation("At least one production variant must have an InitialVariantWeight greater than 0.")


def _capture(config: Document) -> None:
    capture = config.get("DataCaptureConfig")
    if capture and not capture["DestinationS3Uri"].startswith("s3://"):
        raise validation("DestinationS3Uri of DataCaptureConfig must be an S3 URI.")


_RULES: tuple[Callable[[Document], None], ...] = (_unique, _shadow, _serverless, _async, _weights, _capture)
