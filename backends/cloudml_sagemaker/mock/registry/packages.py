"""Model packages: Describe, List, Update and Delete."""

from __future__ import annotations

from typing import Any

from cloudml.mocks.bus import Change
from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import tags
from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.registry.names import creator, group, key_of, missing, package
from cloudml_sagemaker.mock.registry.tokens import once

MOST_SPECIFICATIONS = 15
MOST_PROPERTIES = 50
"""AdditionalInferenceSpecifications and CustomerMetadataProperties of a package (service model)."""

REPLACED = (
    "ApprovalDescription",
    "ModelPackageRegistrationType",
    "InferenceSpecification",
    "SourceUri",
    "ModelLifeCycle",
)
"""Members of UpdateModelPackage that take the place of what was there."""

TOLD = (
    "ModelApprovalStatus",
    "ApprovalDescription",
    "SourceUri",
    "CustomerMetadataProperties",
    "InferenceSpecification",
    "ModelLifeCycle",
)
"""Members whose update is told (developer guide, "SageMaker model package state change")."""

VERSIONED_ONLY = ("ModelApprovalStatus", "ApprovalDescription")


@operation("DescribeModelPackage")
def describe_model_package(call: Call) -> Parameters:
    """By name or ARN; MetadataOnly leaves out what the model card says."""
    found = package(call, call.params["ModelPackageName"])
    if call.params.get("IncludedData") == "MetadataOnly" and "ModelCard" in found:
        card = {name: value for name, value in found["ModelCard"].items() if name != "ModelCardContent"}
        return {**found, "ModelCard": card}
    return found


@operation("BatchDescribeModelPackage")
def batch_describe_model_package(call: Call) -> Parameters:
    """Summaries by ARN, and an error for each that is not there."""
    summaries: dict[str, Document] = {}
    errors: dict[str, Document] = {}
    for arn in call.params["ModelPackageArnList"]:
        found = call.table("ModelPackage").get(arn.partition(":model-package/")[2])
        if found is not None and found["ModelPackageArn"] == arn:
            summaries[arn] = found
        else:
            error = missing(arn)
            errors[arn] = {"ErrorCode": error.code, "ErrorResponse": error.message}
    return {"ModelPackageSummaries": summaries, "BatchDescribeModelPackageErrorMap": errors}


@operation("ListModelPackages")
def list_model_packages(call: Call) -> Parameters:
    """Unversioned packages unless told otherwise; the versions of a group when one is named."""
    params, name = call.params, None
    if "ModelPackageGroupName" in params:
        name = group(call, params["ModelPackageGroupName"])["ModelPackageGroupName"]
    wanted = params.get("ModelPackageType", "Versioned" if name else "Unversioned")
    approval = params.get("ModelApprovalStatus")
    rows = [
        row
        for row in call.table("ModelPackage")
        if (wanted == "Both" or (wanted == "Versioned") == ("ModelPackageVersion" in row))
        and (name is None or row.get("ModelPackageGroupName") == name)
        and (approval is None or row.get("ModelApprovalStatus") == approval)
    ]
    return listed(
        call,
        rows,
        "ModelPackageSummaryList",
        name="ModelPackageName",
        # Versions that were made in the same moment are in the order of their numbers.
        sorts={
            "CreationTime": lambda row: (row["CreationTime"], row.get("ModelPackageVersion", 0)),
            "Name": lambda row: (row["ModelPackageName"], row.get("ModelPackageVersion", 0)),
        },
        descending=False,
    )


@operation("UpdateModelPackage")
def update_model_package(call: Call) -> Parameters:
    """Changes what is given and nothing else; an approval is told to whoever listens."""
    return once(call, lambda: _update(call))


def _update(call: Call) -> Document:
    params = call.params
    found = package(call, params["ModelPackageArn"])
    refused = [name for name in VERSIONED_ONLY if name in params and "ModelPackageVersion" not in found]
    if refused:
        raise validation(f"{', '.join(refused)} does not apply to unversioned model packages.")
    changed = {
        **found,
        **{name: params[name] for name in REPLACED if name in params},
        **_properties(found, params),
        **_specifications(found, params),
        **_card(found, params),
        "LastModifiedTime": call.now,
        "LastModifiedBy": creator(call),
    }
    if "ModelApprovalStatus" in params:
        changed["ModelApprovalStatus"] = params["ModelApprovalStatus"]
    call.table("ModelPackage").put(key_of(found), changed)
    updated = [name for name in TOLD if changed.get(name) != found.get(name)]
    if updated:
        _tell(call, changed, updated)
    return changed


def _properties(found: Document, params: dict[str, Any]) -> Document:
    if not {"CustomerMetadataProperties", "CustomerMetadataPropertiesToRemove"} & set(params):
        return {}
    removed = set(params.get("CustomerMetadataPropertiesToRemove", []))
    kept = {key: value for key, value in found.get("CustomerMetadataProperties", {}).items() if key not in removed}
    merged = {**kept, **params.get("CustomerMetadataProperties", {})}
    if len(merged) > MOST_PROPERTIES:
        raise validation(f"A model package has at most {MOST_PROPERTIES} customer metadata properties.")
    return {"CustomerMetadataProperties": merged or None}


def _specifications(found: Document, params: dict[str, Any]) -> Document:
    added = params.get("AdditionalInferenceSpecificationsToAdd")
    if added is None:
        return {}
    every = [*(found.get("AdditionalInferenceSpecifications") or []), *added]
    names = [one["Name"] for one in every]
    if len(every) > MOST_SPECIFICATIONS:
        raise validation(f"A model package has at most {MOST_SPECIFICATIONS} additional inference specifications.")
    if len(set(names)) != len(names):
        raise validation("Names of additional inference specifications must be unique in a model package.")
    return {"AdditionalInferenceSpecifications": every}


def _card(found: Document, params: dict[str, Any]) -> Document:
    card = params.get("ModelCard")
    return {} if card is None else {"ModelCard": {**found.get("ModelCard", {}), **card}}


def _tell(call: Call, document: Document, updated: list[str]) -> None:
    status = document["ModelPackageStatus"]
    details = {"updated": updated}
    call.world.bus.publish(Change("ModelPackage", call.scope, key_of(document), status, status, document, details))


@operation("DeleteModelPackage")
def delete_model_package(call: Call) -> Parameters:
    """By name or ARN; the number of a version is not given again."""
    found = package(call, call.params["ModelPackageName"])
    table, key = call.table("ModelPackage"), key_of(found)
    call.world.change(table, key, "ModelPackageStatus", "Deleting")
    table.delete(key)
    tags.detach(call, found["ModelPackageArn"])
    return {}
