"""The model registry: versions are model packages, what cloudml knows of one is in its customer metadata.

An alias is a tag `cloudml:alias:<alias>` of the model package group, whose value is the version: AWS lets versions have
no tags ("Tags are not supported in Model Package versions"), and one tag can name one version only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloudml_sagemaker.container.conditions import NoChampion
from cloudml_sagemaker.container.control.aws import client, get, is_missing
from cloudml_sagemaker.container.failure import Refused

ALIAS = "cloudml:alias:"
METRIC = "cloudml:metric:"
DOCUMENT = "cloudml:document"


@dataclass(frozen=True)
class Package:
    """One version, as DescribeModelPackage tells it."""

    model: str
    group: str
    document: dict[str, Any]

    @property
    def arn(self) -> str:
        """Its name for the API."""
        return str(self.document["ModelPackageArn"])

    @property
    def version(self) -> int:
        """Its number."""
        return int(self.document["ModelPackageVersion"])

    @property
    def approval(self) -> str:
        """`approved`, `pending` or `rejected`."""
        words = {"Approved": "approved", "Rejected": "rejected"}
        return words.get(self.document.get("ModelApprovalStatus", ""), "pending")

    @property
    def metadata(self) -> dict[str, str]:
        """What was written at the registration."""
        found: dict[str, str] = self.document.get("CustomerMetadataProperties", {})
        return found

    @property
    def container(self) -> dict[str, Any]:
        """How it is served: image, archive, environment."""
        found: dict[str, Any] = self.document["InferenceSpecification"]["Containers"][0]
        return found

    @property
    def data(self) -> str:
        """Where its archive lies."""
        return str(self.container["ModelDataUrl"])

    def registration(self) -> dict[str, Any]:
        """The whole record of the registration, from S3: sample rows, metrics, lineage."""
        uri = self.metadata.get(DOCUMENT)
        found: dict[str, Any] = json.loads(get(uri)) if uri else {}
        return found

    def reference(self) -> dict[str, Any]:
        """What a register step puts out."""
        digest = self.metadata.get("cloudml:digest", "")
        return {
            "model": self.model, "version": self.version, "digest": digest, "group": self.group, "arn": self.arn,
        }  # fmt: skip


def find(wanted: dict[str, Any]) -> Package:
    """The version that a register step put out, or that `{"model", "group", "version"|"alias"}` names.

    Raises Refused: there is none.
    """
    model, group = wanted["model"], wanted["group"]
    version = wanted.get("version")
    if version is None:
        version = bearer(group, wanted["alias"])
        if version is None:
            raise Refused(f"no version of model {model!r} bears the alias {wanted['alias']!r}")
    try:
        return Package(model, group, _describe(group, int(version)))
    except Exception as error:
        if not is_missing(error):
            raise
        raise Refused(f"there is no version {version} of model {model!r}") from error


def _describe(group: str, version: int) -> dict[str, Any]:
    sagemaker = client("sagemaker")
    arn = sagemaker.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    name = f"{arn.replace(':model-package-group/', ':model-package/')}/{version}"
    found: dict[str, Any] = sagemaker.describe_model_package(ModelPackageName=name)
    return found


def versions(model: str, group: str) -> Iterator[Package]:
    """All versions, the newest first."""
    sagemaker = client("sagemaker")
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
    )
    for page in pages:
        for one in page["ModelPackageSummaryList"]:
            yield Package(model, group, sagemaker.describe_model_package(ModelPackageName=one["ModelPackageArn"]))


def group_arn(group: str, model: str) -> str:
    """The group's ARN. Raises Refused: `cloudml deploy` has not made it."""
    try:
        found = client("sagemaker").describe_model_package_group(ModelPackageGroupName=group)
    except Exception as error:
        if not is_missing(error):
            raise
        raise Refused(f"there is no model package group {group} for {model!r}: run `cloudml deploy`") from error
    return str(found["ModelPackageGroupArn"])


def bearer(group: str, alias: str) -> int | None:
    """The version that bears the alias; None when none does, or the group is not there."""
    try:
        arn = group_arn(group, group)
    except Refused:
        return None
    pages = client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
    found = [tag["Value"] for page in pages for tag in page["Tags"] if tag["Key"] == ALIAS + alias]
    return int(found[0]) if found else None


def promote(package: Package, alias: str) -> None:
    """Move the alias to the version; whoever bore it before does so no longer."""
    tags = [{"Key": ALIAS + alias, "Value": str(package.version)}]
    client("sagemaker").add_tags(ResourceArn=group_arn(package.group, package.model), Tags=tags)


def champion(wanted: dict[str, Any]) -> float:
    """The metric of the version that bears an alias. Raises NoChampion: none does, or it lacks the metric."""
    model, alias, metric = wanted["model"], wanted["alias"], wanted["metric"]
    version = bearer(wanted["group"], alias)
    value = None if version is None else find({**wanted, "version": version}).metadata.get(METRIC + metric)
    if value is None:
        message = f"no version of {model} bears the alias {alias} with a metric {metric}"
        raise NoChampion(message, wanted["missing"] == "pass")
    return float(value)
