"""Statements of IAM's policy language, and how many of them fit into one policy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = "2012-10-17"
MANAGED = 6_144
INLINE_ROLE = 10_240
"""Characters without white space of a managed policy, and of all inline policies of a role together (IAM user guide,
"IAM and AWS STS quotas")."""


@dataclass(frozen=True)
class Statement:
    """One Allow. `why` says what it is for; where the resource is `*`, why AWS takes no narrower one."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    why: str
    condition: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The statement in IAM's form."""
        found: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": sorted(self.actions),
            "Resource": list(dict.fromkeys(self.resources)),
        }
        if self.condition:
            found["Condition"] = {key: dict(value) for key, value in self.condition.items()}
        return found


def document(statements: Iterable[Statement]) -> dict[str, Any]:
    """A policy of these statements."""
    return {"Version": VERSION, "Statement": [one.document() for one in statements]}


def size(policy: Mapping[str, Any]) -> int:
    """Characters as IAM counts them: without white space."""
    return len("".join(json.dumps(policy, separators=(",", ":")).split()))


def packed(statements: Iterable[Statement], limit: int) -> list[list[Statement]]:
    """The statements in as few policies as their order allows, each within the limit.

    Raises ValueError for a statement that is larger than the limit by itself.
    """
    found: list[list[Statement]] = []
    for one in statements:
        if size(document([one])) > limit:
            raise ValueError(f"statement {one.sid} has more than {limit} characters")
        if found and size(document([*found[-1], one])) <= limit:
            found[-1].append(one)
        else:
            found.append([one])
    return found


def actions(service: str, names: str) -> tuple[str, ...]:
    """`actions("s3", "GetObject PutObject")`."""
    return tuple(f"{service}:{name}" for name in names.split())


def tagged(tags: Mapping[str, str], key: str = "ResourceTag") -> dict[str, dict[str, str]]:
    """The condition that a thing bears (`ResourceTag`) or is given (`RequestTag`) these tags."""
    return {"StringEquals": {f"aws:{key}/{name}": value for name, value in tags.items()}}


def at_birth(tags: Mapping[str, str]) -> dict[str, Any]:
    """The condition of AddTags that it is asked for by a Create of SageMaker's with these tags, and by nothing else."""
    return {**tagged(tags, "RequestTag"), "Null": {"sagemaker:TaggingAction": "false"}}


def passed_to(*services: str) -> dict[str, dict[str, Any]]:
    """The condition that a role is given to these services only."""
    names = [f"{service}.amazonaws.com" for service in services]
    return {"StringEquals": {"iam:PassedToService": names[0] if len(names) == 1 else names}}
