"""Who asks, and where: the credentials, their account, the region."""

from __future__ import annotations

import os
from collections.abc import Iterator

from cloudml.backend.records import Finding
from cloudml_sagemaker.checkups.patient import Patient

_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_OTHER_ADDRESS = "AWS_ENDPOINT_URL"


def caller(patient: Patient) -> str:
    """The ARN of the identity that the credentials are of. Raises AwsError, MissingExtra."""
    return str(patient.client.call("sts", "GetCallerIdentity")["Arn"])


def who(patient: Patient) -> Iterator[Finding]:
    """The identity, and whether it is of the target's account."""
    place, arn = patient.place, patient.caller
    account = arn.split(":")[4]
    if arn.endswith(":root"):
        fix = "make a user or a role with the policies of `cloudml permissions`, and sign in as that"
        yield Finding("identity", "warning", f"you are the account's root, {arn}, which may do everything", fix)
    else:
        yield Finding("identity", "ok", f"you are {arn}")
    if account != place.account:
        message = f"the credentials are of account {account}, the target's role of {place.account}"
        yield Finding("account", "missing", message, "AWS_PROFILE=… of the other account, or correct `role`")


def where(patient: Patient) -> Iterator[Finding]:
    """The region that answers, and variables that would lead other tools elsewhere."""
    region = patient.place.region
    for name in _REGION_VARIABLES:
        other = os.environ.get(name)
        if other and other != region:
            message = f"{name} is {other}; cloudml works in the target's region, {region}"
            yield Finding("region", "warning", message, f"export {name}={region}")
            break
    else:
        yield Finding("region", "ok", region)
    address = os.environ.get(_OTHER_ADDRESS)
    if address:
        message = f"{_OTHER_ADDRESS} leads all calls to {address}, which is not AWS"
        yield Finding("address", "warning", message, f"unset {_OTHER_ADDRESS}")
