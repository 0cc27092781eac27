"""`cloudml build` for SageMaker: what the image holds, and its repository in ECR.

The image bakes the project's requirements only. The code still comes from S3 at the start of each job, so that a
change of code needs no build. SageMaker runs containers as root and mounts `/opt/ml` for root, hence `USER root`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cloudml.backend.image import ImagePlan, Login
from cloudml.backend.port import Target
from cloudml.errors import Refused
from cloudml_sagemaker import names
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.policies.scope import Repository
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.target import Place

REQUIREMENTS = "requirements.txt"
BAKED = "CLOUDML_REQUIREMENTS"
"""The variable by which a job sees that the image was made for its requirements: their sha256."""

_DOCKERFILE = """\
# Made by `cloudml build`: the image of {what}, target {target} of project {project}.
FROM {base}
USER root
RUN python3 -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'cloudml needs Python 3.11 or newer')"
RUN python3 -c "import boto3" || python3 -m pip install --no-cache-dir boto3
COPY {requirements} /opt/cloudml/{requirements}
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check --no-input{hashes} -r /opt/cloudml/{requirements}
ENV {baked}={digest}
"""

_ELSEWHERE = re.compile(r"\s*(-r|-c|-e|--requirement|--constraint|--editable|\.{1,2}/|/|file:)")
"""Lines of a requirements file that need other files than it."""
_USABLE = frozenset(
    {"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json"}
)
_IMMUTABLE = "IMMUTABLE"


class EcrImages:
    """Images of a target, in one repository of its account."""

    def plan(self, target: Target, base: str | None = None, *, serving: bool = False) -> ImagePlan:
        """See `Images`. `base`: default the target's image, or AWS's own."""
        place = Place.of(target)
        if place.requirements is None:
            raise Refused(
                "there is nothing to bake: the target has no requirements",
                code="CML545",
                hint="a stock image needs no build: the code comes from S3. Write a requirements.txt, or "
                'requirements = "…" in the target',
            )
        content = (place.root / place.requirements).read_bytes()
        text = content.decode("utf-8", "replace")
        _check(place.requirements, text.splitlines())
        chosen = base or _base(place, serving=serving)
        digest = hashlib.sha256(content).hexdigest()
        dockerfile = _DOCKERFILE.format(
            what="endpoints" if serving else "jobs",
            target=place.target,
            project=place.project,
            base=chosen,
            requirements=REQUIREMENTS,
            hashes=" --require-hashes" if "--hash=" in text else "",
            baked=BAKED,
            digest=digest,
        )
        use = "serving" if serving else "jobs"
        mark = hashlib.sha256(f"{dockerfile}{digest}".encode()).hexdigest()[:16]
        repository = f"{_home(place).host}/{_home(place).name}"
        setting = "serving_image" if serving else "image"
        return ImagePlan(repository, f"{use}-{mark}", chosen, dockerfile, {REQUIREMENTS: content}, setting=setting)

    def resolve(self, target: Target, base: str) -> str:
        """See `Images`. Only registries of ECR are asked; one that refuses leaves the tag as it is."""
        found = Repository.of(base)
        if found is None or not found.tag or found.tag.startswith("sha256:"):
            return base
        try:
            told = _registry(target, found.region).call(
                "ecr",
                "BatchGetImage",
                registryId=found.account,
                repositoryName=found.name,
                imageIds=[{"imageTag": found.tag}],
            )
        except AwsError as error:
            if error.kind in ("denied", "missing"):
                return base
            raise
        digests = [one["imageId"]["imageDigest"] for one in told.get("images", ())]
        return f"{base.rpartition(':')[0]}@{digests[0]}" if digests else base

    def find(self, target: Target, plan: ImagePlan) -> str | None:
        """See `Images`."""
        home = _home(Place.of(target))
        told = _registry(target, home.region).find(
            "ecr",
            "DescribeImages",
            registryId=home.account,
            repositoryName=home.name,
            imageIds=[{"imageTag": plan.tag}],
        )
        if told is None or not told.get("imageDetails"):
            return None
        detail: dict[str, Any] = told["imageDetails"][0]
        kind = detail.get("imageManifestMediaType", "")
        if kind and kind not in _USABLE:
            raise Refused(
                f"{plan.uri} was pushed as {kind}, which SageMaker does not take",
                code="CML545",
                hint="it must be one image for one platform, without attestations: remove it (`aws ecr "
                f"batch-delete-image --repository-name {home.name} --image-ids imageTag={plan.tag} --region "
                f"{home.region}`), and build it again",
            )
        return f"{plan.repository}@{detail['imageDigest']}"

    def prepare(self, target: Target, plan: ImagePlan) -> None:
        """See `Images`. Scanned when pushed; a tag never moves; tagged as all that cloudml makes. Raises AwsError."""
        place = Place.of(target)
        home = _home(place)
        tags = {**dict(place.tags), "cloudml:project": place.project, "cloudml:target": place.target}
        request: dict[str, Any] = {
            "repositoryName": home.name,
            "imageScanningConfiguration": {"scanOnPush": True},
            "imageTagMutability": _IMMUTABLE,
            "tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())],
        }
        if place.kms:
            request["encryptionConfiguration"] = {"encryptionType": "KMS", "kmsKey": place.kms}
        look = ("DescribeRepositories", {"repositoryNames": [home.name]})
        client = _registry(target, home.region)
        found, new = client.make("ecr", "CreateRepository", request, look)
        if new:
            return
        arn = found["repositories"][0]["repositoryArn"]
        listed = client.call("ecr", "ListTagsForResource", resourceArn=arn).get("tags", ())
        owner = {one["Key"]: one["Value"] for one in listed}
        if any(owner.get(key) != tags[key] for key in ("cloudml:project", "cloudml:target")):
            raise Refused(
                f"the repository {home.name} is there already, and not this target's",
                code="CML534",
                hint="cloudml never takes over what it did not make: remove it, or rename the target",
            )

    def logins(self, target: Target, plan: ImagePlan) -> tuple[Login, ...]:
        """See `Images`. A token of ECR's is good for every registry of its region that the identity may use."""
        home = _home(Place.of(target))
        base = Repository.of(plan.base)
        wanted = {one.host: one.region for one in (base, home) if one is not None}
        found = []
        for host, region in wanted.items():
            told = _registry(target, region).call("ecr", "GetAuthorizationToken")["authorizationData"][0]
            user, _, password = base64.b64decode(told["authorizationToken"]).decode().partition(":")
            found.append(Login(host, user, password))
        return tuple(found)


def repository_name(place: Place) -> str:
    """The name of the repository that a target's images lie in."""
    return names.resource(place.project, place.target, "images")


def _home(place: Place) -> Repository:
    return Repository(place.account, place.region, repository_name(place))


def _base(place: Place, *, serving: bool) -> str:
    """The image that the target has now; when that is one that was baked for it, what such are baked from."""
    from cloudml.spec import Resources

    own = f"{_home(place).host}/{_home(place).name}"
    given = place.serving_image if serving else place.image
    if given.startswith((f"{own}@", f"{own}:")):
        place = replace(place, image="", serving_image="")
    return place.endpoint_image(Resources()) if serving else place.job_image(Resources())


def _check(name: str, lines: Iterable[str]) -> None:
    for number, line in enumerate(lines, 1):
        if _ELSEWHERE.match(line):
            raise Refused(
                f"{name}, line {number}, needs another file: {line.strip()}",
                code="CML545",
                hint="the image gets this one file: write everything into it, such as by "
                "`uv pip compile --generate-hashes`",
            )


def _registry(target: Target, region: str) -> Client:
    """ECR of a region: AWS's images may lie in another one than the target's."""
    return Client(replace(Place.of(target), region=region))
