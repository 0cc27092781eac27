"""Names and ARNs of model package groups and of model packages, versioned (`group/3`) or not."""

from __future__ import annotations

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import AwsError, validation
from cloudml_sagemaker.mock.core.operations import Call

GROUP = "model-package-group"
PACKAGE = "model-package"


def group_arn(call: Call, name: str) -> str:
    """The ARN of a group of the caller's."""
    return call.arn(f"{GROUP}/{name}")


def package_arn(call: Call, key: str) -> str:
    """The ARN of a package of the caller's; `key`: `name` or `group/version`."""
    return call.arn(f"{PACKAGE}/{key}")


def group(call: Call, value: str) -> Document:
    """The group of that name or ARN. Raises ValidationException in AWS's words."""
    arn = value if value.startswith("arn:") else group_arn(call, value)
    found = call.table("ModelPackageGroup").get(_key(call, arn, GROUP))
    if found is None:
        raise validation(f"ModelPackageGroup {arn} does not exist.")
    return found


def package(call: Call, value: str) -> Document:
    """The package of that name or ARN. Raises ValidationException in AWS's words."""
    arn = value if value.startswith("arn:") else package_arn(call, value)
    found = call.table("ModelPackage").get(_key(call, arn, PACKAGE))
    if found is None:
        raise missing(arn)
    return found


def missing(arn: str) -> AwsError:
    """What AWS says of a package that is not there."""
    return validation(f"ModelPackage {arn} does not exist.")


def key_of(package: Document) -> str:
    """The key of a package in its table."""
    return str(package["ModelPackageArn"].partition(f":{PACKAGE}/")[2])


def _key(call: Call, arn: str, kind: str) -> str:
    """The part of an ARN of the caller's account and region that names the resource; empty for any other ARN."""
    prefix = call.arn(f"{kind}/")
    return arn[len(prefix) :] if arn.startswith(prefix) else ""


def creator(call: Call) -> Document:
    """Who created or changed something, as UserContext."""
    return {"IamIdentity": {"Arn": call.principal}} if call.principal else {}
