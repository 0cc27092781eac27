"""What the pipelines use besides: images, machines' quotas, secrets, the key, the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudml.backend.records import Finding
from cloudml_sagemaker.checkups.patient import Patient
from cloudml_sagemaker.policies.role import OWN_IMAGES, secret_name
from cloudml_sagemaker.policies.scope import Repository

_QUOTA = "{machine} for {use} usage"
_USES = {"processing": "processing job", "training": "training job", "endpoint": "endpoint"}
"""The names of SageMaker's quotas: `ml.m5.xlarge for processing job usage` (Service Quotas console)."""
_FEW_ADDRESSES = 8


def images(patient: Patient) -> Iterator[Finding]:
    """Whether each image is where its URI says; AWS's own are taken for granted."""
    place = patient.place
    named = {*patient.needs.images, *patient.scope.images}
    if not named:
        yield Finding("images", "ok", "AWS's own")
    for image in sorted(named):
        repository = Repository.of(image)
        if repository is None:
            message = f"{image} lies outside of ECR, from where SageMaker takes images"
            yield Finding("image", "warning", message, "push it into a repository of the target's region")
        elif repository.region != place.region:
            message = f"{image} lies in {repository.region}; SageMaker takes images of its own region, {place.region}"
            yield Finding("image", "missing", message, "replicate it, or push it there")
        elif repository.account == OWN_IMAGES:
            yield Finding("image", "ok", f"{image} (AWS's)")
        else:
            yield _image(patient, image, repository)


def _image(patient: Patient, image: str, repository: Repository) -> Finding:
    tag = repository.tag or "latest"
    member = "imageDigest" if tag.startswith("sha256:") else "imageTag"
    found = patient.client.find(
        "ecr", "DescribeImages", registryId=repository.account, repositoryName=repository.name, imageIds=[{member: tag}]
    )
    if found is None or not found.get("imageDetails"):
        fix = f"cloudml build --push --target {patient.place.target}"
        return Finding("image", "missing", f"there is no image {image}", fix)
    note = "" if member == "imageDigest" else ", by a tag that may move: name it by its digest"
    return Finding("image", "warning" if note else "ok", image + note)


def quotas(patient: Patient) -> Iterator[Finding]:
    """Whether the account may have one of each machine that the pipelines use."""
    wanted = {_QUOTA.format(machine=machine, use=_USES[use]): machine for machine, use in patient.needs.machines}
    if not wanted:
        return
    found: dict[str, Any] = {}
    for one in patient.client.pages("service-quotas", "ListServiceQuotas", "Quotas", ServiceCode="sagemaker"):
        if one.get("QuotaName") in wanted:
            found[one["QuotaName"]] = one
        if len(found) == len(wanted):
            break
    for name in sorted(wanted):
        quota = found.get(name)
        if quota is None:
            yield Finding("quota", "unknown", f"Service Quotas does not list {name!r}")
        elif quota["Value"] < 1:
            fix = patient.command(
                "service-quotas", "request-service-quota-increase", "--service-code", "sagemaker",
                "--quota-code", str(quota["QuotaCode"]), "--desired-value", "1",
            )  # fmt: skip
            yield Finding("quota", "missing", f"{name}: 0 allowed", fix)
        else:
            yield Finding("quota", "ok", f"{name}: {quota['Value']:g}")


def secrets(patient: Patient) -> Iterator[Finding]:
    """Whether the steps' secrets are there. Their values are never read."""
    for name in sorted(patient.needs.secrets):
        identifier = secret_name(patient.place.project, name)
        found = patient.client.find("secretsmanager", "DescribeSecret", SecretId=identifier)
        if found is None:
            words = ("secretsmanager", "create-secret", "--name", identifier, "--secret-string", "file://secret.txt")
            yield Finding("secret", "missing", f"there is no secret {identifier}", patient.command(*words))
        elif found.get("DeletedDate"):
            fix = patient.command("secretsmanager", "restore-secret", "--secret-id", identifier)
            yield Finding("secret", "missing", f"the secret {identifier} is about to be deleted", fix)
        else:
            yield Finding("secret", "ok", identifier)


def key(patient: Patient) -> Iterator[Finding]:
    """Whether the target's key can be used."""
    if patient.place.kms is None:
        return
    found = patient.client.find("kms", "DescribeKey", KeyId=patient.place.kms)
    if found is None:
        yield Finding("key", "missing", f"there is no key {patient.place.kms}", "correct `kms`, or leave it out")
        return
    state = found["KeyMetadata"].get("KeyState")
    if state == "Enabled":
        yield Finding("key", "ok", str(found["KeyMetadata"]["Arn"]))
        return
    fix = patient.command("kms", "enable-key", "--key-id", str(found["KeyMetadata"]["KeyId"]))
    yield Finding("key", "missing", f"the key {patient.place.kms} is {state}", fix)


def network(patient: Patient) -> Iterator[Finding]:
    """Whether subnets and groups are there, in one network, with addresses left."""
    place = patient.place
    if not place.subnets:
        return
    nets = patient.client.find("ec2", "DescribeSubnets", SubnetIds=list(place.subnets))
    groups = patient.client.find("ec2", "DescribeSecurityGroups", GroupIds=list(place.security_groups))
    if nets is None or groups is None:
        what = "subnets" if nets is None else "security_groups"
        yield Finding("network", "missing", f"not all of the target's {what} are there", f"correct `{what}`")
        return
    homes = {one["VpcId"] for one in (*nets["Subnets"], *groups["SecurityGroups"])}
    if len(homes) > 1:
        message = f"subnets and groups lie in {len(homes)} networks: {', '.join(sorted(homes))}"
        yield Finding("network", "missing", message, "choose all of one network")
        return
    full = [one["SubnetId"] for one in nets["Subnets"] if one.get("AvailableIpAddressCount", 256) < _FEW_ADDRESSES]
    if full:
        yield Finding("network", "warning", f"few addresses are left in {', '.join(full)}", "name larger subnets too")
    else:
        yield Finding("network", "ok", ", ".join(sorted(homes)))
