"""CreateModel and its kin: a model is containers with their data, kept until an endpoint or a transform job runs it."""

from __future__ import annotations

from typing import Any

from cloudml.mocks.bus import Change
from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import roles, s3, tags
from cloudml_sagemaker.mock.core.errors import AwsError, not_executed, validation
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.hosting import wording

KIND = "Model"
_ENVIRONMENT_BYTES = 32 * 1024


@operation("CreateModel")
def create_model(call: Call) -> Parameters:
    """Keep a model. Refuses a taken name, a bad role, data that is not in S3, packages that are not approved."""
    name = call.params["ModelName"]
    if name in call.table(KIND):
        raise wording.taken(call, KIND, name)
    containers = _containers(call)
    if call.params.get("ExecutionRoleArn"):
        roles.check(call, call.params["ExecutionRoleArn"])
    resolved = [_resolved(call, container) for container in containers]
    for container in resolved:
        _check_data(call, container)
    arn = wording.arn(call, KIND, name)
    tags.attach(call, arn)
    document = {key: value for key, value in call.params.items() if key != "Tags"}
    document |= {"ModelArn": arn, "CreationTime": call.now, "_resolved": resolved}
    document.setdefault("EnableNetworkIsolation", False)
    call.table(KIND).put(name, document)
    call.world.bus.publish(Change(KIND, call.scope, name, "", "Created", document))
    return {"ModelArn": arn}


@operation("DescribeModel")
def describe_model(call: Call) -> Parameters:
    """As it was created."""
    return wording.existing(call, KIND, call.params["ModelName"])


@operation("ListModels")
def list_models(call: Call) -> Parameters:
    """By name or creation time."""
    return listed(call, call.table(KIND), "Models", name="ModelName")


@operation("DeleteModel")
def delete_model(call: Call) -> Parameters:
    """Forget it. AWS allows that while endpoints use it: they go on, but their configuration can start nothing new."""
    model = wording.existing(call, KIND, call.params["ModelName"])
    call.table(KIND).delete(model["ModelName"])
    tags.detach(call, model["ModelArn"])
    call.world.bus.publish(Change(KIND, call.scope, model["ModelName"], "Created", "Deleted", model))
    return {}


def runnable(model: Document) -> Document:
    """The model with its containers as they run: what a package stands for is filled in."""
    if model.get("PrimaryContainer"):
        return {**model, "PrimaryContainer": model["_resolved"][0]}
    return {**model, "Containers": model["_resolved"]}


def _containers(call: Call) -> list[Document]:
    primary, several = call.params.get("PrimaryContainer"), call.params.get("Containers")
    if bool(primary) == bool(several):
        raise validation("Exactly one of PrimaryContainer and Containers must be specified.")
    containers: list[Document] = [primary] if primary else several or []
    hostnames = [container["ContainerHostname"] for container in containers if container.get("ContainerHostname")]
    if len(set(hostnames)) != len(hostnames):
        raise validation("Container hostnames must be unique within a model.")
    if hostnames and len(hostnames) != len(containers):
        raise validation("Either all containers of an inference pipeline have a ContainerHostname, or none has one.")
    direct = (call.params.get("InferenceExecutionConfig") or {}).get("Mode") == "Direct"
    if direct and (len(containers) < 2 or not hostnames):
        raise validation("InferenceExecutionConfig mode Direct needs at least two containers with a ContainerHostname.")
    for container in containers:
        _check(container)
    if len(containers) > 1 and any(container.get("Mode") == "MultiModel" for container in containers):
        raise not_executed("A container of Mode MultiModel beside others", "use a model with it alone")
    _check_environment(containers)
    return containers


def _check_environment(containers: list[Document]) -> None:
    """API reference, ContainerDefinition: all variables of all containers together have 32 KB at most."""
    pairs = [pair for container in containers for pair in (container.get("Environment") or {}).items()]
    size = sum(len(name.encode()) + len(value.encode()) for name, value in pairs)
    if size > _ENVIRONMENT_BYTES:
        raise validation(
            f"The environment variables of the model's containers have {size} bytes; together {_ENVIRONMENT_BYTES} are "
            "allowed."
        )


def _check(container: Document) -> None:
    if bool(container.get("Image")) == bool(container.get("ModelPackageName")):
        raise validation("Exactly one of Image and ModelPackageName must be specified for a container.")
    if container.get("ModelDataUrl") and container.get("ModelDataSource"):
        raise validation("Cannot specify both ModelDataUrl and ModelDataSource for a container.")
    if container.get("Mode") == "MultiModel":
        if container.get("ModelDataSource"):
            raise validation("ModelDataSource cannot be specified for a container with Mode MultiModel.")
        if not str(container.get("ModelDataUrl", "")).endswith("/"):
            raise validation("ModelDataUrl of a MultiModel container must be an S3 prefix that ends with a slash.")
    elif container.get("ModelDataUrl") and not container["ModelDataUrl"].endswith(".tar.gz"):
        raise validation(
            f"ModelDataUrl {container['ModelDataUrl']} must point to a single gzip compressed tar archive (.tar.gz)."
        )
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    kind, compression, uri = source.get("S3DataType"), source.get("CompressionType"), source.get("S3Uri", "")
    if kind == "S3Prefix" and not uri.endswith("/"):
        raise validation("S3Uri must end with a forward slash when S3DataType is S3Prefix.")
    if kind == "S3Prefix" and compression == "Gzip":
        raise validation("CompressionType Gzip needs the S3DataType S3Object.")


def _resolved(call: Call, container: Document) -> Document:
    """The container with image, data and environment of its model package."""
    package = container.get("ModelPackageName")
    if not package:
        return container
    try:
        found = call.world.call(call.scope, "DescribeModelPackage", {"ModelPackageName": package})
    except KeyError:
        raise validation(f"Model package {package} cannot be read.") from None
    if found.get("ModelApprovalStatus", "Approved") != "Approved":
        raise validation(f"The model package {package} is not approved: {found['ModelApprovalStatus']}.")
    inside = _specification(found, container)
    kept = ("Image", "ModelDataUrl", "ModelDataSource")
    return {
        **container,
        **{key: inside[key] for key in kept if key in inside},
        "Environment": {**(inside.get("Environment") or {}), **(container.get("Environment") or {})},
    }


def _specification(package: Document, container: Document) -> Document:
    wanted = container.get("InferenceSpecificationName")
    specifications: list[Any] = [package.get("InferenceSpecification")]
    if wanted:
        more = package.get("AdditionalInferenceSpecifications") or []
        specifications = [one for one in more if one.get("Name") == wanted]
    containers = [inside for one in specifications if one for inside in one.get("Containers", [])]
    if not containers:
        raise validation(f"Model package {container['ModelPackageName']} has no such inference specification.")
    first: Document = containers[0]
    return first


def _check_data(call: Call, container: Document) -> None:
    """What a container names must be in S3 when the model is made."""
    for uri in _uris(container):
        if not uri.startswith("s3://"):
            continue
        try:
            found = s3.exists(call.world, call.scope, uri)
        except s3.S3Error as error:
            raise validation(str(error)) from None
        if not found and container.get("Mode") != "MultiModel":
            raise _no_data(uri)


def _uris(container: Document) -> list[str]:
    sources = [container.get("ModelDataSource"), *(container.get("AdditionalModelDataSources") or [])]
    found = [source["S3DataSource"]["S3Uri"] for source in sources if source and source.get("S3DataSource")]
    return [*([container["ModelDataUrl"]] if container.get("ModelDataUrl") else []), *found]


def _no_data(uri: str) -> AwsError:
    return validation(f"Could not find model data at {uri}.")
