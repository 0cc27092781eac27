"""An endpoint as it is, in the form of its settings; and what it serves."""

from __future__ import annotations

from dataclasses import dataclass

from cloudml_sagemaker.hosting import Aws, Document, content, labels_of, policy, scaling, watch
from cloudml_sagemaker.hosting.content import TIMEOUT, Served

_IDENTITY = frozenset({"cloudml:project", "cloudml:target", "cloudml:pipeline"})


@dataclass(frozen=True)
class Sight:
    """One endpoint: DescribeEndpoint, its tags, its configuration with its tags (empty when it was deleted)."""

    found: Document
    tags: dict[str, str]
    config: Document
    config_tags: dict[str, str]

    @property
    def name(self) -> str:
        """In the account."""
        return str(self.found["EndpointName"])

    @property
    def variant(self) -> Document:
        """The first, and only, production variant of the configuration."""
        rows = self.config.get("ProductionVariants") or [{}]
        return dict(rows[0])


def see(aws: Aws, name: str) -> Sight | None:
    """An endpoint with all that belongs to it; None when there is none."""
    found = watch.look(aws, name)
    return None if found is None else sight_of(aws, found)


def sight_of(aws: Aws, found: Document) -> Sight:
    """What belongs to an endpoint that DescribeEndpoint tells of."""
    tags = labels_of(aws, found["EndpointArn"])
    config = configuration(aws, found["EndpointConfigName"])
    return Sight(found, tags, config, labels_of(aws, config["EndpointConfigArn"]) if config else {})


def configuration(aws: Aws, name: str) -> Document:
    """DescribeEndpointConfig; empty when there is none."""
    return aws.find("sagemaker", "DescribeEndpointConfig", EndpointConfigName=name) or {}


def settings_of(aws: Aws, sight: Sight) -> Document:
    """The settings that are in force, as `bring` takes them: what makes a model and a configuration is left out."""
    variant = sight.variant
    found: Document = {
        "EndpointName": sight.name,
        "name": sight.tags.get("cloudml:endpoint", sight.name),
        "variant": {key: value for key, value in variant.items() if key not in ("ModelName", "InitialVariantWeight")},
        "DeploymentConfig": sight.found.get("LastDeploymentConfig") or {},
        "tags": {key: value for key, value in sight.tags.items() if not key.startswith("cloudml:") or key in _IDENTITY},
    }
    scaled = scaling.read(aws, sight.name, variant.get("VariantName", "main"))
    return {**found, "scaling": scaled} if scaled else found


def document(aws: Aws, sight: Sight, declared: Document) -> Document:
    """The live endpoint in the form of its declaration.

    What a configuration holds is compared by its name, which is its content's: equal names, equal content. Otherwise
    what can be seen of it is told. The DeploymentConfig counts as declared when a tag says that it was.
    """
    live = {**settings_of(aws, sight), "tags": sight.tags}
    if sight.tags.get(policy.TAG) == policy.digest(declared.get("DeploymentConfig")):
        live["DeploymentConfig"] = declared.get("DeploymentConfig") or {}
    served = content.package(aws, sight.config_tags)
    if served is not None and content.parts(declared, served).name == sight.found["EndpointConfigName"]:
        same = ("variant", "model", "KmsKeyId", "DataCaptureConfig")
        return {**live, **{key: declared[key] for key in same if key in declared}}
    for member in ("KmsKeyId", "DataCaptureConfig"):
        if sight.config.get(member):
            live[member] = sight.config[member]
    live["model"] = _model(aws, sight, served)
    live["configuration"] = sight.found["EndpointConfigName"]
    return live


def _model(aws: Aws, sight: Sight, served: Served | None) -> Document:
    name = sight.variant.get("ModelName")
    found = aws.find("sagemaker", "DescribeModel", ModelName=name) if name else None
    if found is None:
        return {}
    container = found.get("PrimaryContainer") or (found.get("Containers") or [{}])[0]
    environment = container.get("Environment") or {}
    features = content.features_of(environment)
    given = {} if served is None or "ModelPackageName" in container else served.environment
    shown: Document = {
        "role": found.get("ExecutionRoleArn", ""),
        "image": container.get("Image") or (served.image if served else ""),
        "environment": {
            key: value for key, value in environment.items() if not content.is_own(key) and given.get(key) != value
        },
    }
    if features:
        shown["features"] = features
    if TIMEOUT in environment:
        shown["request_timeout"] = float(environment[TIMEOUT])
    network = found.get("VpcConfig") or {}
    if network:
        shown |= {"subnets": network["Subnets"], "security_groups": network["SecurityGroupIds"]}
    return shown
