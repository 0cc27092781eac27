"""What every check is given, and how a refusal of AWS's becomes a finding."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from cloudml.backend.records import Finding
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.policies.needs import Needs
from cloudml_sagemaker.policies.scope import Scope
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.target import Place


@dataclass(frozen=True)
class Patient:
    """A target in its account. `caller`: the ARN of the identity that asks."""

    place: Place
    scope: Scope
    needs: Needs
    client: Client
    caller: str = ""

    def command(self, *words: str, region: bool = True) -> str:
        """A command of the AWS CLI's that can be pasted, for the target's region unless the service has none."""
        where = ("--region", self.place.region) if region else ()
        return shlex.join(("aws", *words, *where))

    def permissions(self) -> str:
        """The command that writes the policies, as files that the next command reads."""
        return shlex.join(("cloudml", "permissions", "--target", self.place.target, "--to", "."))


Check: TypeAlias = Callable[[Patient], Iterator[Finding]]

GONE = frozenset({"expired", "no-credentials", "bad-credentials"})
"""Kinds of refusals after which no other call can succeed either."""


def guarded(name: str, check: Check, patient: Patient) -> Iterator[Finding]:
    """What a check finds. What keeps it from looking is a finding too: a check never fails."""
    try:
        yield from check(patient)
    except AwsError as error:
        yield refused(name, error)
    except Exception as error:  # noqa: BLE001 - a defect of one check must not hide what the others find
        yield Finding(name, "unknown", f"could not be looked at: {type(error).__name__}: {error}")


def refused(name: str, error: AwsError) -> Finding:
    """The finding for a call that AWS refused."""
    if error.kind in GONE:
        return Finding(name, "missing", error.reason, error.hint)
    if error.kind == "denied":
        return Finding(name, "unknown", f"may not be looked at: {error.operation}", error.hint)
    if error.provider_code == "NotImplemented":
        return Finding(name, "unknown", f"could not be looked at: {error.reason}")
    return Finding(name, "unknown", " ".join(error.message.split()), error.hint)
