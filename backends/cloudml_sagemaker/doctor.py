"""`cloudml doctor`: who one is, what is missing for these resources, and what grants it. Reads, and never fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from cloudml.backend.port import Target
from cloudml.backend.records import Finding
from cloudml.errors import MissingExtra, SpecError
from cloudml.plan import Resource
from cloudml_sagemaker.checkups import around, identity, roles, storage
from cloudml_sagemaker.checkups.patient import Check, Patient, guarded, refused
from cloudml_sagemaker.client import Client, Patience
from cloudml_sagemaker.policies.needs import needs_of
from cloudml_sagemaker.policies.scope import Scope
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.target import Place

_PACKAGES = ("boto3", "tenacity", "optuna", "regex")
_PATIENCE = Patience(attempts=3, seconds=15.0)
"""A doctor tells what does not answer instead of waiting for it."""

_CHECKS: tuple[tuple[str, Check], ...] = (
    ("identity", identity.who),
    ("region", identity.where),
    ("bucket", storage.bucket),
    ("role", roles.role),
    ("role permissions", roles.allowed),
    ("your permissions", roles.may),
    ("image", around.images),
    ("quota", around.quotas),
    ("secret", around.secrets),
    ("key", around.key),
    ("network", around.network),
)


def doctor(target: Target, resources: Sequence[Resource]) -> Iterator[Finding]:
    """Findings in the order in which one would mend things; nothing after what nothing works without."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    for name in missing:
        yield Finding(
            "packages", "missing", f"the package {name!r} is not installed", MissingExtra("sagemaker", name).hint
        )
    if not missing:
        yield Finding("packages", "ok", f"boto3 {_version('boto3')}, botocore {_version('botocore')}")
    try:
        place = Place.of(target)
    except SpecError as error:
        for one in error.diagnostics:
            yield Finding("target", "missing", f"{one.where}: {one.message}", one.hint)
        return
    yield Finding("target", "ok", f"{target.name}: {place.base} in {place.region}")
    if not missing:
        yield from _account(place, resources)


def _account(place: Place, resources: Sequence[Resource]) -> Iterator[Finding]:
    client = Client(place, patience=_PATIENCE)
    patient = Patient(place, Scope.of(place), needs_of(resources, place.base), client)
    try:
        patient = replace(patient, caller=identity.caller(patient))
    except AwsError as error:
        yield refused("identity", error)
        return
    for name, check in _CHECKS:
        yield from guarded(name, check, patient)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"
