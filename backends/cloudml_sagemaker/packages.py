"""Reading the model registry: the groups of a project and target, their versions, and what was decided of them.

A group is ours when it bears the tags of this project and target; one of a like name without them is not seen.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from cloudml.backend.records import ModelVersion
from cloudml.errors import NotFound, Refused
from cloudml.remote.parallel import in_parallel
from cloudml_sagemaker import names
from cloudml_sagemaker.container.control import decisions, models, registration
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources import tags
from cloudml_sagemaker.resources.kind import World


@dataclass(frozen=True)
class Group:
    """A model package group of ours. `model` is the author's name for it, `folder` where its records lie."""

    model: str
    name: str
    arn: str
    folder: str
    aliases: dict[str, int]

    def package_arn(self, version: int) -> str:
        """The ARN of a version, which AWS makes of the group's."""
        return f"{self.arn.replace(':model-package-group/', ':model-package/')}/{version}"

    def borne(self, version: int) -> tuple[str, ...]:
        """The aliases of a version."""
        return tuple(sorted(alias for alias, bearer in self.aliases.items() if bearer == version))


@dataclass(frozen=True)
class Version:
    """A version with all that is kept of it: AWS's description, the record of its registration, the decisions."""

    group: Group
    package: models.Package
    facts: dict[str, Any]
    decided: tuple[decisions.Decision, ...]

    def record(self) -> ModelVersion:
        """As every backend tells it. A version that somebody else made has what AWS knows."""
        told, metadata, facts = self.package.document, self.package.metadata, self.facts
        return ModelVersion(
            model=self.group.model,
            version=self.package.version,
            digest=metadata.get("cloudml:digest", ""),
            approval=decisions.approval(told),
            aliases=self.group.borne(self.package.version),
            metrics=facts.get("metrics") or _numbers(metadata),
            run=metadata.get("cloudml:run", ""),
            step=metadata.get("cloudml:step", ""),
            code=facts.get("code", ""),
            data=facts.get("data", {}),
            parameters=facts.get("parameters", {}),
            created_at=decisions.moment(told["CreationTime"]),
            path=self.package.data,
            summary=facts.get("summary") or told.get("ModelPackageDescription", ""),
            decisions=tuple(one.document() for one in decisions.standing(told, self.decided)),
            sample=tuple(facts.get("sample") or ()),
        )


def _numbers(metadata: dict[str, str]) -> dict[str, float]:
    found = {}
    for name, value in metadata.items():
        if name.startswith(registration.METRIC):
            try:
                found[name.removeprefix(registration.METRIC)] = float(value)
            except ValueError:
                continue
    return found


@dataclass
class Packages:
    """What the registry holds, read in parallel. Records never change, so each is read once."""

    world: World
    _facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    # -- groups -------------------------------------------------------------------------------------------------

    def groups(self) -> list[Group]:
        """Those of this project and target, by model."""
        listed = self.world.client.pages(
            "sagemaker", "ListModelPackageGroups", "ModelPackageGroupSummaryList", MaxResults=100,
            **tags.containing(self.world),
        )  # fmt: skip
        found = in_parallel(self._owned, listed)
        return sorted((one for one in found if one is not None), key=lambda one: one.model)

    def group(self, model: str) -> Group | None:
        """The group of a model; None when there is none of ours."""
        name = self.group_name(model)
        told = self.world.client.find("sagemaker", "DescribeModelPackageGroup", ModelPackageGroupName=name)
        return None if told is None else self._owned(told)

    def group_name(self, model: str) -> str:
        """What AWS knows a model by."""
        return names.resource(self.world.place.project, self.world.place.target, model)

    def _owned(self, told: dict[str, Any]) -> Group | None:
        """The group with its aliases when its tags say that it is ours, and it was not deleted meanwhile."""
        arn, name = told["ModelPackageGroupArn"], told["ModelPackageGroupName"]
        labels, place = tags.find_tags(self.world, arn), self.world.place
        if not tags.is_ours(labels, place):
            return None
        described = told.get("ModelPackageGroupDescription", "")
        model = described if described and self.group_name(described) == name else name
        return Group(model, name, arn, f"{place.base}/models/{model}", models.aliases(labels))

    # -- versions -----------------------------------------------------------------------------------------------

    def all(self, groups: Iterable[Group]) -> list[Version]:
        """Every usable version of the groups, newest first within each."""
        chosen = list(groups)
        pairs = [pair for pairs in in_parallel(self._summaries, chosen) for pair in pairs]
        packages = [one for one in in_parallel(lambda pair: self._described(*pair), pairs) if one is not None]
        written = self._written(packages)
        return in_parallel(lambda one: Version(*one, self._record(one[1]), written(one[1])), packages)

    def _summaries(self, group: Group) -> list[tuple[Group, int]]:
        """The numbers of a group's versions that are in use, newest first."""
        try:
            listed = list(
                self.world.client.pages(
                    "sagemaker", "ListModelPackages", "ModelPackageSummaryList", ModelPackageGroupName=group.name,
                    MaxResults=100, SortBy="CreationTime", SortOrder="Descending",
                )
            )  # fmt: skip
        except AwsError as error:
            if error.kind == "missing":  # the group was deleted meanwhile
                return []
            raise
        usable = [one for one in listed if one["ModelPackageStatus"] not in models.GONE]
        return [(group, number) for number in sorted((one["ModelPackageVersion"] for one in usable), reverse=True)]

    def _described(self, group: Group, number: int) -> tuple[Group, models.Package] | None:
        arn = group.package_arn(number)
        told = self.world.client.find("sagemaker", "DescribeModelPackage", ModelPackageName=arn)
        return None if told is None else (group, models.Package(group.model, group.name, told))

    def one(self, model: str, version: int | None = None, alias: str | None = None) -> Version:
        """A version by number or alias, else the newest. Raises NotFound; Refused (CML538): it came to nothing."""
        group = self.group(model)
        number = version if version is not None else self._chosen(model, group, alias)
        found = None if group is None else self._described(group, number)
        if group is None or found is None:
            raise self._no_version(model, group, number)
        package = found[1]
        _check_usable(package)
        return Version(group, package, self._record(package), self._written([found])(package))

    def _chosen(self, model: str, group: Group | None, alias: str | None) -> int:
        """The number of the version that bears the alias; without one, of the newest."""
        if alias is not None:
            if group is None or alias not in group.aliases:
                raise NotFound(f"no version of model {model!r} bears the alias {alias!r}", hint=self._known(model))
            return group.aliases[alias]
        numbers = [] if group is None else self._summaries(group)
        if not numbers:
            raise NotFound(f"there is no model {model!r}", hint=self._known(model))
        return numbers[0][1]

    def _no_version(self, model: str, group: Group | None, number: int) -> NotFound:
        known = [] if group is None else [str(one) for _, one in self._summaries(group)]
        hint = f"its versions are {', '.join(known)}" if known else self._known(model)
        return NotFound(f"there is no version {number} of model {model!r}", hint=hint)

    def _known(self, model: str) -> str:
        groups = self.groups()
        held = [
            group.model for group, numbers in zip(groups, in_parallel(self._summaries, groups), strict=True) if numbers
        ]
        if not held:
            return "no model is registered yet"
        close = difflib.get_close_matches(model, [name for name in held if name != model], 1)
        meant = f"did you mean {close[0]}? " if close else ""
        return f"{meant}the registered models are {', '.join(held)}"

    # -- what lies in S3 ----------------------------------------------------------------------------------------

    def _record(self, package: models.Package) -> dict[str, Any]:
        """The record of a registration; empty when there is none, or none that can be read."""
        uri = registration.record_of(package.document)
        if not uri:
            return {}
        if uri not in self._facts:
            content = self._content(uri)
            if content is None:
                return {}
            self._facts[uri] = _object(content)
        return self._facts[uri]

    def _written(
        self, found: Iterable[tuple[Group, models.Package]]
    ) -> Callable[[models.Package], tuple[decisions.Decision, ...]]:
        """Who tells of each package what was decided: the folders are listed once a model, not once a version."""
        pairs = list(found)
        homes = {decisions.home(package.document, group.folder) for group, package in pairs}
        only = f"/{decisions.label(pairs[0][1].document)}/" if len(pairs) == 1 else "/"
        uris = [
            uri for listed in in_parallel(lambda home: self._below(f"{home}{only}"), sorted(homes)) for uri in listed
        ]
        by_folder: dict[str, list[decisions.Decision]] = {}
        for uri, content in zip(uris, in_parallel(self._content, uris), strict=True):
            one = decisions.parsed(content) if content is not None else None
            if one is not None:
                by_folder.setdefault(uri.rpartition("/")[0], []).append(one)
        folders = {package.arn: folder_of(group, package) for group, package in pairs}
        return lambda package: tuple(by_folder.get(folders[package.arn], ()))

    def _below(self, uri: str) -> list[str]:
        """The objects below a folder."""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        listed = self.world.client.pages("s3", "ListObjectsV2", "Contents", Bucket=bucket, Prefix=prefix)
        return [f"s3://{bucket}/{one['Key']}" for one in listed]

    def _content(self, uri: str) -> bytes | None:
        try:
            return self.world.client.read(uri)
        except AwsError as error:
            if error.kind == "missing":
                return None
            raise


def folder_of(group: Group, package: models.Package) -> str:
    """Where the decisions of a version lie."""
    return f"{decisions.home(package.document, group.folder)}/{decisions.label(package.document)}"


def _check_usable(package: models.Package) -> None:
    state = package.document.get("ModelPackageStatus")
    if state not in models.GONE:
        return
    details = package.document.get("ModelPackageStatusDetails", {})
    told = [one.get("FailureReason", "") for kind in details.values() for one in kind]
    reason = "; ".join(filter(None, told)) or "SageMaker gives no reason"
    raise Refused(
        f"{package.model}/{package.version} cannot be used, it is {state}: {reason}",
        hint="run the pipeline again to register it anew",
        code="CML538",
    )


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
