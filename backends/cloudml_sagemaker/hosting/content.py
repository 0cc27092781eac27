"""What an endpoint serves: a model and a configuration of SageMaker's, named by what they hold.

A repeated deploy finds them, and another content never has the same name: configurations cannot be changed, and each
update needs one of its own (developer guide, deployment guardrails).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cloudml_sagemaker.hosting import Aws, Document, Failed, tag_list

FEATURES = "CLOUDML_FEATURES"
"""The variable by which `inference.py` learns the order of the features."""
VERSION = "CLOUDML_MODEL_VERSION"
TIMEOUT = "SAGEMAKER_MODEL_SERVER_TIMEOUT"
_OWN = frozenset({VERSION, TIMEOUT})
LONGEST_VARIABLE = 1024
"""Characters of a variable's value (API reference, ContainerDefinition)."""
_LONGEST = 63
"""Characters of the names of models, configurations and endpoints (API reference)."""


@dataclass(frozen=True)
class Served:
    """A version as an endpoint serves it: its package, image, archive and environment."""

    model: str
    version: int
    digest: str
    group: str
    arn: str
    image: str
    data: str
    environment: dict[str, str]

    @classmethod
    def of(cls, package: Document, model: str, group: str) -> Served:
        """Of what DescribeModelPackage tells. Raises Failed: it has no image, so that nobody could serve it."""
        containers = (package.get("InferenceSpecification") or {}).get("Containers") or [{}]
        container = containers[0]
        if not container.get("Image"):
            raise Failed(f"{package['ModelPackageArn']} does not say how it is served: it has no image")
        return cls(
            model=model,
            version=int(package["ModelPackageVersion"]),
            digest=(package.get("CustomerMetadataProperties") or {}).get("cloudml:digest", ""),
            group=group,
            arn=str(package["ModelPackageArn"]),
            image=str(container["Image"]),
            data=str(container.get("ModelDataUrl", "")),
            environment=dict(container.get("Environment") or {}),
        )

    @property
    def tags(self) -> dict[str, str]:
        """By which one sees what a configuration serves."""
        return {
            "cloudml:model": self.model,
            "cloudml:version": str(self.version),
            "cloudml:digest": self.digest,
            "cloudml:group": self.group,
        }


@dataclass(frozen=True)
class Parts:
    """The two requests, CreateModel and CreateEndpointConfig, without their tags."""

    model: Document
    config: Document

    @property
    def name(self) -> str:
        """The configuration's."""
        return str(self.config["EndpointConfigName"])


def parts(settings: Document, served: Served) -> Parts:
    """What it takes to serve the version by the settings. Pure."""
    own, endpoint = settings["model"], settings["EndpointName"]
    model: Document = {"ExecutionRoleArn": own["role"], "PrimaryContainer": _container(own, served)}
    if own.get("subnets"):
        model["VpcConfig"] = {"Subnets": own["subnets"], "SecurityGroupIds": own["security_groups"]}
    model_name = named(endpoint, served.version, model)
    config: Document = {"ProductionVariants": [{**settings["variant"], "ModelName": model_name}]}
    for member in ("KmsKeyId", "DataCaptureConfig"):
        if settings.get(member):
            config[member] = settings[member]
    name = named(endpoint, served.version, config)
    return Parts({"ModelName": model_name, **model}, {"EndpointConfigName": name, **config})


def _container(own: Document, served: Served) -> Document:
    """The package as it was registered; in another image when the endpoint asks for one (a machine with GPUs)."""
    environment = {**own.get("environment", {}), VERSION: str(served.version)}
    if own.get("features"):
        environment |= _pieces(json.dumps(own["features"]))
    if own.get("request_timeout"):
        environment[TIMEOUT] = str(math.ceil(own["request_timeout"]))
    if own.get("image", served.image) == served.image:
        return {"ModelPackageName": served.arn, "Environment": environment}
    return {
        "Image": own["image"],
        "ModelDataUrl": served.data,
        "Environment": {**served.environment, **environment},
    }


def is_own(variable: str) -> bool:
    """Whether a variable comes from a setting of its own."""
    return variable in _OWN or variable.startswith(FEATURES)


def _pieces(features: str) -> dict[str, str]:
    """The text of the features, in as many variables as it takes: `CLOUDML_FEATURES`, `CLOUDML_FEATURES_2`, ..."""
    pieces = [features[at : at + LONGEST_VARIABLE] for at in range(0, len(features), LONGEST_VARIABLE)]
    return {f"{FEATURES}_{number}" if number > 1 else FEATURES: one for number, one in enumerate(pieces, 1)}


def features_of(environment: Mapping[str, str]) -> list[str]:
    """The features that a container's variables tell; none when they tell of none."""
    text, number = environment.get(FEATURES, ""), 2
    while f"{FEATURES}_{number}" in environment:
        text, number = text + environment[f"{FEATURES}_{number}"], number + 1
    return list(json.loads(text)) if text else []


def named(endpoint: str, version: int, content: Document) -> str:
    """A name in AWS's alphabet and length: endpoint, version, and eight digits of the content's hash."""
    mark = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    tail = f"-{version}-{mark}"
    return re.sub("[^A-Za-z0-9-]", "-", endpoint)[: _LONGEST - len(tail)].strip("-") + tail


def make(aws: Aws, settings: Document, served: Served) -> str:
    """Make the model and the configuration unless they are there; the configuration's name. Raises Failed."""
    made = parts(settings, served)
    tags = tag_list({**settings.get("tags", {}), **served.tags, "cloudml:endpoint": settings["name"]})
    _once(aws, "Model", "ModelName", {**made.model, "Tags": tags})
    _once(aws, "EndpointConfig", "EndpointConfigName", {**made.config, "Tags": tags})
    return made.name


def _once(aws: Aws, kind: str, key: str, request: Document) -> None:
    if aws.find("sagemaker", f"Describe{kind}", **{key: request[key]}) is not None:
        return
    try:
        aws.call("sagemaker", f"Create{kind}", **request)
    except Exception as error:
        if "already exist" not in str(error):  # it is there: the answer to an earlier attempt was lost
            raise Failed(f"{request[key]} cannot be made: {error}") from error


def package(aws: Aws, tags: dict[str, str]) -> Served | None:
    """The version that the tags of a configuration name; None when it, or the tags, are gone."""
    group, version = tags.get("cloudml:group", ""), tags.get("cloudml:version", "")
    if not group or not version:
        return None
    found = aws.find("sagemaker", "DescribeModelPackageGroup", ModelPackageGroupName=group)
    if found is None:
        return None
    arn = found["ModelPackageGroupArn"].replace(":model-package-group/", ":model-package/")
    described = aws.find("sagemaker", "DescribeModelPackage", ModelPackageName=f"{arn}/{version}")
    return None if described is None else Served.of(described, tags.get("cloudml:model", group), group)
