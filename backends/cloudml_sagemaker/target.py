"""The target's settings: in which account, place and network things are made. Read once, checked all at once."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.backend.port import Target
from cloudml.errors import Diagnostic, SpecError

if TYPE_CHECKING:
    from cloudml.spec import Resources

SETTINGS = {
    "region": "AWS region, such as eu-central-1; required",
    "role": "ARN of the role that the pipeline and its jobs run as; required",
    "bucket": "S3 bucket for code, data and models; required",
    "prefix": "folder in the bucket (default: <project>/<target>)",
    "image": "image URI of jobs, with Python 3.11 or newer (default: AWS's PyTorch training image of the region)",
    "serving_image": "image URI of endpoints (default: AWS's PyTorch inference image of the region)",
    "requirements": "file of what jobs install when the image lacks it (default: requirements.txt if there is one)",
    "tuning": "native: SageMaker's own tuning jobs (default); portable: one job searches as the local backend does",
    "kms": "key that volumes and outputs are encrypted with",
    "subnets": "subnets of the jobs, a list",
    "security_groups": "security groups of the jobs, a list",
    "tags": "tags for all that is made, a table",
}

_IMAGES = Path(__file__).parent / "data" / "images.json"
"""In which account of AWS's each region has its deep learning containers."""

_DEVICES = {False: "cpu-py311", True: "gpu-py311-cu124"}
_IMAGE = "pytorch-{use}:2.5.1-{device}-ubuntu22.04-sagemaker"
"""With Python 3.11, script mode and a model server; AWS's scikit-learn image 1.4-2 has Python 3.10, too old for us."""


@cache
def _accounts() -> dict[str, str]:
    found: dict[str, str] = json.loads(_IMAGES.read_bytes())["accounts"]
    return found


def own_registry(region: str) -> str:
    """The host of AWS's own images in a region; empty when none is known."""
    account, domain = _accounts().get(region), "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"{account}.dkr.ecr.{region}.{domain}" if account else ""


_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_ROLE = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):role/?[a-zA-Z_0-9+=,.@\-_/]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*")
_TAG = re.compile(r"[\w .:/=+\-@]*")


@dataclass(frozen=True)
class Place:
    """Where everything of a target lies. `requirements`: a file relative to `root`, None when there is none."""

    project: str
    target: str
    root: Path
    region: str
    role: str
    bucket: str
    prefix: str
    image: str = ""
    serving_image: str = ""
    requirements: str | None = None
    tuning: str = "native"
    kms: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, target: Target) -> Place:
        """Raises SpecError (CML330) that names every setting that is missing, unknown or wrong."""
        reader = _Settings(target)
        region = reader.text("region", _REGION, "a region such as eu-central-1", required=True)
        place = cls(
            project=target.project,
            target=target.name,
            root=target.root,
            region=region,
            role=reader.text("role", _ROLE, "the ARN of a role: arn:aws:iam::123456789012:role/name", required=True),
            bucket=reader.text("bucket", _BUCKET, "the name of an S3 bucket", required=True),
            prefix=reader.text("prefix", _PREFIX, "folders without a slash at either end")
            or f"{target.project}/{target.name}",
            image=reader.image("image", region),
            serving_image=reader.image("serving_image", region),
            requirements=reader.requirements(),
            tuning=reader.text("tuning", re.compile("native|portable"), "'native' or 'portable'") or "native",
            kms=reader.text("kms", re.compile(r"[a-zA-Z0-9:/_-]{1,2048}"), "the id or ARN of a key") or None,
            subnets=reader.texts("subnets"),
            security_groups=reader.texts("security_groups"),
            tags=reader.tags(),
        )
        reader.check_network()
        if reader.findings:
            raise SpecError(reader.findings)
        return place

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn`, `aws-us-gov`: that of the role."""
        return self.role.split(":")[1]

    @property
    def account(self) -> str:
        """The account's number: that of the role."""
        return self.role.split(":")[4]

    @property
    def base(self) -> str:
        """`s3://bucket/prefix`, without a slash at the end."""
        return f"s3://{self.bucket}/{self.prefix}"

    def job_image(self, resources: Resources) -> str:
        """The image of a job: the target's, else AWS's own for a machine with or without devices."""
        return self.image or self._own("training", resources)

    def endpoint_image(self, resources: Resources) -> str:
        """The image of an endpoint."""
        return self.serving_image or self._own("inference", resources)

    def _own(self, use: str, resources: Resources) -> str:
        return f"{own_registry(self.region)}/{_IMAGE.format(use=use, device=_DEVICES[resources.gpu > 0])}"

    def arn(self, kind: str, name: str) -> str:
        """The ARN of something of SageMaker's."""
        return f"arn:{self.partition}:sagemaker:{self.region}:{self.account}:{kind}/{name}"


class _Settings:
    """Reads settings one by one and keeps what is wrong with them."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._settings: Mapping[str, Any] = target.settings
        self._where = f"cloudml.toml [targets.{target.name}]"
        self.findings: list[Diagnostic] = []
        for name in sorted(set(self._settings) - set(SETTINGS)):
            close = difflib.get_close_matches(name, SETTINGS, 1)
            hint = f"did you mean {close[0]}?" if close else f"the settings are {', '.join(SETTINGS)}"
            self._find(f"unknown setting {name!r}", hint)

    def _find(self, message: str, hint: str) -> None:
        self.findings.append(Diagnostic("CML330", self._where, message, hint))

    def text(self, name: str, pattern: re.Pattern[str], wanted: str, *, required: bool = False) -> str:
        """The setting's text; empty when it is not given or wrong."""
        value = self._settings.get(name)
        if value is None:
            if required:
                self._find(f"{name} is not set", f'write {name} = "…": {SETTINGS[name]}')
            return ""
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self._find(f"{name} is {value!r}", f"it must be {wanted}")
            return ""
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of identifiers."""
        value = self._settings.get(name, [])
        wrong = not isinstance(value, list) or not all(
            isinstance(one, str) and re.fullmatch(r"[-0-9a-zA-Z]{1,32}", one) for one in value
        )
        if wrong:
            self._find(f"{name} is {value!r}", f'it must be a list such as ["{name[:6]}-0123abcd"]')
            return ()
        return tuple(value)

    def tags(self) -> tuple[tuple[str, str], ...]:
        """The table of tags, in order of their keys."""
        value = self._settings.get("tags", {})
        if not isinstance(value, dict) or not all(map(_is_tag, value.items())):
            self._find(f"tags is {value!r}", "it must be a table of texts; keys may not begin with aws: or cloudml:")
            return ()
        return tuple(sorted(value.items()))

    def image(self, name: str, region: str) -> str:
        """The URI of an image; empty for AWS's own, which must be known for the region."""
        given = self.text(name, re.compile(r"\S{1,255}"), "the URI of an image")
        if not given and region and region not in _accounts() and self._settings.get(name) is None:
            self._find(f"{name} is not set, and none is known for region {region}", f"write {name} = the URI of one")
        return given

    def requirements(self) -> str | None:
        """The file that jobs install from; an empty text says that there is none."""
        given = self._settings.get("requirements")
        if given is None:
            return "requirements.txt" if (self._target.root / "requirements.txt").is_file() else None
        if given == "":
            return None
        path = (self._target.root / given).resolve() if isinstance(given, str) else self._target.root
        if not path.is_relative_to(self._target.root.resolve()) or not path.is_file():
            self._find(f"requirements is {given!r}", "it must be a file of the project, relative to its root")
            return None
        return path.relative_to(self._target.root.resolve()).as_posix()

    def check_network(self) -> None:
        """AWS takes subnets and security groups together only (VpcConfig)."""
        if bool(self._settings.get("subnets")) != bool(self._settings.get("security_groups")):
            self._find("only one of subnets and security_groups is set", "set both, or none")


def _is_tag(pair: tuple[Any, Any]) -> bool:
    key, value = pair
    texts = isinstance(key, str) and isinstance(value, str) and bool(_TAG.fullmatch(key) and _TAG.fullmatch(value))
    reserved = str(key).lower().startswith(("aws:", "cloudml:"))
    return texts and not reserved and 1 <= len(key) <= 128 and len(value) <= 256
