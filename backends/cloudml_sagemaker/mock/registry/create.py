"""CreateModelPackage: versions of a group, and packages of their own."""

from __future__ import annotations

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import tags
from cloudml_sagemaker.mock.core.arns import name_of
from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.registry.names import PACKAGE, creator, group, package, package_arn
from cloudml_sagemaker.mock.registry.tokens import once

SOURCES = ("InferenceSpecification", "SourceAlgorithmSpecification", "SourceUri")

UNVERSIONED_NEEDS = ("SupportedTransformInstanceTypes", "SupportedRealtimeInferenceInstanceTypes")
"""Required for unversioned models, optional for versioned ones (API reference, InferenceSpecification)."""

CLONED = (
    "InferenceSpecification",
    "AdditionalInferenceSpecifications",
    "ModelMetrics",
    "DriftCheckBaselines",
    "CustomerMetadataProperties",
    "Domain",
    "Task",
    "SamplePayloadUrl",
    "ModelCard",
)
"""What a package takes over from the package that its SourceUri names, unless the request gives it."""

CONTAINER = (
    "Image",
    "ModelDataUrl",
    "ModelDataSource",
    "Environment",
    "ContainerHostname",
    "AdditionalModelDataSources",
)
"""What a package takes over from the containers of the model that its SourceUri names."""


@operation("CreateModelPackage")
def create_model_package(call: Call) -> Parameters:
    """The next version of a group, or a package by its own name; checked, and complete at once."""
    return once(call, lambda: _create(call))


def _create(call: Call) -> Document:
    _check(call)
    given = {name: value for name, value in call.params.items() if name not in {"Tags", "ClientToken"}}
    document = {
        **given,
        **_from_source(call, given),
        **(_versioned(call) if "ModelPackageGroupName" in given else _unversioned(call)),
        "CreationTime": call.now,
        "CreatedBy": creator(call),
        "ModelPackageStatus": "Pending",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
    }
    arn = document["ModelPackageArn"]
    tags.attach(call, arn)
    _count(call, document)
    table, key = call.table("ModelPackage"), arn.partition(f":{PACKAGE}/")[2]
    table.put(key, document)
    call.world.change(table, key, "ModelPackageStatus", "Completed")
    return {"ModelPackageArn": arn}


def _check(call: Call) -> None:
    params = call.params
    versioned, named = "ModelPackageGroupName" in params, "ModelPackageName" in params
    # The words are AWS's, as getmoto/moto pull request 7165 saw them.
    if versioned and named:
        raise validation(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
            "Cannot determine which one to use."
        )
    if not versioned and not named:
        raise validation("Missing ARN.")
    _check_sources(params, versioned)
    if "ValidationSpecification" in params:
        raise validation("ValidationSpecification is not served by this mock: it would run no validation job.")
    if versioned and params.get("Tags"):
        # AWS's words, as aws/aws-cdk issue 33699 saw them.
        raise validation(
            "Tags are not supported in Model Package versions. Please add them to the Model Package Group."
        )
    if not versioned:
        _check_unversioned(params)
    elif params.get("CertifyForMarketplace"):
        raise validation("CertifyForMarketplace does not apply to versioned model packages.")


def _check_sources(params: Document, versioned: bool) -> None:
    sources = [name for name in SOURCES if name in params]
    if "InferenceSpecification" in sources and "SourceAlgorithmSpecification" in sources:
        raise validation("Only one of InferenceSpecification and SourceAlgorithmSpecification can be specified.")
    if not sources and not (versioned and params.get("SkipModelValidation") == "All"):
        raise validation(f"One of {', '.join(SOURCES)} must be specified.")
    if "SourceAlgorithmSpecification" in sources:
        algorithm = params["SourceAlgorithmSpecification"]["SourceAlgorithms"][0]["AlgorithmName"]
        raise validation(f"Algorithm {algorithm} does not exist.")


def _check_unversioned(params: Document) -> None:
    if "ModelApprovalStatus" in params:
        raise validation("ModelApprovalStatus does not apply to unversioned model packages.")
    missing = [name for name in UNVERSIONED_NEEDS if not params.get("InferenceSpecification", {}).get(name)]
    if missing and "SourceUri" not in params:
        raise validation(f"InferenceSpecification of an unversioned model package needs {', '.join(missing)}.")


def _versioned(call: Call) -> Document:
    found = group(call, call.params["ModelPackageGroupName"])
    name, version = found["ModelPackageGroupName"], found["_versions"] + 1
    return {
        "ModelPackageGroupName": name,
        # AWS gives a version the name of its group.
        "ModelPackageName": name,
        "ModelPackageVersion": version,
        "ModelPackageArn": package_arn(call, f"{name}/{version}"),
        "ModelApprovalStatus": call.params.get("ModelApprovalStatus", "PendingManualApproval"),
    }


def _unversioned(call: Call) -> Document:
    name = call.params["ModelPackageName"]
    arn = package_arn(call, name)
    if name in call.table("ModelPackage"):
        raise validation(f"ModelPackage already exists: {arn}")
    return {"ModelPackageArn": arn}


def _count(call: Call, document: Document) -> None:
    """The group's number of versions moves on only once nothing can be refused any more."""
    if "ModelPackageVersion" in document:
        groups, name = call.table("ModelPackageGroup"), document["ModelPackageGroupName"]
        groups.put(name, {**groups[name], "_versions": document["ModelPackageVersion"]})


def _from_source(call: Call, given: Document) -> Document:
    """What SourceUri brings: a model package ARN clones it, a model ARN registers the model's containers."""
    uri = given.get("SourceUri", "")
    if f":{PACKAGE}/" in uri:
        source = package(call, uri)
        return {name: source[name] for name in CLONED if name in source and name not in given}
    if uri.startswith("arn:") and ":model/" in uri:
        model = call.table("Model").get(name_of(call, uri, "model"))
        if model is None:
            raise validation(f"Could not find model {uri}.")
        if "InferenceSpecification" not in given:
            return {"InferenceSpecification": {"Containers": _containers(model)}}
    return {}


def _containers(model: Document) -> list[Document]:
    listed = model.get("Containers") or [model.get("PrimaryContainer", {})]
    return [{name: each[name] for name in CONTAINER if each.get(name) is not None} for each in listed]
