"""The role that everything runs as: there, trusted, allowed; and whether the caller may do its part.

IAM answers the last two by simulation (SimulatePrincipalPolicy), for the same statements that `cloudml permissions`
prints. A simulation sees policies and boundaries, not those of the resources themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cloudml.backend.records import Finding
from cloudml_sagemaker.checkups.patient import Patient
from cloudml_sagemaker.policies.deployer import deployer
from cloudml_sagemaker.policies.role import role as role_statements
from cloudml_sagemaker.policies.statements import Statement

_SHOWN = 6
_LEAST = 1


def role(patient: Patient) -> Iterator[Finding]:
    """Whether there is such a role, and whether the services may take it."""
    place = patient.place
    name = place.role.rpartition("/")[2]
    found = patient.client.find("iam", "GetRole", RoleName=name)
    if found is None:
        fix = f"{patient.permissions()}, then the create-role and put-role-policy commands that it prints"
        yield Finding("role", "missing", f"there is no role {place.role}", fix)
        return
    if found["Role"]["Arn"] != place.role:
        yield Finding("role", "missing", f"the role is {found['Role']['Arn']}, not {place.role}", "correct `role`")
        return
    yield Finding("role", "ok", place.role)
    services = ["sagemaker.amazonaws.com"] + ["scheduler.amazonaws.com"] * patient.needs.has("kind:schedule")
    trusted = trusting(found["Role"].get("AssumeRolePolicyDocument", {}))
    lacking = [one for one in services if one not in trusted]
    if not lacking:
        yield Finding("role trust", "ok", f"may be taken by {', '.join(services)}")
        return
    fix = f"{patient.permissions()}, then the update-assume-role-policy command that it prints"
    optional = patient.needs.any and "sagemaker.amazonaws.com" not in lacking
    message = f"may not be taken by {', '.join(lacking)}" + (", which a schedule needs" if optional else "")
    yield Finding("role trust", "warning" if optional else "missing", message, fix)


def trusting(document: Mapping[str, Any]) -> set[str]:
    """The services that a trust policy lets take the role."""
    found: set[str] = set()
    statements = document.get("Statement", [])
    for one in [statements] if isinstance(statements, Mapping) else statements:
        names = one.get("Action", [])
        if one.get("Effect") == "Allow" and {"sts:AssumeRole", "sts:*", "*"} & set(_listed(names)):
            principal = one.get("Principal", {})
            found.update(_listed(principal.get("Service", [])) if isinstance(principal, Mapping) else [])
    return found


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def allowed(patient: Patient) -> Iterator[Finding]:
    """Whether the role may do what its jobs will ask for."""
    fix = f"{patient.permissions()}, then the put-role-policy command that it prints"
    yield from _simulated(
        patient, "role permissions", patient.place.role, role_statements(patient.scope, patient.needs), fix
    )


def may(patient: Patient) -> Iterator[Finding]:
    """Whether the caller may plan, apply, run and destroy; passing the role is part of it."""
    if patient.caller.endswith(":root"):
        yield Finding("your permissions", "ok", "root may do everything")
        return
    fix = f"{patient.permissions()}, then the commands of the deployer's policies that it prints"
    identity = _principal(patient)
    yield from _simulated(patient, "your permissions", identity, deployer(patient.scope, patient.needs), fix)


def _principal(patient: Patient) -> str:
    """The user or role behind the caller: a session of a role is simulated as that role."""
    parts = patient.caller.split(":")
    if parts[2] != "sts" or not parts[5].startswith("assumed-role/"):
        return patient.caller
    name = parts[5].split("/")[1]
    return str(patient.client.call("iam", "GetRole", RoleName=name)["Role"]["Arn"])


def _simulated(
    patient: Patient, check: str, identity: str, statements: Iterable[Statement], fix: str
) -> Iterator[Finding]:
    denied: dict[str, str] = {}
    for names, resource, context in _questions(statements):
        pages = patient.client.pages(
            "iam", "SimulatePrincipalPolicy", "EvaluationResults",
            PolicySourceArn=identity, ActionNames=names, ResourceArns=[resource], ContextEntries=context,
        )  # fmt: skip
        for result in pages:
            if result["EvalDecision"] != "allowed":
                denied.setdefault(result["EvalActionName"], resource)
    if not denied:
        yield Finding(check, "ok", f"{identity} may do all that is needed")
        return
    shown = [f"{name} on {resource}" for name, resource in sorted(denied.items())[:_SHOWN]]
    more = f" and {len(denied) - _SHOWN} more" if len(denied) > _SHOWN else ""
    yield Finding(check, "missing", f"{identity} may not do {', '.join(shown)}{more}", fix)


def _questions(statements: Iterable[Statement]) -> Iterator[tuple[list[str], str, list[dict[str, Any]]]]:
    """Actions, one resource and the context of each simulation. An action is asked of its own kind of resource."""
    for one in statements:
        by_resource: dict[str, list[str]] = {}
        for name in one.actions:
            by_resource.setdefault(example(fitting(name, one.resources)), []).append(name)
        for resource, names in by_resource.items():
            yield names, resource, _context(one.condition)


def fitting(action: str, resources: tuple[str, ...]) -> str:
    """Of several kinds of resources the one that the action's name speaks of, else the first."""
    wanted = action.partition(":")[2].lower()
    kinds = {resource: resource.split(":")[-1].partition("/")[0].replace("-", "") for resource in resources}
    named = [resource for resource, kind in kinds.items() if kind and kind in wanted]
    return max(named, key=lambda resource: len(kinds[resource]), default=resources[0])


def example(pattern: str) -> str:
    """A resource that a pattern of ours stands for; `*` alone stays, IAM takes it."""
    return pattern if pattern == "*" else pattern.replace("*", "x").replace("?", "x")


def _context(condition: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The keys that a condition asks for, as if they were so."""
    found: dict[str, tuple[str, list[str]]] = {}
    for operator, keys in condition.items():
        for key, value in keys.items():
            if operator == "Null":
                found[key] = ("string", ["Create"])
            elif operator == "Bool":
                found[key] = ("boolean", [str(value)])
            else:
                texts = [example(text) for text in _listed(value)]
                many = operator.startswith("ForAnyValue")
                found[key] = ("stringList", texts) if many else ("string", texts[:_LEAST])
    return [
        {"ContextKeyName": key, "ContextKeyType": kind, "ContextKeyValues": values}
        for key, (kind, values) in found.items()
    ]
