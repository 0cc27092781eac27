"""Execution roles: they must exist and let SageMaker assume them, once the account has any role at all.

An account in which nobody made a role is taken as one where IAM is not under test: every role is accepted there.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.core.operations import Call
from cloudml_sagemaker.mock.core.world import World

_PRINCIPAL = "sagemaker.amazonaws.com"
_ACTION = "sts:assumerole"
"""In lower case: policies name actions in any, with wildcards (IAM user guide, policy element Action)."""


def check(call: Call, role: str) -> None:
    """Raises ValidationException in AWS's words when SageMaker cannot assume `role`."""
    if not assumable(call.world, call.scope, role):
        raise validation(
            f"Could not assume role {role}. Please ensure that the role exists and allows principal "
            f"'{_PRINCIPAL}' to assume the role."
        )


def assumable(world: World, scope: Scope, role: str, principal: str = _PRINCIPAL) -> bool:
    """Whether `principal` may assume the role, by its trust policy in moto's IAM; read again when IAM has changed."""
    cache = world.rooms.setdefault("roles", {})
    key = (scope.account, role, principal)
    seen = cache.get(key)
    changes = world.aws.changes  # before IAM is asked: a change meanwhile makes the answer old
    if seen is not None and seen[0] == changes:
        return bool(seen[1])
    answer = _ask(world, scope, role, principal)
    cache[key] = (changes, answer)
    return answer


def _ask(world: World, scope: Scope, role: str, principal: str) -> bool:
    iam = world.aws.client("iam", scope)
    roles = [known for page in iam.get_paginator("list_roles").paginate() for known in page["Roles"]]
    if not any(not known["Path"].startswith("/aws-service-role/") for known in roles):
        return True
    found = next((known for known in roles if known["Arn"] == role), None)
    return found is not None and _trusts(found["AssumeRolePolicyDocument"], principal)


def _trusts(policy: Any, principal: str) -> bool:
    document = json.loads(unquote(policy)) if isinstance(policy, str) else policy
    for statement in _many(document.get("Statement", [])):
        who = statement.get("Principal", {})
        services = ["*"] if who == "*" else _many(who.get("Service", []))
        actions = _many(statement.get("Action", []))
        if (
            statement.get("Effect") == "Allow"
            and {principal, "*"} & set(services)
            and any(fnmatchcase(_ACTION, action.lower()) for action in actions)
        ):
            return True
    return False


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
