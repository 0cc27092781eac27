"""The model registry: versions are model packages, what cloudml knows of one is in its customer metadata.

An alias is a tag `cloudml:alias:<alias>` of the model package group, whose value is the version: AWS lets versions have
no tags ("Tags are not supported in Model Package versions"), and one tag can name one version only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cloudml.jobs.conditions import NoChampion
from cloudml.jobs.failure import Refused
from cloudml_sagemaker.container.control import decisions
from cloudml_sagemaker.container.control.aws import client, get, is_missing, put_once
from cloudml_sagemaker.container.control.registration import METRIC, record_of

ALIAS = "cloudml:alias:"
GONE = frozenset({"Failed", "Deleting"})
"""States of a package (ModelPackageStatus) in which it is no version that anybody could use."""
_PARALLEL = 8


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
        return decisions.approval(self.document)

    @property
    def metadata(self) -> dict[str, str]:
        """What was written at the registration."""
        found: dict[str, str] = self.document.get("CustomerMetadataProperties", {})
        return found

    @property
    def container(self) -> dict[str, Any]:
        """How it is served: image, archive, environment; empty for one that somebody else registered without."""
        found: list[dict[str, Any]] = self.document.get("InferenceSpecification", {}).get("Containers", [])
        return found[0] if found else {}

    @property
    def data(self) -> str:
        """Where its archive lies; empty for one that somebody else registered without."""
        return str(self.container.get("ModelDataUrl", ""))

    def registration(self) -> dict[str, Any]:
        """The whole record of the registration, from S3: sample rows, metrics, lineage."""
        uri = record_of(self.document)
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
    """All versions that can be used, the newest first; one that is deleted meanwhile is left out."""
    sagemaker = client("sagemaker")
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", PaginationConfig={"PageSize": 100}
    )

    def described(arn: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = sagemaker.describe_model_package(ModelPackageName=arn)
        except Exception as error:
            if is_missing(error):
                return None
            raise
        return found

    with ThreadPoolExecutor(_PARALLEL) as pool:
        for page in pages:
            usable = [one for one in page["ModelPackageSummaryList"] if one["ModelPackageStatus"] not in GONE]
            arns = [one["ModelPackageArn"] for one in usable]
            yield from (Package(model, group, one) for one in pool.map(described, arns) if one is not None)


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
    return aliases(_tags(arn)).get(alias)


def aliases(tags: dict[str, str]) -> dict[str, int]:
    """The versions by alias, of the tags of a group; a tag whose value is no number names none."""
    return {
        key.removeprefix(ALIAS): int(value)
        for key, value in tags.items()
        if key.startswith(ALIAS) and value.isdecimal() and value.isascii()
    }


def _tags(arn: str) -> dict[str, str]:
    pages = client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def promote(package: Package, alias: str, who: str = "cloudml", reason: str = "", kms: str | None = None) -> None:
    """Move the alias to the version, and keep who did it and why; whoever bore it before does so no longer.

    `kms`: the key that the record of it is encrypted with.
    """
    arn = group_arn(package.group, package.model)
    if aliases(_tags(arn)).get(alias) == package.version:
        return
    if record_of(package.document):  # written first: an alias never moves without a trace
        made = decisions.Decision.now(f"promoted to {alias}", who, reason)
        folder = f"{decisions.home(package.document, '')}/{decisions.label(package.document)}"
        put_once(f"{folder}/{made.key()}", made.content(), kms)
    tags = [{"Key": ALIAS + alias, "Value": str(package.version)}]
    client("sagemaker").add_tags(ResourceArn=arn, Tags=tags)


def champion(wanted: dict[str, Any]) -> float:
    """The metric of the version that bears an alias. Raises NoChampion: none does, or it lacks the metric."""
    model, alias, metric = wanted["model"], wanted["alias"], wanted["metric"]
    version = bearer(wanted["group"], alias)
    try:
        value = None if version is None else _metric(find({**wanted, "version": version}), metric)
    except Refused:  # the version was deleted, and its alias was left behind
        value = None
    if value is None:
        message = f"no version of {model} bears the alias {alias} with a metric {metric}"
        raise NoChampion(message, wanted["missing"] == "pass")
    return value


def _metric(package: Package, name: str) -> float | None:
    """From the metadata, or from the record: the metadata has no room for many metrics."""
    found = package.metadata.get(METRIC + name)
    if found is None:
        found = package.registration().get("metrics", {}).get(name)
    return None if found is None else float(found)
