"""Model package groups and their resource policies."""

from __future__ import annotations

import json
from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import tags
from cloudml_sagemaker.mock.core.errors import conflict, validation
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.registry.names import creator, group, group_arn


@operation("CreateModelPackageGroup")
def create_model_package_group(call: Call) -> Parameters:
    """A group: unique by name, ready at once."""
    name = call.params["ModelPackageGroupName"]
    table, arn = call.table("ModelPackageGroup"), group_arn(call, name)
    if name in table:
        raise validation(f"Model Package Group already exists: {arn}")
    tags.attach(call, arn)
    table.put(
        name,
        {
            **{member: value for member, value in call.params.items() if member != "Tags"},
            "ModelPackageGroupArn": arn,
            "CreationTime": call.now,
            "CreatedBy": creator(call),
            "ModelPackageGroupStatus": "Completed",
            # Numbers of deleted versions are not given again.
            "_versions": 0,
        },
    )
    return {"ModelPackageGroupArn": arn}


@operation("DescribeModelPackageGroup")
def describe_model_package_group(call: Call) -> Parameters:
    """By name or ARN."""
    return group(call, call.params["ModelPackageGroupName"])


@operation("DeleteModelPackageGroup")
def delete_model_package_group(call: Call) -> Parameters:
    """Only an empty group can go; its policy goes with it."""
    found = group(call, call.params["ModelPackageGroupName"])
    name = found["ModelPackageGroupName"]
    left = sum(1 for package in call.table("ModelPackage") if package.get("ModelPackageGroupName") == name)
    if left:
        raise conflict(f"Model Package Group {name} cannot be deleted: it still contains {left} model package(s).")
    call.table("ModelPackageGroup").delete(name)
    tags.detach(call, found["ModelPackageGroupArn"])
    return {}


@operation("ListModelPackageGroups")
def list_model_package_groups(call: Call) -> Parameters:
    """The caller's own, or those that other accounts of the region share with the caller by a group policy."""
    shared = call.params.get("CrossAccountFilterOption") == "CrossAccount"
    return listed(
        call,
        _shared(call) if shared else call.table("ModelPackageGroup"),
        "ModelPackageGroupSummaryList",
        name="ModelPackageGroupName",
        sorts={"Name": "ModelPackageGroupName"},
        descending=False,
    )


def _shared(call: Call) -> list[Document]:
    found: list[Document] = []
    for table in call.world.store.tables("ModelPackageGroup"):
        if table.scope.region == call.scope.region and table.scope.account != call.scope.account:
            found.extend(row for row in table if _allows(row.get("_policy"), call.scope.account))
    return found


def _allows(policy: str | None, account: str) -> bool:
    statements = json.loads(policy).get("Statement", []) if policy else []
    return any(
        statement.get("Effect") == "Allow" and _names(statement.get("Principal"), account)
        for statement in (statements if isinstance(statements, list) else [statements])
        if isinstance(statement, dict)
    )


def _names(principal: Any, account: str) -> bool:
    who = principal.get("AWS", []) if isinstance(principal, dict) else principal
    given = who if isinstance(who, list) else [who]
    return any(one in {"*", account} or f":iam::{account}:" in str(one) for one in given)


@operation("PutModelPackageGroupPolicy")
def put_model_package_group_policy(call: Call) -> Parameters:
    """Keeps the policy; it must be a JSON object with statements."""
    found = group(call, call.params["ModelPackageGroupName"])
    try:
        policy = json.loads(call.params["ResourcePolicy"])
    except (ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict) or not isinstance(policy.get("Statement"), list | dict):
        raise validation("The resource policy is not a valid policy document.")
    found["_policy"] = call.params["ResourcePolicy"]
    call.table("ModelPackageGroup").put(found["ModelPackageGroupName"], found)
    return found


@operation("GetModelPackageGroupPolicy")
def get_model_package_group_policy(call: Call) -> Parameters:
    """The policy as it was put."""
    return {"ResourcePolicy": _policy(group(call, call.params["ModelPackageGroupName"]))}


@operation("DeleteModelPackageGroupPolicy")
def delete_model_package_group_policy(call: Call) -> Parameters:
    """Removes the policy."""
    found = group(call, call.params["ModelPackageGroupName"])
    _policy(found)
    del found["_policy"]
    call.table("ModelPackageGroup").put(found["ModelPackageGroupName"], found)
    return {}


def _policy(found: Document) -> str:
    if "_policy" not in found:
        raise validation(f"Cannot find resource policy for: {found['ModelPackageGroupArn']}")
    return str(found["_policy"])
