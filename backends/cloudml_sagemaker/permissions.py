"""`cloudml permissions`: the least policies of a project and target in IAM's own form, and how to attach them. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from cloudml.backend.port import Target
from cloudml.backend.records import Policy
from cloudml.plan import Resource
from cloudml_sagemaker import names
from cloudml_sagemaker.policies.deployer import builder, deployer, doctor
from cloudml_sagemaker.policies.needs import Needs, needs_of
from cloudml_sagemaker.policies.role import role, trust
from cloudml_sagemaker.policies.scope import Scope
from cloudml_sagemaker.policies.statements import INLINE_ROLE, MANAGED, Statement, document, packed, size
from cloudml_sagemaker.target import Place

LONGEST = 128
"""Characters of a policy's name (IAM API reference); of a role's, 64."""


def permissions(target: Target, resources: Sequence[Resource]) -> tuple[Policy, ...]:
    """The role's trust and policy, the deployer's, and those that `doctor` and `build` need beside it.

    For all pipelines that the resources are of; for any that one may write when there are none. Raises SpecError.
    """
    place = Place.of(target)
    scope = Scope.of(place)
    needs = needs_of(resources, place.base)
    name = names.resource(place.project, place.target, "policy", longest=LONGEST - 24).removesuffix("-policy")
    return (*_role(scope, needs, name), *_people(scope, needs, name))


def _role(scope: Scope, needs: Needs, name: str) -> Iterable[Policy]:
    who = f"the role {scope.role}"
    title = scope.role.rpartition("/")[2]
    trusted = f"{name}-role-trust"
    make = (
        "aws",
        "iam",
        "create-role",
        "--role-name",
        title,
        "--assume-role-policy-document",
        f"file://{trusted}.json",
    )
    change = (
        "aws", "iam", "update-assume-role-policy", "--role-name", title, "--policy-document", f"file://{trusted}.json",
    )  # fmt: skip
    how = f"{shlex.join(make)}\n# or, when the role is there already:\n{shlex.join(change)}"
    yield Policy(trusted, f"{who}: who may take it", trust(scope, needs), how)
    statements = role(scope, needs)
    whole = document(statements)
    if size(whole) <= INLINE_ROLE:
        put = (
            "aws", "iam", "put-role-policy", "--role-name", title, "--policy-name", f"{name}-role",
            "--policy-document", f"file://{name}-role.json",
        )  # fmt: skip
        yield Policy(f"{name}-role", who, whole, "\n".join((shlex.join(put), *_notes(statements))))
        return
    attach = ("attach-role-policy", "--role-name", title)
    yield from _managed(scope, f"{name}-role", who, statements, attach)


def _people(scope: Scope, needs: Needs, name: str) -> Iterable[Policy]:
    attach = ("attach-user-policy", "--user-name", "NAME")
    for part, who, statements in (
        ("deployer", "whoever plans, applies, runs, observes and destroys", deployer(scope, needs)),
        ("doctor", "whoever runs cloudml doctor, beside the deployer's (optional)", doctor(scope, needs)),
        ("builder", "whoever runs cloudml build --push (optional)", builder(scope)),
    ):
        yield from _managed(scope, f"{name}-{part}", who, statements, attach)


def _managed(
    scope: Scope, name: str, who: str, statements: list[Statement], attach: tuple[str, ...]
) -> Iterable[Policy]:
    """Managed policies; several when one would be too large."""
    parts = packed(statements, MANAGED)
    for number, part in enumerate(parts, 1):
        title = f"{name}-{number}" if len(parts) > 1 else name
        make = ("aws", "iam", "create-policy", "--policy-name", title, "--policy-document", f"file://{title}.json")
        arn = scope.arn("iam", f"policy/{title}", region="")
        put = ("aws", "iam", *attach, "--policy-arn", arn)
        other = "# for a role: attach-role-policy --role-name; for a group: attach-group-policy --group-name"
        lines = [shlex.join(make), shlex.join(put), *([other] if attach[0] == "attach-user-policy" else [])]
        yield Policy(title, who, document(part), "\n".join((*lines, *_notes(part))))


def _notes(statements: Iterable[Statement]) -> list[str]:
    """Why some statements have no narrower resource."""
    return [f"# {one.sid} is for *: {one.why}" for one in statements if "*" in one.resources]
