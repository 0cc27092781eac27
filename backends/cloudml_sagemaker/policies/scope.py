"""What of an account belongs to a project and target, as ARNs and patterns of ARNs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cloudml_sagemaker import names
from cloudml_sagemaker.target import Place

_CERTAIN = 50
"""Characters of a name that `names.resource` never cuts: it keeps 54 of 63, and a `-` at the end may go."""


@dataclass(frozen=True)
class Scope:
    """The words that ARNs of a target are made of. `stem`: how the names of all that cloudml makes for it begin;
    `group`: the name of its schedule group.

    Every member may be a placeholder of a template instead of a value: nothing here takes them apart.
    """

    partition: str
    region: str
    account: str
    bucket: str
    prefix: str
    project: str
    target: str
    stem: str
    group: str
    role: str
    kms: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    images: tuple[str, ...] = ()

    @classmethod
    def of(cls, place: Place) -> Scope:
        """The scope of a target. `images`: repositories that its own images lie in."""
        named = [image for image in (place.image, place.serving_image) if image]
        return cls(
            partition=place.partition,
            region=place.region,
            account=place.account,
            bucket=place.bucket,
            prefix=place.prefix,
            project=place.project,
            target=place.target,
            stem=stem(place.project, place.target),
            group=names.resource(place.project, place.target),
            role=place.role,
            kms=place.kms,
            subnets=place.subnets,
            security_groups=place.security_groups,
            images=tuple(named),
        )

    def arn(self, service: str, rest: str, *, region: str | None = None, account: str | None = None) -> str:
        """An ARN; of the target's region and account unless others (or none: "") are given."""
        where = self.region if region is None else region
        owner = self.account if account is None else account
        return f"arn:{self.partition}:{service}:{where}:{owner}:{rest}"

    def sagemaker(self, kind: str, name: str | None = None) -> str:
        """Things of SageMaker's of one kind; those of the target when no name is given."""
        return self.arn("sagemaker", f"{kind}/{self.stem if name is None else name}")

    def objects(self, *folders: str) -> tuple[str, ...]:
        """The objects below folders of the target's prefix; below the prefix itself when none are named."""
        base = f"arn:{self.partition}:s3:::{self.bucket}/{self.prefix}"
        return tuple(f"{base}/{folder}/*" for folder in folders) or (f"{base}/*",)

    @property
    def marks(self) -> tuple[str, ...]:
        """The objects that tell whose a prefix is: of the folders above the target's own (`cloudml.remote.state`)."""
        parts = self.prefix.split("/")[:-1]
        folders = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        return tuple(f"{self.bucket_arn}/{folder}/cloudml.json" for folder in folders)

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def key_arn(self) -> str:
        """The key's ARN; of an alias every key of the account, of which `key_condition` leaves the right one."""
        key = self.kms or ""
        if key.startswith("arn:") and ":alias/" not in key:
            return key
        return self.arn("kms", "key/*" if self.key_condition else f"key/{key}")

    @property
    def key_condition(self) -> dict[str, dict[str, str]]:
        """IAM knows no ARNs of aliases for the use of a key, only this condition (KMS developer guide, aliases)."""
        alias = (self.kms or "").rpartition(":")[2]
        return {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}} if alias.startswith("alias/") else {}

    @property
    def tags(self) -> dict[str, str]:
        """The tags that all of a target's things bear."""
        return {"cloudml:project": self.project, "cloudml:target": self.target}


def stem(project: str, target: str) -> str:
    """The pattern that every name of `names.resource(project, target, ...)` matches, and of `names.pipeline`.

    Names that were hashed begin like plain ones, since hashing cleans and cuts them but keeps their beginning. Other
    targets may have names that begin so too (`a`, `b-c` and `a-b`, `c`), so what changes or removes things is also
    bound to their tags.
    """
    cleaned = re.sub(r"[^a-z0-9]+", "-", f"{project}-{target}".lower()).strip("-")
    return f"{cleaned[:_CERTAIN].rstrip('-')}*" if len(cleaned) >= _CERTAIN else f"{cleaned}-*"


_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>[^:@]+)")


@dataclass(frozen=True)
class Repository:
    """A repository of ECR's, as an image's URI names it. `tag` is a tag or a digest (`sha256:…`), or empty."""

    account: str
    region: str
    name: str
    tag: str = ""

    @classmethod
    def of(cls, image: str) -> Repository | None:
        """None when the image lies elsewhere than in ECR."""
        found = _ECR.match(image)
        if found is None:
            return None
        rest = image[found.end() :]
        tag = rest.partition("@")[2] or rest.removeprefix(":")
        return cls(found["account"], found["region"], found["name"], tag)

    @property
    def host(self) -> str:
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com" + (".cn" if self.region.startswith("cn-") else "")
