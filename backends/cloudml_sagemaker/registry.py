"""The model registry: versions are model packages, aliases are tags of their group, decisions lie in S3."""

from __future__ import annotations

import builtins
import re
from pathlib import Path

from cloudml.backend.records import ModelVersion
from cloudml.errors import NotFound, Refused
from cloudml_sagemaker import exported, transfer
from cloudml_sagemaker.client import bucket_and_key
from cloudml_sagemaker.container.control import decisions, models
from cloudml_sagemaker.container.control.decisions import Decision
from cloudml_sagemaker.objects import put
from cloudml_sagemaker.packages import Packages, Version, folder_of
from cloudml_sagemaker.resources.kind import World

_ALIAS = re.compile(r"[\w .:/=+\-@]+")
LONGEST_ALIAS = 128 - len(models.ALIAS)
"""An alias is part of the key of a tag (TagKey in the service model)."""


class SagemakerModels:
    """Speaks `cloudml.backend.port.Models`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._packages = Packages(world)

    def list(self, model: str | None = None) -> builtins.list[ModelVersion]:
        """Versions, newest first within each model. What SageMaker could not make, or removes now, is left out."""
        if model is None:
            groups = self._packages.groups()
        else:
            one = self._packages.group(model)
            groups = [] if one is None else [one]
        return [version.record() for version in self._packages.all(groups)]

    def get(self, model: str, version: int | None = None, alias: str | None = None) -> ModelVersion:
        """By number or alias, else the newest. Raises NotFound, Refused (CML538), AwsError."""
        return self._packages.one(model, version, alias).record()

    def decide(self, model: str, version: int, approved: bool, who: str, reason: str) -> ModelVersion:
        """Approve or reject: AWS's approval status, with who and why. Raises NotFound, Refused (CML538), AwsError."""
        found = self._packages.one(model, version)
        self._approve(found, decisions.APPROVED if approved else decisions.REJECTED, who, reason)
        return self.get(model, version)

    def promote(self, model: str, version: int, alias: str, who: str, reason: str) -> ModelVersion:
        """Move an alias. Raises NotFound, Refused (not approved; no name that a tag can have), AwsError."""
        if not _ALIAS.fullmatch(alias) or len(alias) > LONGEST_ALIAS:
            raise Refused(
                f"{alias!r} cannot be an alias: it is part of a tag's key",
                hint=f"letters, digits, spaces and _.:/=+-@, {LONGEST_ALIAS} characters at most",
            )
        found = self._packages.one(model, version)
        if found.package.approval != decisions.APPROVED:
            raise Refused(
                f"{model}/{version} is {found.package.approval}: only an approved version may bear an alias",
                hint=f"cloudml approve {model}/{version} --reason …",
            )
        if alias in found.group.borne(version):
            return found.record()
        made = Decision.now(f"promoted to {alias}", who, reason)
        if not self._begun(found, alias, made):
            self._write(found, made)
        tags = [{"Key": models.ALIAS + alias, "Value": str(version)}]
        self._world.client.call("sagemaker", "AddTags", ResourceArn=found.group.arn, Tags=tags)
        return self.get(model, version)

    def export(self, model: str, version: int, folder: Path) -> ModelVersion:
        """Lay a version into an empty folder: its archive, a sample and a manifest, which is written last.

        Raises NotFound, Refused, CorruptArtifact, AwsError.
        """
        found = self._packages.one(model, version)
        transfer.lay_down(self._world, found, folder)
        return found.record()

    def adopt(self, folder: Path, who: str, reason: str) -> ModelVersion:
        """Register what `export` laid down, as an approved version. Cut off anywhere, it is ended by the next call.

        Raises Refused (CML539: no such folder; a version that was not approved), CorruptArtifact, AwsError.
        """
        sent = exported.read(folder)
        found = transfer.take_up(self._world, self._packages, sent)
        action = f"{decisions.ADOPTED}{sent.origin}"
        known = {(one.action, one.at) for one in found.decided}
        if found.package.approval != decisions.APPROVED or action not in {one for one, _ in known}:
            for one in sent.decided:
                if (one.action, one.at) not in known:
                    self._write(found, one)
            self._approve(found, action, who, reason)
        return self.get(found.group.model, found.package.version)

    def _begun(self, found: Version, alias: str, made: Decision) -> bool:
        """Whether this very promotion was decided before, and cut off before the alias moved.

        One that took effect is over when the alias has moved on since.
        """
        last = max(found.decided, key=lambda one: one.at, default=None)
        if last is None or not _same(last, made):
            return False
        bearer = found.group.aliases.get(alias)
        if bearer is None:
            return True
        try:
            others = self._packages.one(found.group.model, bearer).decided
        except (NotFound, Refused):  # it was deleted
            return True
        return not any(one.action == made.action and one.at > last.at for one in others)

    # -- decisions ----------------------------------------------------------------------------------------------

    def _approve(self, found: Version, action: str, who: str, reason: str) -> None:
        """Write the decision, then let it take effect; the other way round a kill could lose who decided.

        The same decision again (an answer was lost, a command repeated) is the same one.
        """
        told, made = found.package.document, Decision.now(action, who, reason)
        assert made.approval is not None, action
        status = decisions.STATUS[made.approval]
        held = decisions.standing(told, found.decided)
        for one in held:
            if one not in found.decided:  # made by other means: kept, before it is overwritten
                self._write(found, one)
        given = [one for one in held if one.approval is not None]
        if not (given and _same(given[-1], made)):
            unfinished = [one for one in found.decided if one not in held and _same(one, made)]
            made = unfinished[-1] if unfinished else made
            if not unfinished:
                self._write(found, made)
        elif told.get("ModelApprovalStatus") == status:
            return
        self._world.client.call(
            "sagemaker", "UpdateModelPackage", ModelPackageArn=found.package.arn, ModelApprovalStatus=status,
            ApprovalDescription=decisions.description(made),
        )  # fmt: skip

    def _write(self, found: Version, decision: Decision) -> None:
        """Keep a decision. Its object has a name of its own, so nobody's is ever overwritten."""
        bucket, key = bucket_and_key(f"{folder_of(found.group, found.package)}/{decision.key()}")
        put(self._world, bucket, key, decision.content())


def _same(one: Decision, other: Decision) -> bool:
    return (one.action, one.who, one.reason) == (other.action, other.who, other.reason)
